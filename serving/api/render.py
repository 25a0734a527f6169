"""How does an answer look on the wire? The router's events as OpenAI's chat completion, whole or as server-sent events."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from router.errors import BadRequest, ContractViolated, LaneFailed, PolicyDenied, RouterError, outcome_of
from router.lane import (
    Continued,
    Departed,
    Embedding,
    LaneEvent,
    ReasoningDelta,
    Refusal,
    Stop,
    TextDelta,
    ToolCallDelta,
    Usage,
)

DONE = b"data: [DONE]\n\n"


@dataclass(slots=True)
class WholeAnswer:
    """Collects events into one `chat.completion` object."""

    trace_id: str
    created: int
    model: str = ""
    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    refusal: list[str] = field(default_factory=list)
    logprobs: list[dict[str, Any]] = field(default_factory=list)
    calls: dict[int, dict[str, Any]] = field(default_factory=dict)
    usage: Usage | None = None
    stop: Stop | None = None
    extension: dict[str, Any] = field(default_factory=dict)

    def take(self, events: Iterable[LaneEvent]) -> None:
        """Add a batch."""
        for event in events:
            match event:
                case TextDelta(text, logprobs):
                    self.text.append(text)
                    self.logprobs.extend(logprobs or ())
                case ReasoningDelta(text):
                    self.reasoning.append(text)
                case Refusal(text):
                    self.refusal.append(text)
                case ToolCallDelta():
                    self._take_call(event)
                case Usage():
                    self.usage = event
                case Stop():
                    self.stop = event
                case Departed() | Embedding() | Continued():
                    pass

    def _take_call(self, delta: ToolCallDelta) -> None:
        call = self.calls.setdefault(
            delta.index, {"id": delta.id, "type": "function", "function": {"name": "", "arguments": ""}}
        )
        call["id"] = delta.id or call["id"]
        call["function"]["name"] = delta.name or call["function"]["name"]
        call["function"]["arguments"] += delta.arguments

    @property
    def answer(self) -> str:
        """What a person would call the answer: text, refusal and tool calls' arguments."""
        return "".join([*self.text, *self.refusal, *(call["function"]["arguments"] for call in self.calls.values())])

    def body(self) -> bytes:
        """Return the JSON of the whole answer."""
        message: dict[str, Any] = {
            "role": "assistant",
            "content": "".join(self.text) if self.text or not (self.calls or self.refusal) else None,
            "refusal": "".join(self.refusal) or None,
        }
        if self.calls:
            message["tool_calls"] = [self.calls[index] for index in sorted(self.calls)]
        if self.reasoning:
            message["reasoning_content"] = "".join(self.reasoning)
        extended = {"private_lane": self.extension} if self.extension else {}
        return orjson.dumps(
            {
                "id": f"chatcmpl-{self.trace_id}",
                "object": "chat.completion",
                "created": self.created,
                "model": self.model,
                "choices": [
                    {
                        "index": 0,
                        "message": message,
                        "logprobs": {"content": self.logprobs, "refusal": None} if self.logprobs else None,
                        "finish_reason": self.stop.reason if self.stop else "stop",
                    }
                ],
                "usage": _usage(self.usage or Usage(0, 0)),
                **extended,
            }
        )


