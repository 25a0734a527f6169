"""Does this value meet this JSON Schema? Draft 2020-12 unless the schema names an older one; nothing is ever fetched."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

import jsonschema_rs
import orjson

from router.errors import SchemaRefused
from router.exact.wording import breach_in_words

MOST_ERRORS: Final = 10
Documents = Mapping[str, Any]
"""Schemas by their address, for references to others than the schema itself. Contracts have none."""


def breaches(schema: str, value: Any, *, formats: bool = True) -> tuple[str, ...]:
    """Return where a value breaks a schema (JSON text), at most ten breaches. Raises `SchemaRefused` when it is no JSON Schema.

    `formats`: whether `format` is asserted. Otherwise it is what the schema's dialect makes it: an annotation in draft 2020-12.
    """
    found = []
    for breach in _validator(schema, formats=formats).iter_errors(value):
        found.append(breach_in_words(breach))
        if len(found) == MOST_ERRORS:
            break
    return tuple(found)


def check_schema(schema: str) -> None:
    """Raise `SchemaRefused` unless this JSON text is a JSON Schema that can be held against an answer."""
    _validator(schema, formats=True)


@lru_cache(maxsize=512)
def _validator(schema: str, *, formats: bool) -> jsonschema_rs.Validator:
    try:
        return validator_of(orjson.loads(schema), formats=formats)
    except orjson.JSONDecodeError as error:
        raise SchemaRefused(f"the schema is not JSON: {error}", "response_format") from error


def validator_of(schema: Any, *, formats: bool, documents: Documents | None = None) -> jsonschema_rs.Validator:
    """Return the validator of a parsed schema. Raises `SchemaRefused`."""
    try:
        return jsonschema_rs.validator_for(
            schema, validate_formats=formats or None, retriever=_retriever(documents or {})
        )
    except (jsonschema_rs.ReferencingError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise SchemaRefused(f"not a usable JSON Schema: {reason}", "response_format") from error


def _retriever(documents: Documents) -> Callable[[str], Any]:
    """A `$ref` to an address would make this process call out to wherever the caller says."""

    def given(uri: str) -> Any:
        if uri in documents:
            return documents[uri]
        raise ValueError(f"the schema refers to {uri!r}: references outside the schema are refused")

    return given
