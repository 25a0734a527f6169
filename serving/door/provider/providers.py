"""How long may a provider take, and what becomes of whatever goes wrong? One send for every protocol; `Providers` holds the connections."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import cache
from typing import Any, Final, TypeVar

import httpx2
from pydantic import SecretStr

from router.bundle.files import Hosted, HostedProtocol, LaneSpec
from router.errors import LaneMisbehaved, LaneTimeout, LaneUnreachable, RouterError
from router.lane import LaneEvent, Refusal
from serving.door.provider.answer import DECLINED, Answer, Events, Speaks
from serving.door.provider.failures import BrokeOff, Filtered, failure_of
from serving.door.provider.sending import OneSend
from serving.door.upstream import not_the_provider, transport_to

_AFTER_END_SECONDS: Final = 2.0
"""Once the provider has said how it ended, this long is waited for the usage that follows."""
_T = TypeVar("_T")


@cache
def speaker_of(protocol: HostedProtocol) -> Speaks:
    """Return what speaks a protocol. Its client is imported here, where a lane needs it: each is seconds of a start."""
    match protocol:
        case "openai_chat":
            from serving.door.provider.openai_chat import OpenAIChat

            return OpenAIChat()
        case "openai_responses":
            from serving.door.provider.openai_responses import OpenAIResponses

            return OpenAIResponses()
        case "anthropic_messages":
            from serving.door.provider.anthropic_messages import AnthropicMessages

            return AnthropicMessages()


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

        Raises a `LaneFailed`, `ContextTooLong` or `SchemaRefused`. Catches every error of a client's, because each has to become one of
        ours.
        """
        speaker = speaker_of(hosted.protocol)
        answer = speaker.answer()
        clock = asyncio.get_running_loop().time
        first_by = clock() + lane.timeouts.first_token_seconds
        stream: Events | None = None
        try:
            opening = self._open(speaker, lane, hosted, body)
            stream = await _within(opening, first_by - clock(), lane.name, "first token")
            while (event := await _next(stream, answer, lane, first_by - clock())) is not None:
                if events := answer.take(event):
                    yield events
        except Exception as error:  # noqa: BLE001
            # A cut after the provider said how it ended costs the usage and nothing else.
            if answer.ended is None:
                failure = _as_ours(error, speaker, lane.name, self._now(), streaming=stream is not None)
                if isinstance(failure, RouterError):
                    raise failure from None
                answer.ended = "content_filter"
                if not answer.began:
                    yield (Refusal(DECLINED),)
        finally:
            if stream is not None:
                await stream.close()
        yield (answer.stop(lane.name),)

    async def _open(self, speaks: Speaks, lane: LaneSpec, hosted: Hosted, body: bytes) -> Events:
        key = self._keys[hosted.api_key_env].get_secret_value()
        inner = self._transport(lane.name, hosted)
        send = OneSend(inner, hosted, speaks.path, speaks.key_headers(key), body)
        client = httpx2.AsyncClient(transport=send, trust_env=False, follow_redirects=False)
        stream = await speaks.opened(lane, hosted, key, body, client)
        kind = stream.response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "text/event-stream":
            await stream.close()
            raise LaneMisbehaved(lane.name, "the provider answered with something else than an event stream")
        return stream


async def _next(stream: Events, answer: Answer, lane: LaneSpec, first_seconds: float) -> Any:
    """Return the next event, None at the end. Raises `LaneTimeout`."""
    seconds, what = lane.timeouts.gap_seconds, "next token"
    if not answer.began:
        seconds, what = first_seconds, "first token"
    if answer.ended is not None:
        seconds = min(seconds, _AFTER_END_SECONDS)
    return await _within(anext(stream, None), seconds, lane.name, what)


async def _within(awaitable: Awaitable[_T], seconds: float, lane: str, what: str) -> _T:
    try:
        async with asyncio.timeout(seconds):
            return await awaitable
    except TimeoutError:
        raise LaneTimeout(lane, f"no {what} in time") from None


def _as_ours(error: Exception, speaks: Speaks, lane: str, now: float, *, streaming: bool) -> RouterError | Filtered:
    """Return the router's error for whatever a client or the transport raised, or that the provider's filter stopped it."""
    if (stranger := not_the_provider(error)) is not None:
        return LaneUnreachable(lane, stranger.because)
    if isinstance(error, RouterError):
        return error
    match error.said if isinstance(error, BrokeOff) else speaks.said(error):
        case "timeout":
            return LaneTimeout(lane, "no connection in time")
        case "connection":
            return _lost(lane, streaming=streaming)
        case None if isinstance(error, httpx2.HTTPError):
            return _lost(lane, streaming=streaming)
        case None:
            return LaneMisbehaved(lane, "the provider's answer can't be read")
        case said:
            return failure_of(said, lane, now)


def _lost(lane: str, *, streaming: bool) -> RouterError:
    if streaming:
        return LaneMisbehaved(lane, "the stream was cut")
    return LaneUnreachable(lane, "the provider can't be reached, or hung up before it answered")
