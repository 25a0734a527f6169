"""What exactly does a person say yes to? One call of one tool, with exactly these arguments, in one request of one tenant.

Arguments are compared by the SHA-256 of the text that the person reads and the tool is given (`router.tools.arguments` writes it, one
spelling for each value): a yes to one text can't be used for another.
"""

import hashlib
from typing import Literal

from pydantic import Field

from router.bundle.files import ApproverRule
from router.contract import Frozen, Label, RiskTier, Sha256, TraceId
from router.errors import ApprovalDenied, ApprovalExpired, ApprovalPending, ApprovalUsed, RouterError

ApprovalState = Literal["waiting", "granted", "denied", "used", "expired"]


class Binding(Frozen):
    """What an approval is good for, and nothing else."""

    org: str
    trace_id: TraceId
    tool: str
    arguments_sha256: Sha256


class Terms(Frozen):
    """On what terms a yes is asked for: by which key, about data under which label at which risk, whose yes counts, for how long.

    `keep_days`: how long it is remembered, by ID and hash, once it is over.
    """

    asked_by: str
    label: Label
    risk_tier: RiskTier
    approver: ApproverRule = "another"
    seconds: float = Field(default=900.0, gt=0)
    keep_days: int = Field(default=30, ge=1)


class Approval(Frozen):
    """An approval as it stands. `arguments` is there only for those who may see it, and only as long as it waits or is granted."""

    id: str
    binding: Binding
    terms: Terms
    state: ApprovalState
    asked_at: float
    expires_at: float
    arguments: str | None = None
    settled_by: str | None = None
    because: str | None = None


def binding_of(org: str, trace_id: str, tool: str, arguments: str) -> Binding:
    """Return what binds an approval to this call; `arguments` is the canonical text."""
    digest = hashlib.sha256(arguments.encode("utf-8", "surrogatepass")).hexdigest()
    return Binding(org=org, trace_id=trace_id, tool=tool, arguments_sha256=digest)


def unusable(approval: Approval) -> RouterError | None:
    """Say why nothing may be done by this approval now; None: it is granted and unused."""
    tool = approval.binding.tool
    match approval.state:
        case "granted":
            return None
        case "waiting":
            return ApprovalPending(tool, f"approval {approval.id} waits for a person")
        case "denied":
            return ApprovalDenied(
                tool, "a person did not approve it" + (f": {approval.because}" if approval.because else "")
            )
        case "used":
            return ApprovalUsed(tool, f"approval {approval.id} was used: it is good for one call")
        case "expired":
            return ApprovalExpired(tool, f"approval {approval.id} has expired: ask again")
