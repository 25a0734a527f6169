"""What would OpenAI's Responses API be sent? Always `store: false`: the provider is to keep nothing, and to remember nothing."""

import json
from collections.abc import Iterator
from typing import Any, Final

from router.bundle.files import Dialect, Hosted
from router.contract import ImagePart, Message, Part, TextPart, ToolSpec
from router.errors import UnsupportedField
from router.lane import LaneCall
from router.render.sampling import refuse_others, sampling_asked
from router.render.schemas import in_words, name_of, takes_strict

FIELDS: Final = frozenset(
    {
        "model",
        "input",
        "tools",
        "tool_choice",
        "text",
        "include",
        "temperature",
        "top_p",
        "top_logprobs",
        "max_output_tokens",
        "store",
        "stream",
    }
)
_SAMPLING: Final = frozenset({"temperature", "top_p", "logprobs", "top_logprobs"})
LOGPROBS: Final = "message.output_text.logprobs"
"""What `include` asks for; the one thing it may."""


def body_of(call: LaneCall, hosted: Hosted) -> dict[str, Any]:
    """Return the body. Raises `UnsupportedField`, and `ValueError` for what is no JSON."""
    messages, form = call.messages, None
    if call.json_schema is not None:
        schema = json.loads(call.json_schema)
        form = _form(call.schema_name, schema, hosted.dialect)
        if form is None or form["type"] == "json_object":
            messages = (in_words(schema), *messages)
    body: dict[str, Any] = {
        "model": hosted.model,
        "input": [item for message in messages for item in _items(message)],
    }
    if call.client_tools:
        body["tools"] = [_tool(tool) for tool in call.client_tools]
        if call.tool_choice is not None:
            body["tool_choice"] = _tool_choice(call.tool_choice)
    if form is not None:
        body["text"] = {"format": form}
    asked = refuse_others(sampling_asked(call.sampling, hosted.dialect), _SAMPLING, "the Responses API")
    if asked.pop("logprobs", False):
        body["include"] = [LOGPROBS]
    return {**body, **asked, "max_output_tokens": call.max_tokens, "store": False, "stream": True}


def _items(message: Message) -> Iterator[dict[str, Any]]:
    """A message is one item for what was said, and one for each tool call; a tool's result is an item of its own."""
    match message.role:
        case "tool":
            output = _content(message)
            yield {"type": "function_call_output", "call_id": message.tool_call_id or "", "output": output}
        case "assistant":
            # What the model said is written as plain texts: a list of parts would have to be the provider's own output, with its IDs.
            for part in message.content:
                if not isinstance(part, TextPart):
                    raise UnsupportedField(
                        "an image in an assistant's message: the Responses API takes none", "messages"
                    )
                yield {"role": "assistant", "content": part.text}
            for call in message.tool_calls:
                yield {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}
        case "system" | "user":
            yield {"role": message.role, "content": _content(message)}


def _content(message: Message) -> str | list[dict[str, Any]]:
    if not message.content:
        return ""
    if len(message.content) == 1 and isinstance(message.content[0], TextPart):
        return message.content[0].text
    return [_part(part) for part in message.content]


def _part(part: Part) -> dict[str, Any]:
    match part:
        case TextPart():
            return {"type": "input_text", "text": part.text}
        case ImagePart():
            url = f"data:{part.media_type};base64,{part.data}"
            return {"type": "input_image", "detail": "auto", "image_url": url}


def _tool(tool: ToolSpec) -> dict[str, Any]:
    """A tool of the client's. This protocol's default is `strict`, which would change what its schema means: it is passed on as it is."""
    rendered: dict[str, Any] = {"type": "function", "name": tool.name}
    if tool.description:
        rendered["description"] = tool.description
    return {**rendered, "parameters": json.loads(tool.parameters_json), "strict": False}


def _tool_choice(choice: str) -> str | dict[str, Any]:
    if choice in {"auto", "none", "required"}:
        return choice
    return {"type": "function", "name": choice}


def _form(name: str | None, schema: Any, dialect: Dialect) -> dict[str, Any] | None:
    """As Chat Completions' `response_format`, laid out flat."""
    if dialect.structured_output == "none":
        return None
    if schema == {} or dialect.structured_output == "json_object":
        return {"type": "json_object"}
    held: dict[str, Any] = {"type": "json_schema", "name": name_of(name), "schema": schema}
    if dialect.strict:
        held["strict"] = takes_strict(schema)
    return held
