"""Does this answer meet its output contract? Held against the schema at the end, whoever promised to constrain it."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jsonschema_rs
import orjson

from router.errors import SchemaRefused

_MOST_ERRORS = 10


@dataclass(frozen=True, slots=True)
class Validity:
    """Whether the answer is valid, and if not, what breaks where (at most ten findings)."""

    valid: bool
    errors: tuple[str, ...] = ()


def validate_answer(text: str, schema: str) -> Validity:
    """Hold an answer's text against a JSON Schema, both JSON text. `"{}"` asks for any JSON object.

    Raises `SchemaRefused` when the schema itself is no JSON Schema.
    """
    try:
        answer = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return Validity(valid=False, errors=(f"not JSON: {error}",))
    if schema == "{}":
        return (
            Validity(valid=True) if isinstance(answer, dict) else Validity(valid=False, errors=("not a JSON object",))
        )
    found = []
    for breach in _validator(schema).iter_errors(answer):
        found.append(f"at /{'/'.join(str(step) for step in breach.instance_path)}: {breach.kind.name}")
        if len(found) == _MOST_ERRORS:
            break
    return Validity(valid=not found, errors=tuple(found))


def check_schema(schema: str) -> None:
    """Raise `SchemaRefused` unless this JSON text is a JSON Schema that can be held against an answer."""
    _validator(schema)


@lru_cache(maxsize=256)
def _validator(schema: str) -> jsonschema_rs.Validator:
    try:
        parsed = orjson.loads(schema)
        return jsonschema_rs.validator_for(parsed, validate_formats=True, retriever=_refuse_to_fetch)
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise SchemaRefused(f"response_format: not a usable JSON Schema: {reason}", "response_format") from error


def _refuse_to_fetch(uri: str) -> Any:
    """A `$ref` to an address would make this process call out to wherever the caller says."""
    raise ValueError(f"the schema refers to {uri!r}: references outside the schema are refused")
