"""Which addresses are served, and what does each answer? Thin: parse, hand to the gateway, render."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import orjson
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from router.bundle.files import Scope
from router.contract import Decision, RouteRequest
from router.errors import NotPermitted, RouterError, UnknownTrace
from router.execute import Batch
from router.lane import Stop
from serving.api import metrics
from serving.api.auth import Caller, Keyring
from serving.api.body import read_body
from serving.api.embeddings import EmbeddingsAnswer, EmbeddingsAsk, parse_embeddings
from serving.api.extension import extension_of
from serving.api.parse import ChatAsk, parse_chat
from serving.api.people import People, mount_people
from serving.api.render import StreamedAnswer, WholeAnswer, error_body, error_event
from serving.gateway import Gateway, Opening, Trace

log = logging.getLogger(__name__)

JSON = "application/json"
_GONE = Response(status_code=499)


Ask = TypeVar("Ask", ChatAsk, EmbeddingsAsk)
Parse = Callable[[bytes, Mapping[str, str], str], Ask]
"""Reads a body and headers for a tenant."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the bundle as an ingress replica serves it: the way of a request, and the keys that open it.

    `missing` says which of its private models do not answer now, each with the reason. `people`: the way to those who approve and answer.
    """

    gateway: Gateway
    keys: Keyring
    missing: Callable[[], Awaitable[dict[str, str]]]
    people: People | None = None


@dataclass(frozen=True, slots=True)
class _Admitted(Generic[Ask]):
    """A request that was let in, and the way that it goes to its end, whatever comes into service meanwhile."""

    gateway: Gateway
    asked: Ask


class Api:
    """The handlers of one ingress replica. `version` returns the one in service now; a request keeps the one it was accepted under."""

    def __init__(self, version: Callable[[], Version]) -> None:
        self._version = version

    @property
    def version(self) -> Version:
        """The version in service now."""
        return self._version()

    async def chat(self, http: Request) -> Response:
        """`POST /v1/chat/completions`."""
        trace = self._begin()
        admitted = await self._admit(http, trace, "chat", parse_chat)
        if isinstance(admitted, Response):
            return admitted
        answering = _stream(admitted, trace) if admitted.asked.stream else _whole(admitted, trace)
        return await _unless_gone(http, answering)

    async def embeddings(self, http: Request) -> Response:
        """`POST /v1/embeddings`: a decision, its evidence and the boundary as for any answer."""
        trace = self._begin()
        admitted = await self._admit(http, trace, "chat", parse_embeddings)
        if isinstance(admitted, Response):
            return admitted
        return await _unless_gone(http, _embed(admitted, trace))

    async def route(self, http: Request) -> Response:
        """`POST /v1/route`: the decision for a chat body, without carrying it out."""
        trace = self._begin()
        admitted = await self._admit(http, trace, "route", parse_chat)
        if isinstance(admitted, Response):
            return admitted
        gateway = admitted.gateway
        try:
            decision = await gateway.plan(admitted.asked.request, trace)
            await gateway.decided_only(trace)
        except RouterError as error:
            await gateway.fail(trace, error)
            return _error(error, trace)
        body = {"trace_id": trace.trace_id, "decision": decision.model_dump(mode="json", by_alias=True)}
        return Response(orjson.dumps(body), media_type=JSON, headers=_headers(trace, decision))

    async def evidence(self, http: Request, trace_id: str) -> Response:
        """`GET /v1/evidence/{trace_id}`: the record of one of the tenant's own requests, where the key's clearance reaches it."""
        version = self._version()
        caller = _caller(version, http)
        caller.need("evidence")
        record = await asyncio.to_thread(version.gateway.store.read, trace_id)
        if record is None or record.accepted is None or record.accepted.org != caller.org:
            raise UnknownTrace(f"no evidence under trace {trace_id!r} for this key's tenant")
        if not caller.may_read(record):
            raise NotPermitted(f"this record's label is above the key's clearance, which is {caller.key.clearance}")
        return Response(record.model_dump_json(by_alias=True), media_type=JSON)

    async def models(self, http: Request) -> Response:
        """`GET /v1/models`: `auto`, the lanes that are on and that the key may use, and their models."""
        version = self._version()
        caller, bundle = _caller(version, http), version.gateway.bundle
        off = version.gateway.planner.lanes_off()
        allowed = (bundle.tenants[caller.org].lanes, caller.key.lanes)
        owners = {"auto": "private-lane"}
        for lane in bundle.lanes.values():
            if lane.name not in off and all(not lanes or lane.name in lanes for lanes in allowed):
                owner = lane.hosted.provider if lane.hosted else "private-lane"
                owners.setdefault(lane.name, owner)
                owners.setdefault(lane.model_name, owner)
        listed = [{"id": name, "object": "model", "created": 0, "owned_by": owner} for name, owner in owners.items()]
        return Response(orjson.dumps({"object": "list", "data": listed}), media_type=JSON)

    async def readyz(self, http: Request) -> Response:
        """`GET /readyz`: 200 when every private model answers, else 503 and what does not."""
        version = self._version()
        missing = await version.missing()
        body = {"ready": not missing, "bundle": version.gateway.bundle.hash, "missing": missing}
        return Response(orjson.dumps(body), 503 if missing else 200, media_type=JSON)

    async def healthz(self, http: Request) -> Response:
        """`GET /healthz`: this process is alive."""
        return Response(b'{"alive":true}', media_type=JSON)

    async def metrics(self, http: Request) -> Response:
        """`GET /metrics`: Prometheus text."""
        body, content_type = await asyncio.to_thread(metrics.exposition)
        return Response(body, media_type=content_type)

    def _begin(self) -> Trace:
        return Trace.begin(self._version().gateway.clock)

    async def _admit(self, http: Request, trace: Trace, scope: Scope, parse: Parse[Ask]) -> _Admitted[Ask] | Response:
        """Authenticate, parse, and lay the key's limits over it. What fails here is recorded too, and answered with its error.

        The caller is looked up again once the body is here: reading it may take long, and another version may be in service by then.
        """
        body, caller = b"", None
        try:
            caller = _caller(self._version(), http)
            caller.need(scope)
            body = await read_body(http)
            # INVARIANT: from here to `accept` nothing waits, so no version ends between its choice and the request's count.
            version = self._version()
            caller = _caller(version, http)
            caller.need(scope)
            asked = parse(body, http.headers, caller.org)
            asked = replace(asked, request=caller.bind(asked.request))
        except RouterError as error:
            gateway = self._version().gateway
            gateway.accept(trace, body, None, caller)
            await gateway.fail(trace, error)
            return _error(error, trace)
        version.gateway.accept(trace, body, asked.request, caller)
        return _Admitted(version.gateway, asked)


def _caller(version: Version, http: Request) -> Caller:
    return version.keys.caller(http.headers.get("authorization"))


async def _whole(admitted: _Admitted[ChatAsk], trace: Trace) -> Response:
    request = admitted.asked.request
    answer = WholeAnswer(trace.trace_id, int(time.time()))
    opening = await _collected(admitted.gateway, request, trace, answer.take)
    if isinstance(opening, Response):
        return opening
    answer.model = opening.model or request.model
    answer.extension = extension_of(opening)
    return Response(answer.body(), _status(opening), media_type=JSON, headers=_headers(trace, opening.decision))


async def _embed(admitted: _Admitted[EmbeddingsAsk], trace: Trace) -> Response:
    asked = admitted.asked
    answer = EmbeddingsAnswer(asked.encoding)
    opening = await _collected(admitted.gateway, asked.request, trace, answer.take)
    if isinstance(opening, Response):
        return opening
    body = answer.body(opening.model or asked.request.model)
    return Response(body, media_type=JSON, headers=_headers(trace, opening.decision))


async def _collected(
    gateway: Gateway, request: RouteRequest, trace: Trace, take: Callable[[Batch], None]
) -> Opening | Response:
    """Hand every batch of an answer to `take`; return how it opened, or the response that tells of its error."""
    opening: Opening | None = None
    try:
        async with aclosing(gateway.answer(request, trace)) as steps:
            async for step in steps:
                if isinstance(step, Opening):
                    opening = step
                else:
                    take(step)
    except RouterError as error:
        return _error(error, trace)
    assert opening is not None, "INVARIANT: an answer that did not raise has an opening"
    return opening


async def _stream(admitted: _Admitted[ChatAsk], trace: Trace) -> Response:
    """Wait for the first content, so that an error before it has its own status; then stream the rest."""
    asked = admitted.asked
    steps = admitted.gateway.answer(asked.request, trace)
    try:
        opening = await anext(steps)
        first = await anext(steps)
    except RouterError as error:
        return _error(error, trace)
    except BaseException:
        await steps.aclose()
        raise
    assert isinstance(opening, Opening), "INVARIANT: the opening comes first"
    assert not isinstance(first, Opening), "INVARIANT: there is one opening"
    answer = StreamedAnswer(
        trace.trace_id, int(time.time()), opening.model or asked.request.model, include_usage=asked.include_usage
    )
    pieces = _pieces(answer, extension_of(opening), first, steps, trace)
    headers = {**_headers(trace, opening.decision), "cache-control": "no-store"}
    return StreamingResponse(pieces, _status(opening), media_type="text/event-stream", headers=headers)


def _status(opening: Opening) -> int:
    return 202 if opening.ticket is not None else 200


async def _pieces(
    answer: StreamedAnswer,
    extension: Mapping[str, Any],
    first: Batch,
    steps: AsyncGenerator[Opening | Batch, None],
    trace: Trace,
) -> AsyncIterator[bytes]:
    """Render batches as they come. An error in the middle ends the stream in-band, without the end mark."""
    async with aclosing(steps):
        try:
            yield answer.opening(extension) + answer.render(first) + (answer.closing() if _is_last(first) else b"")
            async for batch in steps:
                assert not isinstance(batch, Opening), "INVARIANT: one opening"
                rendered = answer.render(batch)
                if _is_last(batch):
                    rendered += answer.closing()
                if rendered:
                    yield rendered
        except Exception as error:
            if not isinstance(error, RouterError):
                log.exception("trace %s broke in mid-stream", trace.trace_id)
            yield error_event(error, trace.trace_id)


def _is_last(batch: Batch) -> bool:
    return any(isinstance(event, Stop) for event in batch)


async def _unless_gone(http: Request, answering: Awaitable[Response]) -> Response:
    """Await an answer, but cancel the work as soon as the client hangs up: nobody is left to read it."""
    work = asyncio.ensure_future(answering)
    gone = asyncio.ensure_future(_hung_up(http))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
        return _GONE
    finally:
        gone.cancel()
        if not work.done():
            work.cancel()


async def _hung_up(http: Request) -> None:
    while (await http.receive())["type"] != "http.disconnect":
        pass


def _headers(trace: Trace, decision: Decision) -> dict[str, str]:
    headers = {
        "x-lane-trace-id": trace.trace_id,
        "x-lane-route": decision.route,
        "x-lane-risk-tier": decision.risk_tier,
        "x-lane-action": decision.action,
        "x-lane-policies": ",".join(policy.id for policy in decision.policies),
    }
    if trace.lane is not None and trace.model is not None:
        headers |= {"x-lane-lane": trace.lane, "x-lane-model": trace.model}
    return headers


def _error(error: Exception, trace: Trace) -> Response:
    status, headers, body = error_body(error, trace.trace_id)
    decided = _headers(trace, trace.decision) if trace.decision else {"x-lane-trace-id": trace.trace_id}
    return Response(body, status, media_type=JSON, headers={**decided, **headers})


def make_api(api: Api, background: Callable[[], Any]) -> FastAPI:
    """Return the ASGI application. `background` is run as long as the application lives."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(background())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    app = FastAPI(title="private-lane", lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_api_route("/v1/chat/completions", api.chat, methods=["POST"])
    app.add_api_route("/v1/embeddings", api.embeddings, methods=["POST"])
    app.add_api_route("/v1/route", api.route, methods=["POST"])
    app.add_api_route("/v1/models", api.models, methods=["GET"])
    app.add_api_route("/v1/evidence/{trace_id}", api.evidence, methods=["GET"])
    app.add_api_route("/healthz", api.healthz, methods=["GET"])
    app.add_api_route("/readyz", api.readyz, methods=["GET"])
    app.add_api_route("/metrics", api.metrics, methods=["GET"])
    mount_people(app, lambda: api.version)
    app.add_exception_handler(RouterError, _answer_error)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(Exception, _answer_error)
    return app


async def _answer_error(http: Request, error: Exception) -> Response:
    status, headers, body = error_body(error, "-")
    return Response(body, status, media_type=JSON, headers=headers)


async def _answer_http_error(http: Request, error: Exception) -> Response:
    """Answer unknown addresses and methods in OpenAI's error shape."""
    assert isinstance(error, HTTPException)
    detail = {"message": f"{http.method} {http.url.path}: {error.detail}", "type": "invalid_request_error"}
    code = "not_found" if error.status_code == 404 else "method_not_allowed"
    body = orjson.dumps({"error": {**detail, "code": code, "param": None}})
    return Response(body, error.status_code, media_type=JSON, headers=dict(error.headers or {}))
