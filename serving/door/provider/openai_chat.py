"""What do the chunks of Chat Completions mean, OpenAI's and those of everyone who speaks it?"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
from openai.types.chat import ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import Choice, ChoiceDelta, ChoiceDeltaToolCall
from typing_extensions import override

from router.bundle.files import Hosted, LaneSpec
from router.lane import LaneEvent, ReasoningDelta, Refusal, TextDelta, ToolCallDelta, Usage
from serving.door.provider import openai_client
from serving.door.provider.answer import Answer, Events, StopReason, text_of


class OpenAIChat:
    """Chat Completions."""

    path = "/chat/completions"
    key_headers = staticmethod(openai_client.key_headers)
    said = staticmethod(openai_client.said)

    async def opened(self, lane: LaneSpec, hosted: Hosted, key: str, body: bytes, client: httpx2.AsyncClient) -> Events:
        """Send the body, return the stream."""
        return await openai_client.opened(lane, hosted, key, body, client, self.path, ChatCompletionChunk)

    def answer(self) -> Answer:
        """Return an answer of which nothing has come."""
        return ChatAnswer()


@dataclass(slots=True)
class ChatAnswer(Answer):
    """An answer, chunk by chunk."""

    model: str = ""
    fingerprint: str = ""

    @override
    def read(self, event: Any) -> tuple[LaneEvent, ...]:
        if not isinstance(event, ChatCompletionChunk) or not isinstance(event.choices, list):
            raise TypeError("not a chunk")
        self.model = text_of(event.model) or self.model
        self.fingerprint = text_of(event.system_fingerprint) or self.fingerprint
        self.version = "@".join(part for part in (self.model, self.fingerprint) if part) or None
        events: list[LaneEvent] = []
        for choice in event.choices:
            events.extend(self._delta(choice))
            if choice.finish_reason is not None:
                self.ended = _stop_reason(choice.finish_reason)
        if (usage := event.usage) is not None:
            details = usage.prompt_tokens_details
            cached = (details.cached_tokens or 0) if details is not None else 0
            events.append(Usage(int(usage.prompt_tokens), int(usage.completion_tokens), int(cached)))
        return tuple(events)

    def _delta(self, choice: Choice) -> Iterator[LaneEvent]:
        delta: ChoiceDelta = choice.delta
        # Not in OpenAI's own schema: other providers of its protocol name their reasoning so.
        reasoning = text_of(getattr(delta, "reasoning_content", None) or getattr(delta, "reasoning", None))
        thought, text = _parts_of(delta.content)
        if reasoning or thought:
            yield ReasoningDelta(reasoning + thought)
        logprobs = choice.logprobs.content if choice.logprobs is not None else None
        if text or logprobs:
            yield TextDelta(text, tuple(entry.model_dump() for entry in logprobs) if logprobs else None)
        if refusal := text_of(delta.refusal):
            yield Refusal(refusal)
        for call in delta.tool_calls or ():
            function = call.function
            arguments, name = (text_of(function.arguments), text_of(function.name)) if function else ("", "")
            number = self.call_number(self._place(call))
            yield ToolCallDelta(index=number, arguments=arguments, id=text_of(call.id) or None, name=name or None)

    def _place(self, call: ChoiceDeltaToolCall) -> int:
        """Some who speak this protocol number no tool call: then one with an ID begins, and one without goes on."""
        if isinstance(call.index, int):
            return call.index
        return self.calls if call.id or not self.calls else self.calls - 1


def _parts_of(content: Any) -> tuple[str, str]:
    """Return what was thought and what is said. Mistral's reasoning models send content as a list of parts, as one text elsewhere.

    Raises `TypeError` or `ValueError` for a part that is not known: it might be some of the answer.
    """
    if not isinstance(content, list):
        return "", text_of(content)
    thought, said = "", ""
    for part in content:
        match part:
            case {"type": "text", "text": text}:
                said += text_of(text)
            case {"type": "thinking", "thinking": list() as inner}:
                thought += _parts_of(inner)[1]
            case {"type": "thinking", "thinking": text}:
                thought += text_of(text)
            case {"type": "reference"}:  # Points at what was searched, and says nothing itself.
                pass
            case _:
                raise ValueError("a part of the content that is not known")
    return thought, said


def _stop_reason(said: str) -> StopReason:
    match said:
        case "stop" | "length" | "tool_calls" | "content_filter":
            return said
        case "function_call":
            return "tool_calls"
        case "model_length":
            return "length"
        case _:
            raise ValueError("no way to end that is known")
