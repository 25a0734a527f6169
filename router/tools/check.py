"""Do arguments and result keep the tool's contract? Held against its JSON Schemas, formats included, on both sides of every call."""

from collections.abc import Mapping
from typing import Any, Final

from router.bundle.files import ToolFile
from router.errors import SchemaRefused, ToolArgumentsInvalid, ToolFailed, ToolResultInvalid
from router.exact import breaches, canonical_json, parse_json
from router.tools.arguments import canonical_arguments

RESULT_CHARACTERS_AT_MOST: Final = 256 * 1024


def checked_arguments(tool: ToolFile, arguments_json: str) -> str:
    """Return the arguments' canonical text once they fit the tool's parameters. Raises `ToolArgumentsInvalid`, with up to ten errors."""
    text = canonical_arguments(tool.name, arguments_json)
    if errors := _breaches(tool.name, tool.parameters, parse_json(text)):
        raise ToolArgumentsInvalid(tool.name, errors)
    return text


def checked_result(tool: ToolFile, text: str) -> str | None:
    """Return a result's canonical JSON once it fits the tool's result schema; None for free text of a tool that promises none.

    Raises `ToolResultInvalid`: bad data becomes no part of a prompt.
    """
    if len(text) > RESULT_CHARACTERS_AT_MOST:
        raise ToolResultInvalid(tool.name, (f"longer than {RESULT_CHARACTERS_AT_MOST} characters",))
    try:
        value = parse_json(text)
        canonical = canonical_json(value)
    except ValueError as error:
        if tool.result:
            raise ToolResultInvalid(tool.name, (f"not JSON: {error}",)) from error
        return None
    if errors := _breaches(tool.name, tool.result, value):
        raise ToolResultInvalid(tool.name, errors)
    return canonical


def _breaches(tool: str, schema: Mapping[str, object], value: Any) -> tuple[str, ...]:
    """Name what is wrong and where; the value itself is never quoted."""
    try:
        return breaches(canonical_json(dict(schema)), value)
    except SchemaRefused as error:
        raise ToolFailed(tool, f"its schema can't be used: {error}") from error
