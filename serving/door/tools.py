"""How does a tool's call leave? As a body does: judged, read deeply, its intent on disk, then sent; its end on disk before its answer."""

import asyncio
import hashlib
from urllib.parse import urlsplit

from starlette.responses import Response

from router.errors import (
    DoorRefused,
    EvidenceUnavailable,
    PermitOutdated,
    RouterError,
    ScanUnavailable,
    ToolError,
    ToolFailed,
)
from router.tools import ToolUse
from serving.deep.last_look import found_in, label_of
from serving.door.door import Door
from serving.door.guard import Asked, Deny, Rules
from serving.door.ledger import Intent, Outcome
from serving.door.refusals import record_refusal
from serving.door.tool_guard import OUTSIDE, AllowTool, address_of, judge_tool, judge_tool_found
from serving.door.tool_wire import JSON, encode_answer, encode_failure
from serving.tools.box import Answer


async def call_tool(door: Door, asked: Asked) -> Response:
    """Judge, read deeply, write the intent down, send, write the end down. Whatever goes wrong before the intent, nothing was sent."""
    tool = asked.lane.removeprefix("tool:")[:128]
    try:
        if (because := door.halted()) is not None:
            raise ToolFailed(tool, because)
        rules = await door.rules.now()
        verdict = await asyncio.to_thread(judge_tool, asked, rules, door.now())
        if isinstance(verdict, AllowTool):
            verdict = await _read_deeply(door, rules, verdict)
        match verdict:
            case Deny():
                await record_refusal(door, asked, verdict)
                kind = PermitOutdated if verdict.outdated else DoorRefused
                return _failure(kind(verdict.because, verdict.policies))
            case AllowTool():
                return await _send(door, asked, verdict)
    except RouterError as error:
        return _failure(error)


async def _read_deeply(door: Door, rules: Rules, allowed: AllowTool) -> AllowTool | Deny:
    """Have the door's own deep scan read the bytes, and ask Cedar again. What can't be read stays."""
    try:
        found = label_of(await found_in(allowed.arguments.encode(), door.deep), rules.tiers)
    except ScanUnavailable as error:
        raise ToolFailed(allowed.tool.name, f"the door sends nothing unread: {error}") from error
    except Exception as error:  # noqa: BLE001 - as in the guard: what can't be judged stays
        return Deny(f"the call could not be read ({type(error).__name__})", permit=allowed.permit)
    return judge_tool_found(allowed, found, rules)


async def _send(door: Door, asked: Asked, allowed: AllowTool) -> Response:
    """Write the intent down, which uses the permit up, and call. The ledger holds how it ended before anybody is told."""
    intent = _intent(allowed, asked.body)
    try:
        entry = await door.write(door.ledger.intend, intent)
    except DoorRefused as refusal:
        await record_refusal(door, asked, Deny(str(refusal), permit=allowed.permit))
        raise
    try:
        ended = await _called(door, allowed)
    except asyncio.CancelledError:
        # Handed over, not awaited: this task is being torn down, the ledger's thread is not.
        door.write(door.ledger.record, Outcome(intent=entry, ended="cancelled", because="the door was closed"))
        raise
    said = ended.ended if isinstance(ended, Answer) else ended.code
    because = "" if isinstance(ended, Answer) else ended.because
    await door.write(door.ledger.record, Outcome(intent=entry, ended=said, because=because))
    if isinstance(ended, Answer):
        return Response(encode_answer(ended), media_type=JSON)
    return _failure(ended)


async def _called(door: Door, allowed: AllowTool) -> Answer | ToolError:
    """Catches every exception of the sender's, because the ledger must hold how each call ended."""
    permit, tool = allowed.permit, allowed.tool
    use = ToolUse(
        trace_id=permit.trace_id,
        attempt=permit.attempt,
        tool=tool.name,
        arguments_json=allowed.arguments,
        org=permit.org,
        label=allowed.label,
        idempotency_key=allowed.key,
        risk_tier=permit.risk_tier,
    )
    try:
        return await door.tools.run(tool, use, tool.timeout_seconds)
    except ToolError as error:
        return error
    except Exception as error:  # noqa: BLE001
        return ToolFailed(tool.name, f"the door failed ({type(error).__name__})")


def _intent(allowed: AllowTool, body: bytes) -> Intent:
    permit, address = allowed.permit, address_of(allowed.tool)
    return Intent(
        trace_id=permit.trace_id,
        attempt=permit.attempt,
        org=permit.org,
        lane=permit.lane,
        provider=urlsplit(address).hostname or "",
        address=address,
        region=OUTSIDE,
        label=allowed.label,
        risk_tier=permit.risk_tier,
        bundle_hash=permit.bundle_hash,
        body_sha256=hashlib.sha256(body).hexdigest(),
        body_bytes=len(body),
        permit_nonce=permit.nonce,
    )


def _failure(error: RouterError | EvidenceUnavailable) -> Response:
    return Response(encode_failure(error), status_code=error.status, media_type=JSON)