class StreamedAnswer:
    """Renders events as `chat.completion.chunk` server-sent events. The frame around a piece of text is built once."""

    def __init__(self, trace_id: str, created: int, model: str, *, include_usage: bool) -> None:
        head = orjson.dumps(
            {"id": f"chatcmpl-{trace_id}", "object": "chat.completion.chunk", "created": created, "model": model}
        )[:-1]
        usage = b',"usage":null' if include_usage else b""
        self._before = b"data: " + head + usage + b',"choices":[{"index":0,"delta":'
        self._after = b',"logprobs":null,"finish_reason":null}]}\n\n'
        self._extended = b"data: " + head + usage + b',"private_lane":'
        self._usage_before = b"data: " + head + b',"choices":[],"usage":'
        self._include_usage = include_usage
        self._usage = Usage(0, 0)

    def opening(self, extension: Mapping[str, Any] | None = None) -> bytes:
        """The first chunk: who speaks, and what is said beside the answer."""
        first = self._before + b'{"role":"assistant","content":""}' + self._after
        if not extension:
            return first
        return first.removesuffix(b"}\n\n") + b',"private_lane":' + orjson.dumps(extension) + b"}\n\n"

    def render(self, events: Iterable[LaneEvent]) -> bytes:
        """Render a batch; neighbouring pieces of text without logprobs become one chunk."""
        return b"".join(self._chunk(event) for event in _merged(events))

    def closing(self) -> bytes:
        """What follows the last content: the usage, where asked for, and the end mark."""
        usage = self._usage_before + orjson.dumps(_usage(self._usage)) + b"}\n\n" if self._include_usage else b""
        return usage + DONE

    def _continued(self, event: Continued) -> bytes:
        """A chunk without content, with a field that OpenAI's clients pass over or hand on: from here on another model speaks."""
        resumed = {"resumed": {"lane": event.lane, "model": event.model, "after_characters": event.characters}}
        return self._extended + orjson.dumps(resumed) + b',"choices":[{"index":0,"delta":{}' + self._after

    def _chunk(self, event: LaneEvent) -> bytes:
        match event:
            case TextDelta(text, None):
                return self._before + b'{"content":' + orjson.dumps(text) + b"}" + self._after
            case TextDelta(text, logprobs):
                delta = orjson.dumps({"content": text})
                content = orjson.dumps({"content": logprobs, "refusal": None})
                return self._before + delta + b',"logprobs":' + content + b',"finish_reason":null}]}\n\n'
            case ReasoningDelta(text):
                return self._before + orjson.dumps({"reasoning_content": text}) + self._after
            case Refusal(text):
                return self._before + orjson.dumps({"refusal": text}) + self._after
            case ToolCallDelta():
                return self._before + orjson.dumps({"tool_calls": [_call_delta(event)]}) + self._after
            case Stop(reason):
                return self._before + b'{},"logprobs":null,"finish_reason":' + orjson.dumps(reason) + b"}]}\n\n"
            case Usage():
                self._usage = event
                return b""
            case Continued():
                return self._continued(event)
            case Departed() | Embedding():
                return b""


def _merged(events: Iterable[LaneEvent]) -> Iterator[LaneEvent]:
    pending: list[str] = []
    for event in events:
        if isinstance(event, TextDelta) and event.logprobs is None:
            pending.append(event.text)
            continue
        if pending:
            yield TextDelta("".join(pending))
            pending.clear()
        yield event
    if pending:
        yield TextDelta("".join(pending))


def _call_delta(delta: ToolCallDelta) -> dict[str, Any]:
    function: dict[str, Any] = {"arguments": delta.arguments}
    if delta.name is None:
        return {"index": delta.index, "function": function}
    return {"index": delta.index, "id": delta.id, "type": "function", "function": {"name": delta.name, **function}}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def error_body(error: BaseException, trace_id: str) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and OpenAI-shaped body for an error. What is not ours says nothing of its cause."""
    outcome = outcome_of(error)
    message = str(error) if isinstance(error, RouterError) else f"internal error; quote trace {trace_id}"
    detail: dict[str, Any] = {"message": message, "type": outcome.type, "code": outcome.code, "param": None}
    headers: dict[str, str] = {}
    if isinstance(error, BadRequest):
        detail["param"] = error.param
    if isinstance(error, PolicyDenied):
        detail["policies"] = list(error.policies)
        headers["x-lane-policies"] = ",".join(error.policies)
    if isinstance(error, LaneFailed) and not isinstance(error, ContractViolated):
        headers["retry-after"] = str(max(1, round(error.retry_after_seconds or 1)))
    return outcome.status, headers, orjson.dumps({"error": detail})


def error_event(error: BaseException, trace_id: str) -> bytes:
    """Render an error in the middle of a stream: the stream ends with it, and without the end mark."""
    _, _, body = error_body(error, trace_id)
    return b"data: " + body + b"\n\n"
