"""Which exact bytes would leave for this call? A pure function of call and lane; and its reading back, for whoever scans them.

The bytes are canonical JSON: one value has one spelling. So what a scan reads in them is all there is: no key twice (the first of
which a parser would hide), no space or escape that carries a message of its own. They hold no user, metadata, session or trace ID.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from router.bundle.files import Hosted
from router.contract import ImagePart, Message, Part, Sampling, TextPart, ToolSpec
from router.errors import BadRequest, UnsupportedField
from router.lane import LaneCall

FIELDS: Final = frozenset(
    {
        "model",
        "messages",
        "tools",
        "tool_choice",
        "response_format",
        "temperature",
        "top_p",
        "seed",
        "stop",
        "presence_penalty",
        "frequency_penalty",
        "logprobs",
        "top_logprobs",
        "max_completion_tokens",
        "stream",
        "stream_options",
    }
)
"""Every top-level field this renderer can write. The door lets no other out: some make a provider store, fetch or search."""

_NESTED_DEPTH: Final = 3


class NotCanonical(ValueError):
    """These bytes are not what this module writes, so a scan of them could miss something."""


def render_openai_chat(call: LaneCall, hosted: Hosted) -> bytes:
    """Return the body of a streamed Chat Completions request. Raises `BadRequest` for what can't be sent."""
    try:
        return canonical_json(_body(call, hosted))
    except UnicodeEncodeError as error:
        raise BadRequest("a text holds half a surrogate pair, which UTF-8 cannot carry", "messages") from error
    except ValueError as error:
        raise BadRequest(f"a schema is not JSON: {error}", "tools") from error


def _body(call: LaneCall, hosted: Hosted) -> dict[str, Any]:
    body: dict[str, Any] = {"model": hosted.model, "messages": [_message(message) for message in call.messages]}
    if call.client_tools:
        body["tools"] = [_tool(tool) for tool in call.client_tools]
        if call.tool_choice is not None:
            body["tool_choice"] = _tool_choice(call.tool_choice)
    if call.json_schema is not None:
        body["response_format"] = _response_format(call.schema_name or "response", call.json_schema)
    return {
        **body,
        **_sampling(call.sampling),
        "max_completion_tokens": call.max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def canonical_json(value: object) -> bytes:
    """Return the one spelling of a JSON value: no spaces, UTF-8 without needless escapes, keys in their order."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def parse_body(body: bytes) -> dict[str, Any]:
    """Return the JSON object that these bytes spell. Raises `NotCanonical` for any other spelling, and for what is no object."""
    try:
        value = json.loads(body)
        same = canonical_json(value) == body
    except (ValueError, RecursionError) as error:
        raise NotCanonical("the body is not UTF-8 JSON") from error
    if not same:
        raise NotCanonical("the body is not in its canonical spelling")
    if not isinstance(value, dict):
        raise NotCanonical("the body is not a JSON object")
    return value


def texts_in(body: bytes) -> tuple[str, ...]:
    """Return every text in the exact bytes: string values and keys at any depth, and numbers as they are written.

    A string that is itself JSON (a tool call's arguments) counts as it stands and also by the texts within it. Raises `NotCanonical`.
    """
    parse_body(body)
    return tuple(_texts(body.decode(), _NESTED_DEPTH))


def _texts(source: str, depth: int) -> Iterator[str]:
    waiting = [json.loads(source, parse_int=str, parse_float=str)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(reversed([part for pair in value.items() for part in pair]))
        elif isinstance(value, list):
            waiting.extend(reversed(value))
        elif isinstance(value, str):
            yield value
            if depth and value[:1] in {"{", "[", '"'}:
                yield from _texts_if_json(value, depth - 1)


def _texts_if_json(source: str, depth: int) -> tuple[str, ...]:
    try:
        return tuple(_texts(source, depth))
    except (ValueError, RecursionError):
        return ()


# ------------------------------------------------------------------ parts of the body


def _message(message: Message) -> dict[str, Any]:
    rendered: dict[str, Any] = {"role": message.role, "content": _content(message)}
    if message.tool_calls:
        rendered["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        rendered["tool_call_id"] = message.tool_call_id
    return rendered


def _content(message: Message) -> str | list[dict[str, Any]] | None:
    """A plain string where there is one text: the only form that every provider takes for every role."""
    if not message.content:
        return None if message.tool_calls else ""
    if len(message.content) == 1 and isinstance(message.content[0], TextPart):
        return message.content[0].text
    return [_part(part) for part in message.content]


def _part(part: Part) -> dict[str, Any]:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case ImagePart():
            return {"type": "image_url", "image_url": {"url": f"data:{part.media_type};base64,{part.data}"}}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = json.loads(tool.parameters_json)
    return {"type": "function", "function": function}


def _tool_choice(choice: str) -> str | dict[str, Any]:
    if choice in {"auto", "none", "required"}:
        return choice
    return {"type": "function", "function": {"name": choice}}


def _response_format(name: str, schema_text: str) -> dict[str, Any]:
    schema = json.loads(schema_text)
    if schema == {}:
        return {"type": "json_object"}
    return {
        "type": "json_schema",
        "json_schema": {"name": name, "schema": schema, "strict": takes_strict(schema)},
    }


def takes_strict(schema: object) -> bool:
    """Tell whether OpenAI's strict mode takes this schema: every object closed, and all its properties required.

    A provider refuses `strict` for any other schema; without it the answer is still held against the schema here.
    """
    if isinstance(schema, list):
        return all(takes_strict(part) for part in schema)
    if not isinstance(schema, dict):
        return True
    properties, required = schema.get("properties"), schema.get("required")
    names = set(properties) if isinstance(properties, dict) else set()
    if names or schema.get("type") == "object":
        closed = schema.get("additionalProperties") is False
        if not closed or not names <= set(required if isinstance(required, list) else ()):
            return False
    return all(takes_strict(part) for part in schema.values())


def _sampling(sampling: Sampling) -> dict[str, Any]:
    if sampling.ignore_eos:
        raise UnsupportedField(
            "ignore_eos: a hosted lane can't go on past the answer's end; pin a private lane", "ignore_eos"
        )
    asked: dict[str, Any] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "stop": list(sampling.stop) or None,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "logprobs": sampling.logprobs or None,
        "top_logprobs": sampling.top_logprobs or None,
    }
    return {name: value for name, value in asked.items() if value is not None}
