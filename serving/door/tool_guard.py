"""May this call of a tool leave? As for a body (`serving.door.guard`): the permit is checked, the bytes scanned and Cedar asked again.

Pure. What the door is asked to send is the call's canonical JSON; where it goes, and how it is written there, its own bundle says.
"""

import hashlib
import re
from dataclasses import dataclass, replace
from typing import Any, Final

from router.boundary import ToolQuestion
from router.bundle.files import ToolFile
from router.bundle.files.tool_sources import McpSource, OpenApiSource, leaves
from router.contract import Label
from router.decide import label_found
from router.decide.plan import EGRESS_NONE
from router.errors import DoorRefused, ToolError
from router.exact import canonical_json, parse_json
from router.labels import join
from router.permit import Permit, verify
from router.render import texts_in
from router.tools.check import checked_arguments
from serving.door.guard import PERMIT_SECONDS_AT_MOST, Asked, Deny, Rules

_KEY: Final = re.compile(r"[0-9a-f]{32}")
"""An idempotency key is a hash, and no more than that: nothing can be said in it."""
OUTSIDE: Final = "outside"
"""The region that a permit for a tool names: the bundle says no more of where a tool runs."""


@dataclass(frozen=True, slots=True)
class AllowTool:
    """It may leave, as this call of this tool, under this label."""

    permit: Permit
    tool: ToolFile
    arguments: str
    key: str
    label: Label


def lane_of(tool: str) -> str:
    """Return what a permit and the ledger call the way out to a tool."""
    return f"tool:{tool}"


def body_of(arguments: str, key: str) -> bytes:
    """Return the bytes that a permit for a call is signed over: the canonical arguments, and the idempotency key."""
    return canonical_json({"arguments": parse_json(arguments), "key": key}).encode()


def address_of(tool: ToolFile) -> str:
    """Return where a tool's calls go."""
    match tool.source:
        case OpenApiSource(base_url=address) | McpSource(url=str(address)):
            return address
        case _:
            return ""


def judge_tool(asked: Asked, rules: Rules, now: float) -> AllowTool | Deny:
    """Return the verdict on one call at `now` (Unix seconds)."""
    try:
        permit = verify(asked.token, rules.public_key)
    except DoorRefused as refusal:
        return Deny(str(refusal))
    tool = rules.tools.get(permit.lane.removeprefix("tool:"))
    if tool is None or tool.source is None or not leaves(tool.source):
        return Deny("the tool is not one of the door's", permit=permit)
    if permit.bundle_hash != rules.bundle_hash:
        return Deny("the permit was given under another bundle than the door's", permit=permit, outdated=True)
    checks = (
        (permit.lane == asked.lane == lane_of(tool.name), "the permit is for another tool"),
        (permit.region == OUTSIDE, "the permit is for another region"),
        (permit.body_sha256 == hashlib.sha256(asked.body).hexdigest(), "the permit is for other bytes"),
        (not permit.has_expired(now), "the permit has expired"),
        (permit.expires_at <= now + PERMIT_SECONDS_AT_MOST, "the permit is good for longer than any may be"),
    )
    if wanting := next((because for holds, because in checks if not holds), None):
        return Deny(wanting, permit=permit)
    if permit.org in rules.closed_orgs:
        return Deny(f"tenant {permit.org} lets nothing leave (`egress: none`)", (EGRESS_NONE,), permit)
    return _judged(permit, tool, asked.body, rules)


def judge_tool_found(allowed: AllowTool, found: Label, rules: Rules) -> AllowTool | Deny:
    """Return the verdict when the deep scan has read the bytes as well and found them worth this label."""
    return _asked_cedar(replace(allowed, label=join(allowed.label, found)), rules)


def _judged(permit: Permit, tool: ToolFile, body: bytes, rules: Rules) -> AllowTool | Deny:
    """Read the body, scan it, ask Cedar. Catches every exception: what can't be judged stays."""
    try:
        call: dict[str, Any] = parse_json(body.decode())
        arguments = checked_arguments(tool, canonical_json(call["arguments"]))
        if (
            set(call) != {"arguments", "key"}
            or not _KEY.fullmatch(str(call["key"]))
            or body != body_of(arguments, call["key"])
        ):
            return Deny("the call is not in its canonical spelling", permit=permit)
        found = [label_found(rules.scan(text), rules.tiers) for text in sorted(set(texts_in(arguments.encode())))]
        allowed = AllowTool(permit, tool, arguments, call["key"], join(permit.label, *found))
    except ToolError as error:
        return Deny(error.because, permit=permit)
    except Exception as error:  # noqa: BLE001
        return Deny(f"the call could not be judged ({type(error).__name__})", permit=permit)
    return _asked_cedar(allowed, rules)


def _asked_cedar(allowed: AllowTool, rules: Rules) -> AllowTool | Deny:
    """Ask Cedar about a label. Whatever it trips over stays."""
    permit, label = allowed.permit, allowed.label
    try:
        question = ToolQuestion(permit.org, allowed.tool.name, label, permit.risk_tier, permit.attack, permit.harm)
        verdict = rules.may_call_tool(question)
        policies = tuple(policy.id for policy in verdict.policies)
        let_go = verdict.allowed is True
    except Exception as error:  # noqa: BLE001 - as above
        return Deny(f"the call could not be judged ({type(error).__name__})", permit=permit)
    return allowed if let_go else Deny(f"the boundary keeps {label.level} text from this tool", policies, permit)
