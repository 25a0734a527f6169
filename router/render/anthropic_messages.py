"""What would Anthropic's Messages API be sent?

It differs from OpenAI's in what a conversation is: system texts stand apart, tools' results are the user's, a tool's arguments are an
object, and no text may be empty.
"""

import hashlib
import json
import re
from typing import Any, Final

from router.bundle.files import Dialect, Hosted
from router.contract import ImagePart, Message, Part, TextPart, ToolCall, ToolSpec
from router.lane import LaneCall
from router.render.sampling import refuse_others, sampling_asked
from router.render.schemas import in_words, takes_output_config

FIELDS: Final = frozenset(
    {
        "model",
        "system",
        "messages",
        "tools",
        "tool_choice",
        "output_config",
        "stop_sequences",
        "max_tokens",
        "stream",
    }
)
_SAMPLING: Final = frozenset({"stop"})
"""Version 2026-10-21 of the API refuses every setting that weighs words, even at its default."""
_CALL_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


def body_of(call: LaneCall, hosted: Hosted) -> dict[str, Any]:
    """Return the body. Raises `UnsupportedField`, and `ValueError` for what is no JSON."""
    messages, form = call.messages, None
    if call.json_schema is not None:
        schema = json.loads(call.json_schema)
        form = _form(schema, hosted.dialect)
        if form is None:
            messages = (in_words(schema), *messages)
    body: dict[str, Any] = {"model": hosted.model}
    # Each system text is a block of its own, so that whoever scans the bytes finds it as the message it was.
    if system := [block for message in messages if message.role == "system" for block in _blocks(message)]:
        body["system"] = system
    body["messages"] = _turns([message for message in messages if message.role != "system"])
    if call.client_tools:
        body["tools"] = [_tool(tool) for tool in call.client_tools]
        if call.tool_choice is not None:
            body["tool_choice"] = _tool_choice(call.tool_choice)
    if form is not None:
        body["output_config"] = {"format": form}
    return {**body, **_sampling(call, hosted.dialect), "max_tokens": call.max_tokens, "stream": True}


def _turns(messages: list[Message]) -> list[dict[str, Any]]:
    """One turn for all that one side says in a row: the results of several tools have to be one. What is empty is left out."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        role = "assistant" if message.role == "assistant" else "user"
        if not (blocks := _blocks(message)):
            continue
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"].extend(blocks)
        else:
            turns.append({"role": role, "content": blocks})
    return turns


def _blocks(message: Message) -> list[dict[str, Any]]:
    said = [_part(part) for part in message.content if not (isinstance(part, TextPart) and not part.text)]
    if message.role != "tool":
        return [*said, *(_tool_use(call) for call in message.tool_calls)]
    result: dict[str, Any] = {"type": "tool_result", "tool_use_id": _call_id(message.tool_call_id or "")}
    return [{**result, "content": said} if said else result]


def _part(part: Part) -> dict[str, Any]:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case ImagePart():
            source = {"type": "base64", "media_type": part.media_type, "data": part.data}
            return {"type": "image", "source": source}


def _tool_use(call: ToolCall) -> dict[str, Any]:
    """A call that a model made earlier. One whose arguments are no JSON object is passed on as the text it was."""
    try:
        given = json.loads(call.arguments)
    except (ValueError, RecursionError):
        given = None
    arguments = given if isinstance(given, dict) else {"not_an_object": call.arguments}
    return {"type": "tool_use", "id": _call_id(call.id), "name": call.name, "input": arguments}


def _call_id(identifier: str) -> str:
    """An ID may come from another lane's answer: one that does not pass here becomes one that does, always the same."""
    if _CALL_ID.fullmatch(identifier):
        return identifier
    return "call_" + hashlib.sha256(identifier.encode()).hexdigest()[:32]


def _tool(tool: ToolSpec) -> dict[str, Any]:
    rendered: dict[str, Any] = {"name": tool.name}
    if tool.description:
        rendered["description"] = tool.description
    schema = json.loads(tool.parameters_json)
    return {**rendered, "input_schema": schema or {"type": "object"}}


def _tool_choice(choice: str) -> dict[str, Any]:
    match choice:
        case "auto" | "none":
            return {"type": choice}
        case "required":
            return {"type": "any"}
        case _:
            return {"type": "tool", "name": choice}


def _form(schema: Any, dialect: Dialect) -> dict[str, Any] | None:
    """What has the provider hold the answer to the schema; None where it would refuse it."""
    if dialect.structured_output != "json_schema" or schema == {} or not takes_output_config(schema):
        return None
    return {"type": "json_schema", "schema": schema}


def _sampling(call: LaneCall, dialect: Dialect) -> dict[str, Any]:
    asked = refuse_others(sampling_asked(call.sampling, dialect), _SAMPLING, "the Messages API")
    return {"stop_sequences": asked["stop"]} if "stop" in asked else {}
