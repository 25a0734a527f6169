"""Which addresses are served, and what does each answer? Thin: let in, hand on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import orjson
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from router.bundle.files import Scope
from router.errors import NotPermitted, RouterError, UnknownTrace
from serving.api import metrics
from serving.api.answering import (
    JSON,
    Admitted,
    Ask,
    embedded,
    error_response,
    headers_of,
    streamed,
    unless_gone,
    whole,
)
from serving.api.auth import Caller, Keyring
from serving.api.body import read_body
from serving.api.embeddings import parse_embeddings
from serving.api.parse import parse_chat
from serving.api.people import People, mount_people
from serving.api.render import error_body
from serving.gateway import Gateway, Trace

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
        answering = streamed(admitted, trace) if admitted.asked.stream else whole(admitted, trace)
        return await unless_gone(http, answering)

    async def embeddings(self, http: Request) -> Response:
        """`POST /v1/embeddings`: a decision, its evidence and the boundary as for any answer."""
        trace = self._begin()
        admitted = await self._admit(http, trace, "chat", parse_embeddings)
        if isinstance(admitted, Response):
            return admitted
        return await unless_gone(http, embedded(admitted, trace))

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
            return error_response(error, trace)
        body = {"trace_id": trace.trace_id, "decision": decision.model_dump(mode="json", by_alias=True)}
        return Response(orjson.dumps(body), media_type=JSON, headers=headers_of(trace, decision))

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

    async def _admit(self, http: Request, trace: Trace, scope: Scope, parse: Parse[Ask]) -> Admitted[Ask] | Response:
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
            return error_response(error, trace)
        version.gateway.accept(trace, body, asked.request, caller)
        return Admitted(version.gateway, asked)


def _caller(version: Version, http: Request) -> Caller:
    return version.keys.caller(http.headers.get("authorization"))


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
