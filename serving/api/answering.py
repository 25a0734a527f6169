"""How does a request that was let in become a response: a whole one, a stream, or an error with its own status?"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from fastapi import Request
from starlette.responses import Response, StreamingResponse

from router.contract import Decision, RouteRequest
from router.errors import RouterError
from router.execute import Batch
from router.lane import Stop
from serving.api.embeddings import EmbeddingsAnswer, EmbeddingsAsk
from serving.api.extension import extension_of
from serving.api.parse import ChatAsk
from serving.api.render import StreamedAnswer, WholeAnswer, error_body, error_event
from serving.gateway import Gateway, Opening, Trace

log = logging.getLogger(__name__)

JSON: Final = "application/json"
_GONE: Final = 499
"""What a log says where the client hung up: nobody reads it."""

Ask = TypeVar("Ask", ChatAsk, EmbeddingsAsk)


@dataclass(frozen=True, slots=True)
class Admitted(Generic[Ask]):
    """A request that was let in, and the way that it goes to its end, whatever comes into service meanwhile."""

    gateway: Gateway
    asked: Ask


async def whole(admitted: Admitted[ChatAsk], trace: Trace) -> Response:
    """Answer a chat in one piece: 200, or 202 where a person decides first."""
    request = admitted.asked.request
    answer = WholeAnswer(trace.trace_id, int(time.time()))
    opening = await _collected(admitted.gateway, request, trace, answer.take)
    if isinstance(opening, Response):
        return opening
    answer.model = opening.model or request.model
    answer.extension = extension_of(opening)
    return Response(answer.body(), _status(opening), media_type=JSON, headers=headers_of(trace, opening.decision))


async def embedded(admitted: Admitted[EmbeddingsAsk], trace: Trace) -> Response:
    """Answer with vectors."""
    asked = admitted.asked
    answer = EmbeddingsAnswer(asked.encoding)
    opening = await _collected(admitted.gateway, asked.request, trace, answer.take)
    if isinstance(opening, Response):
        return opening
    body = answer.body(opening.model or asked.request.model)
    return Response(body, media_type=JSON, headers=headers_of(trace, opening.decision))


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
        return error_response(error, trace)
    assert opening is not None, "INVARIANT: an answer that did not raise has an opening"
    return opening


async def streamed(admitted: Admitted[ChatAsk], trace: Trace) -> Response:
    """Wait for the first content, so that an error before it has its own status; then stream the rest."""
    asked = admitted.asked
    steps = admitted.gateway.answer(asked.request, trace)
    try:
        opening = await anext(steps)
        first = await anext(steps)
    except RouterError as error:
        return error_response(error, trace)
    except BaseException:
        await steps.aclose()
        raise
    assert isinstance(opening, Opening), "INVARIANT: the opening comes first"
    assert not isinstance(first, Opening), "INVARIANT: there is one opening"
    answer = StreamedAnswer(
        trace.trace_id, int(time.time()), opening.model or asked.request.model, include_usage=asked.include_usage
    )
    pieces = _pieces(answer, extension_of(opening), first, steps, trace)
    headers = {**headers_of(trace, opening.decision), "cache-control": "no-store"}
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


async def unless_gone(http: Request, answering: Awaitable[Response]) -> Response:
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
        return Response(status_code=_GONE)
    finally:
        gone.cancel()
        if not work.done():
            work.cancel()


async def _hung_up(http: Request) -> None:
    while (await http.receive())["type"] != "http.disconnect":
        pass


def headers_of(trace: Trace, decision: Decision) -> dict[str, str]:
    """Return what every answer says of its decision, and of the lane that gave it."""
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


def error_response(error: Exception, trace: Trace) -> Response:
    """Return an error with its own status, and the decision's headers where there was one."""
    status, headers, body = error_body(error, trace.trace_id)
    decided = headers_of(trace, trace.decision) if trace.decision else {"x-lane-trace-id": trace.trace_id}
    return Response(body, status, media_type=JSON, headers={**decided, **headers})
