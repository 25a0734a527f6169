"""How does a body reach a hosted API, and what does its answer mean? The one module that imports a hosted API's client.

The SDK reads the answer; what it sends is rebuilt at the last step before the wire: these bytes, to the bundle's address, with five
headers of our own. Nothing that a provider says in words is passed on: its messages may quote the key or the prompt.
"""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

import httpx2
import openai
from openai import AsyncOpenAI, AsyncStream
from openai.types.chat import ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import Choice, ChoiceDelta
from pydantic import SecretStr
from typing_extensions import override

from router.bundle.files import Hosted, LaneSpec
from router.errors import (
    ContextTooLong,
    LaneErrored,
    LaneMisbehaved,
    LaneOverloaded,
    LaneRateLimited,
    LaneTimeout,
    LaneUnreachable,
    RouterError,
    SchemaRefused,
)
from router.lane import LaneEvent, ReasoningDelta, Refusal, Stop, TextDelta, ToolCallDelta, Usage
from serving.door.retry_after import retry_after_seconds
from serving.door.upstream import address_check, not_the_provider, transport_to

_StopReason = Literal["stop", "length", "tool_calls", "content_filter"]
_AFTER_END_SECONDS: Final = 2.0
"""Once the provider has said how it ended, this long is waited for the usage that follows."""
_CODE: Final = re.compile(r"^[a-z][a-z0-9_]{0,63}$")
_CONTENT: Final = (TextDelta, ReasoningDelta, ToolCallDelta, Refusal)
_T = TypeVar("_T")


class Providers:
    """The connections to all hosted APIs of a bundle. No proxy, no redirect, no retry, nothing from the environment."""

    def __init__(self, keys: Mapping[str, SecretStr], now: Callable[[], float] = time.time) -> None:
        """Take the keys by the variable that a lane names for its own; `now` gives Unix seconds, for dates in `Retry-After`."""
        self._keys = dict(keys)
        self._now = now
        self._transports: dict[tuple[str, Hosted], httpx2.AsyncHTTPTransport] = {}

    async def close(self) -> None:
        """Close all connections."""
        for transport in self._transports.values():
            await transport.aclose()

    def _transport(self, lane: str, hosted: Hosted) -> httpx2.AsyncHTTPTransport:
        """A lane's own connections: one made under another lane's pins, or under this lane's before a change, is never used for it."""
        if (lane, hosted) not in self._transports:
            self._transports[lane, hosted] = transport_to(hosted)
        return self._transports[lane, hosted]

    async def stream(self, lane: LaneSpec, hosted: Hosted, body: bytes) -> AsyncGenerator[tuple[LaneEvent, ...], None]:
        """Send the body and yield the answer; the last event is `Stop`. Closing the iterator closes the connection.

        Raises a `LaneFailed`, `ContextTooLong` or `SchemaRefused`.
        """
        answer = _Answer()
        clock = asyncio.get_running_loop().time
        first_by = clock() + lane.timeouts.first_token_seconds
        stream: AsyncStream[ChatCompletionChunk] | None = None
        try:
            opening = self._open(lane, hosted, body)
            stream = await _within(opening, first_by - clock(), lane.name, "first token")
            while True:
                seconds, what = lane.timeouts.gap_seconds, "next token"
                if not answer.began:
                    seconds, what = first_by - clock(), "first token"
                if answer.ended is not None:
                    seconds = min(seconds, _AFTER_END_SECONDS)
                chunk = await _within(anext(stream, None), seconds, lane.name, what)
                if chunk is None:
                    break
                if events := answer.take(chunk):
                    yield events
        except (RouterError, openai.OpenAIError, httpx2.HTTPError, ValueError, TypeError, AttributeError) as error:
            # A cut after the provider said how it ended costs the usage and nothing else.
            if answer.ended is None:
                raise _as_ours(error, lane.name, self._now(), streaming=stream is not None) from None
        finally:
            if stream is not None:
                await stream.close()
        yield (answer.stop(lane.name),)

    async def _open(self, lane: LaneSpec, hosted: Hosted, body: bytes) -> AsyncStream[ChatCompletionChunk]:
        url = httpx2.URL(hosted.base_url.rstrip("/") + "/chat/completions")
        key = self._keys[hosted.api_key_env].get_secret_value()
        client = AsyncOpenAI(
            api_key=key,
            base_url=hosted.base_url,
            max_retries=0,
            timeout=openai.Timeout(None, connect=lane.timeouts.connect_seconds, write=lane.timeouts.gap_seconds),
            http_client=httpx2.AsyncClient(
                transport=_OneSend(self._transport(lane.name, hosted), hosted, url, key, body),
                trust_env=False,
                follow_redirects=False,
            ),
        )
        stream: AsyncStream[ChatCompletionChunk] = await client.post(
            "/chat/completions",
            content=body,
            cast_to=ChatCompletionChunk,
            stream=True,
            stream_cls=AsyncStream[ChatCompletionChunk],
        )
        kind = stream.response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "text/event-stream":
            await stream.close()
            raise LaneMisbehaved(lane.name, "the provider answered with something else than an event stream")
        return stream


class _OneSend(httpx2.AsyncBaseTransport):
    """Lets one body out to one address. Whatever else the SDK, its settings or the environment added stays behind."""

    def __init__(
        self, inner: httpx2.AsyncBaseTransport, hosted: Hosted, url: httpx2.URL, key: str, body: bytes
    ) -> None:
        self._inner, self._hosted, self._url, self._key, self._body = inner, hosted, url, key, body

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method != "POST" or request.url != self._url or await request.aread() != self._body:
            raise ValueError("the SDK would have sent something else than it was given")
        headers = {
            "Authorization": f"Bearer {self._key}",
            "Content-Type": "application/json",
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",
            "User-Agent": "private-lane",
        }
        extensions = {"timeout": request.extensions["timeout"], "trace": address_check(self._hosted)}
        sent = httpx2.Request("POST", self._url, headers=headers, content=self._body, extensions=extensions)
        return await self._inner.handle_async_request(sent)


