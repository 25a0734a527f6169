"""Do arguments and result keep the tool's contract? Held against its JSON Schemas, formats included, on both sides of every call."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import jsonschema_rs

from router.bundle.files import ToolFile
from router.errors import ToolArgumentsInvalid, ToolFailed, ToolResultInvalid
from router.tools.arguments import canonical_arguments, canonical_json, parse_json

RESULT_CHARACTERS_AT_MOST: Final = 256 * 1024
_MOST_ERRORS: Final = 10


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
    if not schema:
        return ()
    found = []
    for breach in _validator(tool, canonical_json(dict(schema))).iter_errors(value):
        found.append(f"at /{'/'.join(str(step) for step in breach.instance_path)}: {breach.kind.name}")
        if len(found) == _MOST_ERRORS:
            break
    return tuple(found)


@lru_cache(maxsize=512)
def _validator(tool: str, schema: str) -> jsonschema_rs.Validator:
    try:
        return jsonschema_rs.validator_for(parse_json(schema), validate_formats=True, retriever=_refuse_to_fetch)
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        raise ToolFailed(tool, f"its schema can't be used: {str(error).splitlines()[0]}") from error


def _refuse_to_fetch(uri: str) -> Any:
    """A `$ref` to an address would make this process call out."""
    raise ValueError(f"the schema refers to {uri!r}: references outside the schema are refused")
