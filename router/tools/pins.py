"""Is this still the tool that somebody looked at? The hash of its raw definition says so: every field of it, not the description alone.

A definition is what the source itself says of the tool: an MCP server's entry in `tools/list`, an operation of an OpenAPI file. Hashing
descriptions alone was seen to catch one of eight ways to poison a tool; the raw definition catches every field.
"""

from collections.abc import Mapping
from typing import Any

from router.errors import ToolChanged
from router.exact import canonical_json, text_sha256


def definition_sha256(definition: Mapping[str, Any]) -> str:
    """Return the pin of a raw definition: the SHA-256 of its canonical JSON, unknown fields included. Raises `ValueError`."""
    return text_sha256(canonical_json(dict(definition)))


def check_pin(tool: str, pinned: str | None, definition: Mapping[str, Any]) -> None:
    """Raise `ToolChanged` unless the definition is the pinned one. A tool that nobody pinned was approved by nobody."""
    try:
        found = definition_sha256(definition)
    except ValueError as error:
        raise ToolChanged(tool, f"its definition is no JSON ({error})") from error
    if pinned is None:
        raise ToolChanged(tool, f"nobody has approved its definition yet; its pin is {found}")
    if found != pinned:
        raise ToolChanged(tool, f"its definition hashes to {found[:12]}, the bundle approved {pinned[:12]}")
