"""May these bytes leave? Believes neither the router's permit nor its scan: checks the one, repeats the other, asks Cedar again.

Pure: the clock's time, the body and the rules are arguments. Whatever can't be judged stays.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from router.boundary import SendQuestion, ToolQuestion
from router.bundle.files import Hosted, LaneSpec, TiersFile, ToolFile
from router.contract import Finding, Label, PolicyFired
from router.decide.plan import EGRESS_NONE
from router.decide.spans import raised
from router.errors import DoorRefused
from router.labels import RESTRICTED, join
from router.permit import Permit, verify
from router.render import NotCanonical, parse_body, texts_in
from serving.door.shapes import holds_image, wanting

PERMIT_SECONDS_AT_MOST: Final = 60
"""No permit is good for longer, whatever it says: what was decided long ago may no longer hold."""


class MaySend(Protocol):
    """Cedar's verdict, as far as the door reads it."""

    @property
    def allowed(self) -> bool: ...

    @property
    def policies(self) -> tuple[PolicyFired, ...]: ...


@dataclass(frozen=True, slots=True)
class Unasked:
    """The verdict where there is nobody to ask: no."""

    allowed: bool = False
    policies: tuple[PolicyFired, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """What the door judges by: its own copy of the bundle, the scanner, and the key that the router signs with.

    `closed_orgs`: the tenants that let nothing leave (`egress: none`). `tools`, `may_call_tool`: for `serving.door.tool_guard`.
    """

    bundle_hash: str
    lanes: Mapping[str, LaneSpec]
    tiers: TiersFile
    may_send: Callable[[SendQuestion], MaySend]
    scan: Callable[[str], tuple[Finding, ...]]
    public_key: Ed25519PublicKey
    closed_orgs: frozenset[str] = frozenset()
    tools: Mapping[str, ToolFile] = field(default_factory=dict)
    may_call_tool: Callable[[ToolQuestion], MaySend] = lambda _: Unasked()


@dataclass(frozen=True, slots=True)
class Asked:
    """What came over the socket: the token, the lane's name, and the exact body."""

    token: str
    lane: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Allow:
    """It may leave, to this place, under this label (the permit's joined with what the door found itself)."""

    permit: Permit
    lane: LaneSpec
    hosted: Hosted
    label: Label


@dataclass(frozen=True, slots=True)
class Deny:
    """It stays. `policies` are the IDs that said so; `permit` is what was asked for, where its signature held.

    `outdated`: another bundle is in force than the permit was given under, so the router should decide again.
    """

    because: str
    policies: tuple[str, ...] = ()
    permit: Permit | None = None
    outdated: bool = False


def judge(asked: Asked, rules: Rules, now: float) -> Allow | Deny:
    """Return the verdict on one request at `now` (Unix seconds). Cheap checks come before the scan."""
    try:
        permit = verify(asked.token, rules.public_key)
    except DoorRefused as refusal:
        return Deny(str(refusal))
    lane = rules.lanes.get(asked.lane)
    if lane is None or lane.hosted is None:
        return Deny("the lane is not one of the door's", permit=permit)
    if permit.bundle_hash != rules.bundle_hash:
        return Deny("the permit was given under another bundle than the door's", permit=permit, outdated=True)
    wanting = _permit_wanting(permit, asked, lane.hosted, now) or _body_wanting(asked.body, lane.hosted)
    if wanting is not None:
        return Deny(wanting, permit=permit)
    if permit.org in rules.closed_orgs:
        return Deny(f"tenant {permit.org} lets nothing leave (`egress: none`)", (EGRESS_NONE,), permit)
    return _boundary(permit, asked.body, lane, lane.hosted, rules)


def _permit_wanting(permit: Permit, asked: Asked, hosted: Hosted, now: float) -> str | None:
    """Say in what respect the permit is not for this: the first that is wrong, or None."""
    checks = (
        (permit.lane == asked.lane, "the permit is for another lane"),
        (permit.region == hosted.region, "the permit is for another region"),
        (permit.body_sha256 == hashlib.sha256(asked.body).hexdigest(), "the permit is for other bytes"),
        (not permit.has_expired(now), "the permit has expired"),
        (permit.expires_at <= now + PERMIT_SECONDS_AT_MOST, "the permit is good for longer than any may be"),
    )
    return next((because for holds, because in checks if not holds), None)


def _body_wanting(body: bytes, hosted: Hosted) -> str | None:
    """Say what in the body no renderer of ours writes, or None."""
    try:
        fields = parse_body(body)
    except NotCanonical as error:
        return str(error)
    if fields.get("model") != hosted.model:
        return "the body asks for another model than the lane's"
    if fields.get("stream") is not True:
        return "the body does not ask for a stream"
    return wanting(fields, hosted.protocol)


def _boundary(permit: Permit, body: bytes, lane: LaneSpec, hosted: Hosted, rules: Rules) -> Allow | Deny:
    """Scan the exact bytes and ask Cedar about the join of both labels.

    Catches every exception, because whatever the scanner or the policy engine trips over must stay.
    """
    try:
        allowed = Allow(permit, lane, hosted, join(permit.label, scanned_label(body, hosted, rules)))
    except Exception as error:  # noqa: BLE001
        return Deny(f"the body could not be judged ({type(error).__name__})", permit=permit)
    return _asked_cedar(allowed, rules)


def judge_found(allowed: Allow, found: Label, rules: Rules) -> Allow | Deny:
    """Return the verdict when the deep scan has read the bytes as well and found them worth this label."""
    return _asked_cedar(replace(allowed, label=join(allowed.label, found)), rules)


def _asked_cedar(allowed: Allow, rules: Rules) -> Allow | Deny:
    """Ask Cedar about a label. Whatever it trips over stays."""
    permit, label = allowed.permit, allowed.label
    try:
        verdict = rules.may_send(question_of(permit, label))
        policies = tuple(policy.id for policy in verdict.policies)
        let_go = verdict.allowed is True
    except Exception as error:  # noqa: BLE001 - as in `_boundary`
        return Deny(f"the body could not be judged ({type(error).__name__})", permit=permit)
    return allowed if let_go else Deny(f"the boundary keeps {_describe(label)} from this lane", policies, permit)


def question_of(permit: Permit, label: Label) -> SendQuestion:
    """Return what the boundary is asked: what the permit says of the request, and a label that the door found itself too."""
    return SendQuestion(permit.org, permit.lane, label, permit.risk_tier, permit.attack, permit.harm, permit.redacted)


def scanned_label(body: bytes, hosted: Hosted, rules: Rules) -> Label:
    """Return the label of what the scanner finds in the bytes. What it can't read, an image, is restricted."""
    texts = set(texts_in(body))
    labels = [_label(rules.scan(text), rules.tiers) for text in sorted(texts)]
    if holds_image(parse_body(body), hosted.protocol):
        labels.append(RESTRICTED)
    return join(*labels)


def _label(findings: tuple[Finding, ...], tiers: TiersFile) -> Label:
    raising = tuple(finding.category for finding in findings if finding.score >= tiers.raise_at)
    return raised(Label(categories=raising), tiers.levels)


def _describe(label: Label) -> str:
    kinds = f" with {', '.join(label.categories)}" if label.categories else ""
    return f"{label.level} text{kinds}"
