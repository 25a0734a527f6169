"""What do the events of Anthropic's Messages API mean? A ping means nothing, and neither does what a later version may add."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import anthropic
import httpx2
from anthropic import AsyncAnthropic, AsyncStream
from anthropic.types import RawMessageStreamEvent
from typing_extensions import override

from router.bundle.files import Hosted, LaneSpec
from router.lane import LaneEvent, ReasoningDelta, Refusal, TextDelta, ToolCallDelta, Usage
from serving.door.provider.answer import DECLINED, Answer, Events, StopReason, text_of
from serving.door.provider.failures import Lost, Said

VERSION: Final = "2026-10-21"
"""The version of the API that bodies are written for and answers read by; the client's own, which its types are of."""
_WORDS: Final = 300
"""So much of a provider's sentence is read."""


class AnthropicMessages:
    """The Messages API."""

    path = "/messages"

    def key_headers(self, key: str) -> Mapping[str, str]:
        """Return the headers that carry the key, and the protocol's version, without which no request passes.

        The key goes both ways that endpoints of this protocol know: as its maker's client sends it now, and as it did before.
        """
        return {"Authorization": f"Bearer {key}", "x-api-key": key, "anthropic-version": VERSION}

    async def opened(self, lane: LaneSpec, hosted: Hosted, key: str, body: bytes, client: httpx2.AsyncClient) -> Events:
        """Send the body, return the stream. Raises `anthropic.AnthropicError`."""
        sdk = AsyncAnthropic(
            api_key=key,
            base_url=hosted.base_url,
            max_retries=0,
            timeout=anthropic.Timeout(None, connect=lane.timeouts.connect_seconds, write=lane.timeouts.gap_seconds),
            open_telemetry=False,
            http_client=client,
        )
        event: Any = RawMessageStreamEvent
        stream: AsyncStream[Any] = await sdk.post(
            self.path, content=body, cast_to=event, stream=True, stream_cls=AsyncStream[event]
        )
        return stream

    def answer(self) -> Answer:
        """Return an answer of which nothing has come."""
        return MessagesAnswer()

    def said(self, error: Exception) -> Said | Lost | None:
        """Return what an error of the client's says; None for one that is not the client's."""
        match error:
            case anthropic.APITimeoutError():
                return "timeout"
            case anthropic.APIConnectionError():
                return "connection"
            case anthropic.APIStatusError():
                codes = tuple(code for code in (error.error_code, error.type) if isinstance(code, str))
                sentence = error.api_message if isinstance(error.api_message, str) else ""
                # An error event within a stream comes with the head's own status.
                status = None if error.status_code == 200 else error.status_code
                return Said(status, codes, sentence[:_WORDS], "", error.response.headers)
            case anthropic.APIError():
                return Said(None)
            case _:
                return None


@dataclass(slots=True)
class MessagesAnswer(Answer):
    """An answer, event by event. `_silent`: the tool calls of which no argument has come."""

    _silent: set[int] = field(default_factory=set)
    _given: int = 0
    _cached: int = 0

    @override
    def read(self, event: Any) -> tuple[LaneEvent, ...]:
        match text_of(event.type):
            case "message_start":
                self.version = text_of(event.message.model) or None
                return self._usage(event.message.usage)
            case "content_block_start":
                return self._block(int(event.index), event.content_block)
            case "content_block_delta":
                return self._delta(int(event.index), event.delta)
            case "content_block_stop" if int(event.index) in self._silent:
                return (ToolCallDelta(self.call_number(int(event.index)), "{}"),)
            case "message_delta":
                usage = self._usage(event.usage) if event.usage is not None else ()
                return (*usage, *self._end(event.delta.stop_reason))
            case _:
                return ()

    def _block(self, place: int, block: Any) -> tuple[LaneEvent, ...]:
        match text_of(block.type):
            case "text" if block.text:
                return (TextDelta(text_of(block.text)),)
            case "thinking" if block.thinking:
                return (ReasoningDelta(text_of(block.thinking)),)
            case "tool_use":
                given = json.dumps(block.input) if block.input else ""
                if not given:
                    self._silent.add(place)
                return (ToolCallDelta(self.call_number(place), given, text_of(block.id), text_of(block.name)),)
            case _:
                return ()

    def _delta(self, place: int, delta: Any) -> tuple[LaneEvent, ...]:
        match text_of(delta.type):
            case "text_delta":
                return (TextDelta(text_of(delta.text)),)
            case "thinking_delta":
                return (ReasoningDelta(text_of(delta.thinking)),)
            case "input_json_delta" if delta.partial_json:
                self._silent.discard(place)
                return (ToolCallDelta(self.call_number(place), text_of(delta.partial_json)),)
            case _:
                return ()

    def _usage(self, usage: Any) -> tuple[LaneEvent, ...]:
        """Counts so far. What was read from the cache or written to it stands beside the other input here, and is input too."""
        read, written = usage.cache_read_input_tokens, usage.cache_creation_input_tokens
        if usage.input_tokens is not None:
            self._given = int(usage.input_tokens) + int(read or 0) + int(written or 0)
            self._cached = int(read or 0)
        return (Usage(self._given, int(usage.output_tokens), self._cached),)

    def _end(self, reason: Any) -> tuple[LaneEvent, ...]:
        if reason is None:
            return ()
        self.ended = _stop_reason(reason)
        return (Refusal(DECLINED),) if self.ended == "content_filter" else ()


def _stop_reason(said: Any) -> StopReason:
    match said:
        case "end_turn" | "stop_sequence":
            return "stop"
        case "max_tokens" | "model_context_window_exceeded":
            return "length"
        case "tool_use":
            return "tool_calls"
        case "refusal":
            return "content_filter"
        case _:
            raise ValueError("no way to end that is known")
