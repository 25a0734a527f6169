"""What do the events of OpenAI's Responses API mean? Those that only say again what others said are passed over, as are new ones."""

from dataclasses import dataclass, field
from typing import Any

import httpx2
from openai.types.responses import ResponseStreamEvent
from openai.types.responses.response_text_delta_event import Logprob
from typing_extensions import override

from router.bundle.files import Hosted, LaneSpec
from router.lane import LaneEvent, ReasoningDelta, Refusal, TextDelta, ToolCallDelta, Usage
from serving.door.provider import openai_client
from serving.door.provider.answer import Answer, Events, text_of
from serving.door.provider.failures import BrokeOff, Said


class OpenAIResponses:
    """The Responses API."""

    path = "/responses"
    key_headers = staticmethod(openai_client.key_headers)
    said = staticmethod(openai_client.said)

    async def opened(self, lane: LaneSpec, hosted: Hosted, key: str, body: bytes, client: httpx2.AsyncClient) -> Events:
        """Send the body, return the stream."""
        event: Any = ResponseStreamEvent
        return await openai_client.opened(lane, hosted, key, body, client, self.path, event)

    def answer(self) -> Answer:
        """Return an answer of which nothing has come."""
        return ResponsesAnswer()


@dataclass(slots=True)
class ResponsesAnswer(Answer):
    """An answer, event by event. `_argued`: the tool calls of which arguments came in pieces."""

    _argued: set[int] = field(default_factory=set)

    @override
    def read(self, event: Any) -> tuple[LaneEvent, ...]:
        match text_of(event.type):
            case "response.output_text.delta":
                logprobs = tuple(map(_logprob, event.logprobs or ())) or None
                return (TextDelta(text_of(event.delta), logprobs),)
            case "response.refusal.delta":
                return (Refusal(text_of(event.delta)),)
            case "response.reasoning_text.delta" | "response.reasoning_summary_text.delta":
                return (ReasoningDelta(text_of(event.delta)),)
            case "response.output_item.added" if event.item.type == "function_call":
                number = self.call_number(int(event.output_index))
                return (ToolCallDelta(number, "", text_of(event.item.call_id), text_of(event.item.name)),)
            case "response.function_call_arguments.delta" | "response.function_call_arguments.done":
                return self._arguments(event)
            case "response.created":
                self.version = text_of(event.response.model) or None
            case "response.completed" | "response.incomplete":
                return self._end(event.response)
            case "response.failed":
                error = event.response.error
                raise BrokeOff(Said(None, (text_of(error and error.code),), text_of(error and error.message)))
            case "error":
                raise BrokeOff(Said(None, (text_of(event.code),), text_of(event.message)))
            case _:
                pass
        return ()

    def _arguments(self, event: Any) -> tuple[LaneEvent, ...]:
        """The pieces of a tool call's arguments; the whole of them where none came."""
        number = self.call_number(int(event.output_index))
        if event.type.endswith(".delta"):
            self._argued.add(number)
            return (ToolCallDelta(number, text_of(event.delta)),)
        return () if number in self._argued else (ToolCallDelta(number, text_of(event.arguments)),)

    def _end(self, response: Any) -> tuple[LaneEvent, ...]:
        self.version = text_of(response.model) or self.version
        if response.status == "completed":
            self.ended = "stop"
        else:
            match response.incomplete_details.reason:
                case "max_output_tokens":
                    self.ended = "length"
                case "content_filter":
                    self.ended = "content_filter"
                case _:
                    raise ValueError("no way to end that is known")
        if (usage := response.usage) is None:
            return ()
        details = usage.input_tokens_details
        cached = (details.cached_tokens or 0) if details is not None else 0
        return (Usage(int(usage.input_tokens), int(usage.output_tokens), int(cached)),)


def _logprob(entry: Logprob) -> dict[str, Any]:
    """As Chat Completions spells it, which is what callers read."""
    tops = [
        {"token": top.token, "logprob": top.logprob, "bytes": list(text_of(top.token).encode())}
        for top in entry.top_logprobs or ()
    ]
    own = {"token": entry.token, "logprob": entry.logprob, "bytes": list(entry.token.encode())}
    return {**own, "top_logprobs": tops}
