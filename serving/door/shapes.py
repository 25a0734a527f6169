"""Is a body of the shape that a renderer of ours writes? A provider acts on more than texts: addresses, files, tools that it runs itself.

Patterns say what may leave, protocol by protocol; whatever fits none of them is strange, and stays.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal

from router.bundle.files import HostedProtocol
from router.render import FIELDS
from router.render.openai_responses import LOGPROBS

Kind = Literal["text", "image", "address", "strange"]
_SAYS: Final[Mapping[Kind, str]] = {
    "address": "the body tells the provider to fetch an address",
    "strange": "the body holds a part that no renderer of ours writes",
}
_CHOICES: Final = frozenset({"auto", "none", "required"})


def wanting(fields: Mapping[str, Any], protocol: HostedProtocol) -> str | None:
    """Say what in the body no renderer of ours writes, or None."""
    if unknown := sorted(set(fields) - FIELDS[protocol]):
        return f"the body holds fields that may not leave: {len(unknown)} of them"
    kinds = set(_kinds(fields, protocol))
    return next((because for kind, because in _SAYS.items() if kind in kinds), None)


def holds_image(fields: Mapping[str, Any], protocol: HostedProtocol) -> bool:
    """Tell whether there is something in the body that nobody here can read."""
    return any(kind != "text" for kind in _kinds(fields, protocol))


def _kinds(fields: Mapping[str, Any], protocol: HostedProtocol) -> Iterator[Kind]:
    match protocol:
        case "openai_chat":
            yield from _each(fields.get("messages"), _chat_message)
            yield from _each(fields.get("tools", []), _chat_tool)
            yield _known(_is_chat_choice(fields.get("tool_choice", "auto")))
        case "openai_responses":
            yield from _each(fields.get("input"), _item)
            yield from _each(fields.get("tools", []), _flat_tool)
            yield _known(_is_flat_choice(fields.get("tool_choice", "auto")))
            yield _known(fields.get("store") is False)
            yield _known(fields.get("include", [LOGPROBS]) == [LOGPROBS])
            yield _known(_has_only_a_format(fields.get("text", {})))
        case "anthropic_messages":
            yield from _each(fields.get("system", []), _block)
            yield from _each(fields.get("messages"), _turn)
            yield from _each(fields.get("tools", []), _plain_tool)
            yield _known(_is_messages_choice(fields.get("tool_choice", {"type": "auto"})))
            yield _known(_has_only_a_format(fields.get("output_config", {})))


def _each(values: Any, kinds: Callable[[Any], Iterator[Kind]]) -> Iterator[Kind]:
    if not isinstance(values, list):
        yield "strange"
        return
    for value in values:
        yield from kinds(value)


def _known(holds: bool) -> Kind:  # noqa: FBT001 - a verdict, turned into a word
    return "text" if holds else "strange"


def _has_only_a_format(value: Any) -> bool:
    return isinstance(value, dict) and set(value) <= {"format"}


# ------------------------------------------------------------------ Chat Completions


def _chat_message(message: Any) -> Iterator[Kind]:
    match message:
        case {"role": str(), "content": content, **rest} if set(rest) <= {"tool_calls", "tool_call_id"}:
            yield from _each(rest.get("tool_calls", []), _chat_tool)
            if content is not None and not isinstance(content, str):
                yield from _each(content, _chat_part)
        case _:
            yield "strange"


def _chat_part(part: Any) -> Iterator[Kind]:
    match part:
        case {"type": "text", "text": str(), **rest} if not rest:
            yield "text"
        case {"type": "image_url", "image_url": {"url": str(url), **more}, **rest} if not rest and not more:
            yield _image(url)
        case _:
            yield "strange"


def _image(url: str) -> Kind:
    return "image" if url.startswith("data:") else "address"


def _chat_tool(tool: Any) -> Iterator[Kind]:
    match tool:
        case {"type": "function", "function": dict(), **rest} if set(rest) <= {"id"}:
            yield "text"
        case _:
            yield "strange"


def _is_chat_choice(choice: Any) -> bool:
    match choice:
        case str():
            return choice in _CHOICES
        case {"type": "function", "function": {"name": str()}}:
            return True
        case _:
            return False


# ------------------------------------------------------------------ Responses


def _item(item: Any) -> Iterator[Kind]:
    match item:
        case {"role": "system" | "user" | "assistant", "content": content, **rest} if not rest:
            yield from _said(content)
        case {"type": "function_call", "call_id": str(), "name": str(), "arguments": str(), **rest} if not rest:
            yield "text"
        case {"type": "function_call_output", "call_id": str(), "output": output, **rest} if not rest:
            yield from _said(output)
        case _:
            yield "strange"


def _said(content: Any) -> Iterator[Kind]:
    if isinstance(content, str):
        yield "text"
    else:
        yield from _each(content, _input_part)


def _input_part(part: Any) -> Iterator[Kind]:
    match part:
        case {"type": "input_text", "text": str(), **rest} if not rest:
            yield "text"
        case {"type": "input_image", "detail": "auto", "image_url": str(url), **rest} if not rest:
            yield _image(url)
        case _:
            yield "strange"


def _flat_tool(tool: Any) -> Iterator[Kind]:
    match tool:
        case {"type": "function", "name": str(), "parameters": _, "strict": False, **rest}:
            yield _known(set(rest) <= {"description"})
        case _:
            yield "strange"


def _is_flat_choice(choice: Any) -> bool:
    match choice:
        case str():
            return choice in _CHOICES
        case {"type": "function", "name": str(), **rest}:
            return not rest
        case _:
            return False


# ------------------------------------------------------------------ Messages


def _turn(turn: Any) -> Iterator[Kind]:
    match turn:
        case {"role": "user" | "assistant", "content": [*blocks], **rest} if not rest:
            yield from _each(blocks, _block)
        case _:
            yield "strange"


def _block(block: Any) -> Iterator[Kind]:
    match block:
        case {"type": "text", "text": str(), **rest} if not rest:
            yield "text"
        case {"type": "image", "source": {"type": "base64", "media_type": str(), "data": str(), **more}, **rest}:
            yield "strange" if rest or more else "image"
        case {"type": "image", "source": {"type": "url"}}:
            yield "address"
        case {"type": "tool_use", "id": str(), "name": str(), "input": dict(), **rest} if not rest:
            yield "text"
        case {"type": "tool_result", "tool_use_id": str(), **rest} if set(rest) <= {"content"}:
            yield from _each(rest.get("content", []), _block)
        case _:
            yield "strange"


def _plain_tool(tool: Any) -> Iterator[Kind]:
    match tool:
        case {"name": str(), "input_schema": dict(), **rest}:
            yield _known(set(rest) <= {"description"})
        case _:
            yield "strange"


def _is_messages_choice(choice: Any) -> bool:
    match choice:
        case {"type": "auto" | "none" | "any", **rest}:
            return not rest
        case {"type": "tool", "name": str(), **rest}:
            return not rest
        case _:
            return False
