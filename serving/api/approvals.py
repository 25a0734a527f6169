"""`/v1/approvals`: what is asked of an approver, exactly what would be done, and their yes or no."""

from collections.abc import Callable
from typing import Any, Final, Literal

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from router.approvals import Approval
from router.boundary import ApproveQuestion
from router.errors import NotPermitted, PolicyDenied
from serving.api.body import MOST_WORDS_BYTES, read_body
from serving.api.parse import checked, json_object
from serving.api.people import Serves, Visit, answered, wants_all
from serving.people.parked import Ticket

_OUTCOME: Final[dict[str, Literal["granted", "denied"]]] = {"grant": "granted", "deny": "denied"}


class _Word(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    decision: Literal["grant", "deny"]
    because: str | None = Field(default=None, max_length=2000)


class ApprovalsApi:
    """The approver's side. `version` returns the one in service."""

    def __init__(self, version: Callable[[], Serves]) -> None:
        self._version = version

    async def listed(self, http: Request) -> Response:
        """`GET /v1/approvals`: those that wait (`?all=true`: all), without arguments, as far as the key's clearance reaches."""
        visit = Visit.of(self._version(), http, "approve")
        found = await visit.people.desk.approvals(visit.caller.org, waiting=not wants_all(http))
        data = [_body(one) for one in found if visit.clears(one.terms.label)]
        return answered({"object": "list", "data": data})

    async def shown(self, http: Request, name: str) -> Response:
        """`GET /v1/approvals/ID`: one, with the arguments exactly as the tool would be given them."""
        visit = Visit.of(self._version(), http, "approve")
        return answered(_body(await _found(visit, name)))

    async def settled(self, http: Request, name: str) -> Response:
        """`POST /v1/approvals/ID`: `{"decision": "grant" | "deny", "because": …}`. A yes counts where the boundary says that it does."""
        visit = Visit.of(self._version(), http, "approve")
        word = checked(_Word, **json_object(await read_body(http, MOST_WORDS_BYTES)))
        approval = await _found(visit, name)
        outcome = _OUTCOME[word.decision]
        if outcome == "granted":
            _check_boundary(visit, approval)
        org, by = visit.caller.org, visit.caller.key.id
        settled = await visit.people.desk.settle(org, approval.id, outcome, by, word.because)
        for ticket in await _waiting_for(visit, approval.id):
            visit.people.go_on_soon(org, ticket.id)
        return answered(_body(settled))


async def _found(visit: Visit, name: str) -> Approval:
    """Raises `ApprovalUnknown`, and `NotPermitted` for one whose data is above the key's clearance."""
    approval = await visit.people.desk.look(visit.caller.org, name)
    if not visit.clears(approval.terms.label):
        clearance = visit.caller.key.clearance
        raise NotPermitted(f"what this is about is labelled above the key's clearance, which is {clearance}")
    return await visit.people.desk.look(visit.caller.org, name, shown=True)


def _check_boundary(visit: Visit, approval: Approval) -> None:
    """Raise `PolicyDenied` unless the bundle's policies let this key approve this call."""
    terms, key = approval.terms, visit.caller.key.id
    verdict = visit.gateway.bundle.boundary.may_approve(
        ApproveQuestion(
            visit.caller.org,
            key,
            "Tool",
            approval.binding.tool,
            terms.label,
            terms.risk_tier,
            own=key == terms.asked_by,
        )
    )
    if not verdict.allowed:
        policies = tuple(policy.id for policy in verdict.policies)
        raise PolicyDenied(f"the key {key!r} may not approve this: {verdict.because}", policies)


async def _waiting_for(visit: Visit, approval: str) -> list[Ticket]:
    tickets = await visit.people.desk.tickets(visit.caller.org, waiting=True)
    return [ticket for ticket in tickets if ticket.standing.approval == approval]


def _body(approval: Approval) -> dict[str, Any]:
    binding, terms = approval.binding, approval.terms
    return {
        "id": approval.id,
        "object": "lane.approval",
        "state": approval.state,
        "tool": binding.tool,
        "arguments": approval.arguments,
        "arguments_sha256": binding.arguments_sha256,
        "trace_id": binding.trace_id,
        "asked_by": terms.asked_by,
        "approver": terms.approver,
        "label": terms.label.model_dump(mode="json"),
        "risk_tier": terms.risk_tier,
        "asked_at": approval.asked_at,
        "expires_at": approval.expires_at,
        "settled_by": approval.settled_by,
        "because": approval.because,
    }
