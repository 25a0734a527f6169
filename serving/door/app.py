"""In which order does the door work? Judge, read the bytes deeply, write the intent down, and only then send (`serving.door.relay`)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from router.errors import (
    DoorRefused,
    EvidenceUnavailable,
    LaneUnreachable,
    PermitOutdated,
    RouterError,
    ScanUnavailable,
)
from serving.deep.last_look import found_in, label_of
from serving.door.door import Door
from serving.door.guard import Allow, Asked, Deny, Rules, judge, judge_found
from serving.door.ledger import Intent
from serving.door.refusals import record_refusal
from serving.door.relay import Relay
from serving.door.tools import call_tool
from serving.door.wire import LANE_HEADER, NDJSON, PERMIT_HEADER, encode_error

BODY_BYTES_AT_MOST: Final = 32 * 1024 * 1024


def build_app(door: Door, alongside: AbstractAsyncContextManager[Any] | None = None) -> Starlette:
    """Return the service: `POST /send`, `POST /tool`, `GET /status`, nothing else. `alongside` is entered and left with it."""

    async def send(request: Request) -> Response:
        try:
            body = await _read(request)
        except ClientDisconnect:
            return Response(status_code=400)
        headers = request.headers
        return await _answer(door, Asked(headers.get(PERMIT_HEADER, ""), headers.get(LANE_HEADER, ""), body))

    async def tool(request: Request) -> Response:
        try:
            body = await _read(request)
        except ClientDisconnect:
            return Response(status_code=400)
        headers = request.headers
        return await call_tool(door, Asked(headers.get(PERMIT_HEADER, ""), headers.get(LANE_HEADER, ""), body))

    async def status(_: Request) -> Response:
        return Response(door.status().model_dump_json(), media_type="application/json")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with alongside or nullcontext():
            try:
                yield
            finally:
                await door.close()

    routes = [
        Route("/send", send, methods=["POST"]),
        Route("/tool", tool, methods=["POST"]),
        Route("/status", status, methods=["GET"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES_AT_MOST:
            return b""  # Fits no permit, so it is refused like any other body that isn't the permit's.
    return bytes(body)


async def _answer(door: Door, asked: Asked) -> Response:
    """Judge, read deeply, write the intent down; whatever goes wrong until then, nothing was sent."""
    try:
        rules = await door.rules.now()
    except RouterError as error:
        return _refusal(LaneUnreachable(asked.lane, f"the door sends nothing without the rules in force: {error}"))
    verdict = await asyncio.to_thread(judge, asked, rules, door.now())
    if isinstance(verdict, Allow) and verdict.lane.name not in door.off():
        try:
            verdict = await _read_deeply(door, rules, verdict, asked.body)
        except ScanUnavailable as error:
            return _refusal(LaneUnreachable(asked.lane, f"the door sends nothing unread: {error}"))
    try:
        match verdict:
            case Deny():
                await record_refusal(door, asked, verdict)
                return _refusal(
                    (PermitOutdated if verdict.outdated else DoorRefused)(verdict.because, verdict.policies)
                )
            case Allow():
                if because := door.off().get(verdict.lane.name):
                    return _refusal(LaneUnreachable(verdict.lane.name, because))
                intent = _intent(verdict, asked.body)
                entry = await door.write(door.ledger.intend, intent)
                door.sample(intent, asked.body)
                return Relay(door, verdict, asked.body, intent, entry)
    except DoorRefused as refusal:
        await record_refusal(door, asked, Deny(str(refusal), permit=verdict.permit))
        return _refusal(refusal)
    except EvidenceUnavailable as error:
        return _refusal(LaneUnreachable(asked.lane, f"the door sends nothing: {error}"))


async def _read_deeply(door: Door, rules: Rules, allowed: Allow, body: bytes) -> Allow | Deny:
    """Have the door's own deep scan read the bytes, and ask Cedar again. Raises `ScanUnavailable`; what else goes wrong is a refusal."""
    try:
        found = label_of(await found_in(body, door.deep), rules.tiers)
    except ScanUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - as in the guard: what can't be judged stays
        return Deny(f"the body could not be read ({type(error).__name__})", permit=allowed.permit)
    return judge_found(allowed, found, rules)


def _intent(allowed: Allow, body: bytes) -> Intent:
    permit, hosted = allowed.permit, allowed.hosted
    return Intent(
        trace_id=permit.trace_id,
        attempt=permit.attempt,
        org=permit.org,
        lane=permit.lane,
        provider=hosted.provider,
        address=hosted.base_url,
        region=hosted.region,
        label=allowed.label,
        risk_tier=permit.risk_tier,
        bundle_hash=permit.bundle_hash,
        body_sha256=permit.body_sha256,
        body_bytes=len(body),
        permit_nonce=permit.nonce,
    )


def _refusal(error: RouterError) -> Response:
    return Response(encode_error(error), status_code=error.status, media_type=NDJSON)