async def _within(awaitable: Awaitable[_T], seconds: float, lane: str, what: str) -> _T:
    try:
        async with asyncio.timeout(seconds):
            return await awaitable
    except TimeoutError:
        raise LaneTimeout(lane, f"no {what} in time") from None


# ------------------------------------------------------------------ reading the answer


@dataclass(slots=True)
class _Answer:
    """What is known of the answer so far. Types are checked here: the SDK builds its objects without looking."""

    began: bool = False
    ended: _StopReason | None = None
    model: str | None = None
    fingerprint: str | None = None

    def take(self, chunk: ChatCompletionChunk) -> tuple[LaneEvent, ...]:
        """Return a chunk's events. Raises `ValueError`, `TypeError` or `AttributeError` for what is no chunk."""
        if not isinstance(chunk, ChatCompletionChunk) or not isinstance(chunk.choices, list):
            raise TypeError("not a chunk")
        self.model = _text(chunk.model) or self.model
        self.fingerprint = _text(chunk.system_fingerprint) or self.fingerprint
        events: list[LaneEvent] = []
        for choice in chunk.choices:
            events.extend(_delta_events(choice))
            if choice.finish_reason is not None:
                self.ended = _stop_reason(choice.finish_reason)
        if (usage := chunk.usage) is not None:
            details = usage.prompt_tokens_details
            cached = (details.cached_tokens or 0) if details is not None else 0
            events.append(Usage(int(usage.prompt_tokens), int(usage.completion_tokens), int(cached)))
        self.began = self.began or any(isinstance(event, _CONTENT) for event in events)
        return tuple(events)

    def stop(self, lane: str) -> Stop:
        """Return the end, which only the provider's own word makes one. Raises `LaneMisbehaved`."""
        if self.ended is None:
            raise LaneMisbehaved(lane, "the stream ended before the answer did")
        return Stop(self.ended, "@".join(part for part in (self.model, self.fingerprint) if part) or None)


def _delta_events(choice: Choice) -> Iterator[LaneEvent]:
    delta: ChoiceDelta = choice.delta
    # Not in OpenAI's own schema: other providers of its protocol name their reasoning so.
    if reasoning := _text(getattr(delta, "reasoning_content", None) or getattr(delta, "reasoning", None)):
        yield ReasoningDelta(reasoning)
    logprobs = choice.logprobs.content if choice.logprobs is not None else None
    if (text := _text(delta.content)) or logprobs:
        yield TextDelta(text, tuple(entry.model_dump() for entry in logprobs) if logprobs else None)
    if refusal := _text(delta.refusal):
        yield Refusal(refusal)
    for call in delta.tool_calls or ():
        function = call.function
        arguments, name = (_text(function.arguments), _text(function.name)) if function is not None else ("", "")
        yield ToolCallDelta(index=int(call.index), arguments=arguments, id=_text(call.id) or None, name=name or None)


def _text(value: Any) -> str:
    if value is not None and not isinstance(value, str):
        raise TypeError("not a text")
    return value or ""


def _stop_reason(said: str) -> _StopReason:
    match said:
        case "stop" | "length" | "tool_calls" | "content_filter":
            return said
        case "function_call":
            return "tool_calls"
        case _:
            raise ValueError("no way to end that is known")


# ------------------------------------------------------------------ what its errors mean


def _as_ours(error: Exception, lane: str, now: float, *, streaming: bool) -> RouterError:
    """Return the router's error for whatever the SDK or the transport raised."""
    if (stranger := not_the_provider(error)) is not None:
        return LaneUnreachable(lane, stranger.because)
    match error:
        case RouterError():
            return error
        case openai.APIStatusError():
            return _of_status(error, lane, now)
        case openai.APITimeoutError():
            return LaneTimeout(lane, "no connection in time")
        case openai.APIConnectionError() | httpx2.HTTPError() if streaming:
            return LaneMisbehaved(lane, "the stream was cut")
        case openai.APIConnectionError() | httpx2.HTTPError():
            return LaneUnreachable(lane, "the provider can't be reached, or hung up before it answered")
        case openai.APIError():
            return LaneMisbehaved(lane, f"the provider broke off{_code(error)}")
        case _:
            return LaneMisbehaved(lane, "the provider's answer can't be read")


def _of_status(error: openai.APIStatusError, lane: str, now: float) -> RouterError:
    said = f"the provider answered {error.status_code}{_code(error)}"
    wait = retry_after_seconds(error.response.headers, now)
    match error.status_code:
        case 400 | 413 | 422 if error.code == "context_length_exceeded":
            return ContextTooLong("the prompt does not fit the hosted model", "messages")
        case 400 | 422 if error.code in {"invalid_json_schema", "unsupported_schema"}:
            return SchemaRefused("the hosted model's provider does not take this response schema", "response_format")
        case 401:
            return LaneUnreachable(lane, "key refused")
        case 403:
            return LaneUnreachable(lane, "the key may not use this model")
        case 408 | 504:
            return LaneTimeout(lane, said)
        case 429:
            return LaneRateLimited(lane, said, wait)
        case 503 | 529:
            return LaneOverloaded(lane, said, wait)
        case status if status >= 500:
            return LaneErrored(lane, said, wait)
        case _:
            return LaneMisbehaved(lane, said, wait)


def _code(error: openai.APIError) -> str:
    """The provider's code, where it is one and not a sentence: sentences may quote the key."""
    return f" ({error.code})" if error.code is not None and _CODE.match(error.code) else ""
