"""What would OpenAI's Chat Completions be sent, or another endpoint of that protocol in its own dialect?"""

import hashlib
import json
import re
import string
from typing import Any, Final

from router.bundle.files import Dialect, Hosted
from router.contract import ImagePart, Message, Part, TextPart, ToolSpec
from router.lane import LaneCall
from router.render.sampling import sampling_asked
from router.render.schemas import in_words, name_of, takes_strict

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
        "max_tokens",
        "stream",
        "stream_options",
    }
)
_NINE: Final = re.compile(r"[A-Za-z0-9]{9}")
_LETTERS: Final = string.ascii_letters + string.digits


def body_of(call: LaneCall, hosted: Hosted) -> dict[str, Any]:
    """Return the body. Raises `UnsupportedField`, and `ValueError` for what is no JSON."""
    dialect = hosted.dialect
    messages, response_format = call.messages, None
    if call.json_schema is not None:
        schema = json.loads(call.json_schema)
        response_format = _response_format(call.schema_name, schema, dialect)
        if response_format is None or response_format["type"] == "json_object":
            messages = (in_words(schema), *messages)
    body: dict[str, Any] = {"model": hosted.model, "messages": [_message(message, dialect) for message in messages]}
    if call.client_tools:
        body["tools"] = [_tool(tool) for tool in call.client_tools]
        if call.tool_choice is not None:
            body["tool_choice"] = _tool_choice(call.tool_choice)
    if response_format is not None:
        body["response_format"] = response_format
    body |= sampling_asked(call.sampling, dialect)
    body[dialect.output_limit] = call.max_tokens
    body["stream"] = True
    if dialect.stream_usage:
        body["stream_options"] = {"include_usage": True}
    return body


def _message(message: Message, dialect: Dialect) -> dict[str, Any]:
    rendered: dict[str, Any] = {"role": message.role, "content": _content(message)}
    if message.tool_calls:
        rendered["tool_calls"] = [
            {
                "id": _call_id(call.id, dialect),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        rendered["tool_call_id"] = _call_id(message.tool_call_id, dialect)
    return rendered


def _call_id(identifier: str, dialect: Dialect) -> str:
    """An ID may come from another lane's answer: where only nine letters pass, it becomes nine, always the same ones."""
    if dialect.tool_call_ids == "any" or _NINE.fullmatch(identifier):
        return identifier
    digest = hashlib.sha256(identifier.encode()).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:9])


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


def _response_format(name: str | None, schema: Any, dialect: Dialect) -> dict[str, Any] | None:
    """What has the provider hold the answer to the schema; None where it can't, `json_object` where it can do no more than that.

    OpenAI takes `json_object` only with the word JSON in a message, so the schema is said in words with it.
    """
    if dialect.structured_output == "none":
        return None
    if schema == {} or dialect.structured_output == "json_object":
        return {"type": "json_object"}
    held: dict[str, Any] = {"name": name_of(name), "schema": schema}
    if dialect.strict:
        held["strict"] = takes_strict(schema)
    return {"type": "json_schema", "json_schema": held}
