"""Can a provider hold an answer to this JSON Schema, and how is it asked for where it can't?

Whatever the provider does, the answer is held against the schema here, at its end.
"""

import re
from typing import Any, Final

from router.contract import Message, TextPart
from router.render.canonical import canonical_json

_NAME: Final = re.compile(r"[^A-Za-z0-9_-]")
_PLAIN: Final = frozenset({"type", "title", "description", "required", "enum", "const"})
_NESTED: Final = frozenset({"anyOf", "allOf"})
_FORMATS: Final = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)


def name_of(schema_name: str | None) -> str:
    """Return a schema's name in the letters that providers take."""
    return _NAME.sub("_", schema_name or "response")[:64]


def in_words(schema: Any) -> Message:
    """Return the system message that asks for JSON where nothing enforces it."""
    if schema == {}:
        wanted = "Answer with one JSON object, and with nothing else."
    else:
        text = canonical_json(schema).decode()
        wanted = f"Answer with JSON that meets this JSON Schema, and with nothing else:\n{text}"
    return Message(role="system", content=(TextPart(text=wanted),))


def takes_strict(schema: object) -> bool:
    """Tell whether OpenAI's strict mode takes this schema: every object closed, and all its properties required.

    A provider refuses `strict` for any other schema.
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


def takes_output_config(schema: Any) -> bool:
    """Tell whether Anthropic's structured output takes this schema: closed objects, and no bounds on numbers, lengths or counts."""
    if not isinstance(schema, dict):
        return False
    for word, value in schema.items():
        match word:
            case "properties" | "$defs":
                taken = isinstance(value, dict) and all(map(takes_output_config, value.values()))
            case "items":
                taken = takes_output_config(value)
            case "additionalProperties":
                taken = value is False
            case "format":
                taken = value in _FORMATS
            case "minItems":
                taken = value in (0, 1)
            case "$ref":
                taken = str(value).startswith("#/$defs/")
            case _:
                nested = word in _NESTED and isinstance(value, list) and all(map(takes_output_config, value))
                taken = nested or word in _PLAIN
        if not taken:
            return False
    return schema.get("type") != "object" or schema.get("additionalProperties") is False
