"""What does a lane call look like to vLLM's chat API, and what do its chunks mean to us? Pure, and free of vLLM.

vLLM ignores fields that it does not know, silently. So nothing is sent here that `serving.private.engine` does not check again
on vLLM's own parsed request.
"""

from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from router.contract import ImagePart, Message, TextPart
from router.enforce import engine_schema
from router.errors import ContractViolated, LaneMisbehaved, UnsupportedField
from router.lane import LaneCall, LaneEvent, ReasoningDelta, Stop, TextDelta, ToolCallDelta, Usage
from router.validate import validate_arguments

Json = dict[str, Any]

_CHOICES: Final = ("auto", "none", "required")


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the served model can take. `models`: its own name, and its name with each adapter's."""

    models: frozenset[str]
    images: bool
    tools: bool


def chat_body(call: LaneCall, abilities: Abilities) -> Json:
    """Return the call as a chat completion request for vLLM.

    Raises `UnsupportedField` for what this model can't take: it would otherwise be dropped without a word.
    """
    if call.model not in abilities.models:
        raise LaneMisbehaved(call.lane, f"this engine serves {', '.join(sorted(abilities.models))}, not {call.model}")
    sampling = call.sampling
    body: Json = {
        "model": call.model,
        "messages": [_message(message, call.model, images=abilities.images) for message in call.messages],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": call.max_tokens,
        # vLLM names the request after this in its logs and lets it be aborted by it.
        "request_id": f"{call.trace_id}-{call.attempt}",
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "stop": list(sampling.stop),
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "cache_salt": call.cache_salt,
    }
    if call.continue_from is not None:
        body["messages"].append({"role": "assistant", "content": call.continue_from})
        body |= {"continue_final_message": True, "add_generation_prompt": False}
    if sampling.logprobs:
        body |= {"logprobs": True, "top_logprobs": sampling.top_logprobs}
    if sampling.ignore_eos:
        body["ignore_eos"] = True
    if call.json_schema is not None:
        body["response_format"] = _response_format(call)
    if call.client_tools and call.tool_choice != "none":
        body |= _tools(call, abilities)
    return {name: value for name, value in body.items() if value is not None}


def _response_format(call: LaneCall) -> Json:
    if call.json_schema == "{}":
        return {"type": "json_object"}
    schema = orjson.loads(engine_schema(call.json_schema or "{}"))
    return {"type": "json_schema", "json_schema": {"name": call.schema_name or "response", "schema": schema}}


def _tools(call: LaneCall, abilities: Abilities) -> Json:
    if not abilities.tools:
        because = f"model {call.model} is served without a tool call parser; leave `tools` out or ask another model"
        raise UnsupportedField(because, "tools")
    choice: str | Json = call.tool_choice or "auto"
    if choice not in _CHOICES:
        choice = {"type": "function", "function": {"name": choice}}
    tools = [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": orjson.loads(tool.parameters_json),
            },
        }
        for tool in call.client_tools
    ]
    return {"tools": tools, "tool_choice": choice}


def _message(message: Message, model: str, *, images: bool) -> Json:
    shown = any(isinstance(part, ImagePart) for part in message.content)
    if shown and not images:
        raise UnsupportedField(f"model {model} reads text only: send no images, or ask another", "messages")
    turn: Json = {"role": message.role, "content": _content(message, has_images=shown)}
    if message.tool_calls:
        turn["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        turn["tool_call_id"] = message.tool_call_id
    return turn


def _content(message: Message, *, has_images: bool) -> str | list[Json]:
    """Plain text as one string: not every chat template reads a list of parts."""
    if not has_images:
        return "\n".join(part.text for part in message.content if isinstance(part, TextPart))
    return [
        {"type": "text", "text": part.text}
        if isinstance(part, TextPart)
        else {"type": "image_url", "image_url": {"url": f"data:{part.media_type};base64,{part.data}"}}
        for part in message.content
    ]


_REASONS: Final = {"stop": "stop", "length": "length", "tool_calls": "tool_calls", "content_filter": "content_filter"}


@dataclass(slots=True)
class ChunkReader:
    """Turns vLLM's chunks into lane events, one stream each. The `Stop` comes from `finish`, after the usage."""

    call: LaneCall
    model_version: str
    _reason: str | None = None
    _tool_names: dict[int, str] = field(default_factory=dict)
    _arguments: dict[int, list[str]] = field(default_factory=dict)

    def read(self, chunk: Json) -> list[LaneEvent]:
        """Return the events of one chunk, in order."""
        events: list[LaneEvent] = []
        for choice in chunk.get("choices", ()):
            events += self._delta(choice.get("delta") or {}, choice.get("logprobs"))
            self._reason = choice.get("finish_reason") or self._reason
        if usage := chunk.get("usage"):
            details = usage.get("prompt_tokens_details") or {}
            events.append(Usage(usage["prompt_tokens"], usage["completion_tokens"], details.get("cached_tokens") or 0))
        return events

    def _delta(self, delta: Json, logprobs: Json | None) -> list[LaneEvent]:
        events: list[LaneEvent] = []
        if reasoning := delta.get("reasoning"):
            events.append(ReasoningDelta(reasoning))
        content = tuple((logprobs or {}).get("content") or ())
        if delta.get("content") or content:
            events.append(TextDelta(delta.get("content") or "", content or None))
        for piece in delta.get("tool_calls") or ():
            index, function = piece["index"], piece.get("function") or {}
            if name := function.get("name"):
                self._tool_names[index] = name
            self._arguments.setdefault(index, []).append(function.get("arguments") or "")
            events.append(ToolCallDelta(index, function.get("arguments") or "", piece.get("id"), name))
        return events

    def finish(self) -> Stop:
        """Return the end. Raises `LaneMisbehaved` when none was said, `ContractViolated` for arguments that break their schema.

        vLLM 0.32 was seen to answer a named tool choice with a bare string against an object schema.
        """
        if self._reason not in _REASONS:
            raise LaneMisbehaved(self.call.lane, f"vLLM ended the stream with finish_reason {self._reason!r}")
        complete = self._reason != "length"
        for index, name in self._tool_names.items():
            if complete:
                self._check_arguments(name, "".join(self._arguments[index]))
        reason = "tool_calls" if self._tool_names and self._reason == "stop" else self._reason
        return Stop(reason, self.model_version)  # type: ignore[arg-type]  # one of _REASONS

    def _check_arguments(self, name: str, arguments: str) -> None:
        validity = validate_arguments(name, arguments, self.call.client_tools)
        if not validity.valid:
            raise ContractViolated(self.call.lane, "; ".join(validity.errors))
