"""What did the caller write? OpenAI-shaped chat messages become the router's own; what can't be carried is refused by name.

Pure: JSON values in, `Message`s out. Every error names the field it means, like `messages[2].content[0].type`, and never
quotes a text, because error messages reach logs.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from router.contract import ImagePart, Message, Part, TextPart, ToolCall
from router.errors import BadRequest, UnsupportedField

Role = Literal["system", "user", "assistant", "tool"]

# `developer` is OpenAI's newer name for `system`; open-weight chat templates know only the latter.
_ROLES: Final[dict[str, Role]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
}
_FIELDS: Final[dict[Role, frozenset[str]]] = {
    "system": frozenset({"role", "content"}),
    "user": frozenset({"role", "content"}),
    "assistant": frozenset({"role", "content", "tool_calls", "refusal"}),
    "tool": frozenset({"role", "content", "tool_call_id"}),
}
_PARTS: Final[dict[Role, tuple[str, ...]]] = {
    "system": ("text",),
    "user": ("text", "image_url"),
    "assistant": ("text", "refusal"),
    "tool": ("text",),
}
_IMAGE_TYPES: Final = ("image/png", "image/jpeg", "image/webp", "image/gif")
_DATA_URL: Final = re.compile(r"data:(?P<media_type>[a-z]+/[a-z0-9.+-]+);base64,", re.IGNORECASE)


def parse_messages(messages: object) -> tuple[Message, ...]:
    """Turn the value of a request's `messages` field into messages.

    Raises `UnsupportedField` for what exists elsewhere but is not carried here (remote images, audio, files, `name`, the
    old function calls), and `BadRequest` for what is no chat message at all.
    """
    if not isinstance(messages, list) or not messages:
        raise BadRequest("messages: must be a list of at least one message", "messages")
    return tuple(_message(entry, f"messages[{index}]") for index, entry in enumerate(messages))


def _message(entry: object, where: str) -> Message:
    fields = _object(entry, where)
    role = _role(fields, where)
    _refuse_unknown(fields, _FIELDS[role], where)
    calls = _tool_calls(fields.get("tool_calls"), f"{where}.tool_calls")
    content = _content(fields.get("content"), role, f"{where}.content")
    if fields.get("refusal") is not None:
        content = (*content, _text_part(fields["refusal"], f"{where}.refusal"))
    if not content and not calls:
        raise BadRequest(f"{where}.content: is required", f"{where}.content")
    answers = _string(fields.get("tool_call_id"), f"{where}.tool_call_id") if role == "tool" else None
    return Message(role=role, content=content, tool_calls=calls, tool_call_id=answers)


def _role(fields: Mapping[str, Any], where: str) -> Role:
    role = _string(fields.get("role"), f"{where}.role")
    if role in _ROLES:
        return _ROLES[role]
    raise BadRequest(f"{where}.role: must be one of {', '.join(_ROLES)}", f"{where}.role")


def _content(value: object, role: Role, where: str) -> tuple[Part, ...]:
    """Parse a content field: a string, a list of parts, or nothing."""
    if value is None:
        return ()
    if isinstance(value, str):
        return (_text_part(value, where),)
    if not isinstance(value, list):
        raise BadRequest(f"{where}: must be a string or a list of parts", where)
    return tuple(_part(part, role, f"{where}[{index}]") for index, part in enumerate(value))


def _part(value: object, role: Role, where: str) -> Part:
    fields = _object(value, where)
    kind = _string(fields.get("type"), f"{where}.type")
    if kind not in _PARTS[role]:
        allowed = ", ".join(_PARTS[role])
        raise UnsupportedField(f"{where}.type: a {role} message may hold parts of type {allowed} here", f"{where}.type")
    _refuse_unknown(fields, frozenset({"type", kind}), where)
    if kind == "image_url":
        return _image(fields.get("image_url"), f"{where}.image_url")
    return _text_part(fields.get(kind), f"{where}.{kind}")


def _image(value: object, where: str) -> ImagePart:
    """Accept an image carried as a data URL. Fetching a remote one would be a way out of the building, and a way in."""
    fields = _object(value, where)
    _refuse_unknown(fields, frozenset({"url", "detail"}), where)
    if fields.get("detail") not in (None, "auto"):
        raise UnsupportedField(f"{where}.detail: only `auto` is carried", f"{where}.detail")
    url = _string(fields.get("url"), f"{where}.url")
    head = _DATA_URL.match(url)
    if head is None:
        raise UnsupportedField(
            f"{where}.url: remote images are not fetched; send the image itself as data:image/png;base64,…",
            f"{where}.url",
        )
    media_type = head["media_type"].lower()
    if media_type not in _IMAGE_TYPES:
        raise UnsupportedField(f"{where}.url: the image must be one of {', '.join(_IMAGE_TYPES)}", f"{where}.url")
    encoded = url[head.end() :]
    try:
        decoded = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"{where}.url: the image is not valid base64", f"{where}.url") from error
    if not decoded:
        raise BadRequest(f"{where}.url: the image is empty", f"{where}.url")
    return ImagePart(media_type=media_type, data=encoded)


def _tool_calls(value: object, where: str) -> tuple[ToolCall, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise BadRequest(f"{where}: must be a list", where)
    return tuple(_tool_call(call, f"{where}[{index}]") for index, call in enumerate(value))


def _tool_call(value: object, where: str) -> ToolCall:
    fields = _object(value, where)
    if fields.get("type", "function") != "function":
        raise UnsupportedField(f"{where}.type: only `function` calls are carried", f"{where}.type")
    # `index` is what the pieces of a streamed call carry; clients send assembled calls back with it.
    _refuse_unknown(fields, frozenset({"id", "type", "function", "index"}), where)
    function = _object(fields.get("function"), f"{where}.function")
    _refuse_unknown(function, frozenset({"name", "arguments"}), f"{where}.function")
    return ToolCall(
        id=_string(fields.get("id"), f"{where}.id"),
        name=_string(function.get("name"), f"{where}.function.name"),
        arguments=_string(function.get("arguments"), f"{where}.function.arguments", may_be_empty=True),
    )


def _text_part(value: object, where: str) -> TextPart:
    return TextPart(text=_string(value, where, may_be_empty=True))


def _string(value: object, where: str, *, may_be_empty: bool = False) -> str:
    if not isinstance(value, str):
        raise BadRequest(f"{where}: must be a string", where)
    if not value and not may_be_empty:
        raise BadRequest(f"{where}: must not be empty", where)
    if not value.isascii():
        # A lone surrogate is legal in JSON's escapes and in Python, and has no bytes: nothing could hash or send it.
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise BadRequest(f"{where}: holds half of a surrogate pair, which is no character", where) from error
    return value


def _object(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise BadRequest(f"{where}: must be an object", where)
    return value


def _refuse_unknown(fields: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    """Refuse fields that would be dropped. A null says nothing, and the OpenAI client's own dumps are full of them."""
    unknown: Sequence[str] = sorted(
        name for name, value in fields.items() if name not in known and value not in (None, [])
    )
    if unknown:
        raise UnsupportedField(f"{where}.{unknown[0]}: this field is not carried here", f"{where}.{unknown[0]}")
