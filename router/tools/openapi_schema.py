"""How does a schema of an OpenAPI file become a JSON Schema that stands alone? References become `$defs`, `nullable` becomes a type."""

from collections.abc import Mapping
from typing import Any, Final

from router.exact import canonical_json

_SCHEMAS: Final = "#/components/schemas/"
_HOPS_AT_MOST: Final = 16
_DROPPED: Final = frozenset(
    {"example", "examples", "externalDocs", "xml", "discriminator", "nullable", "description", "title"}
)
"""Words for readers, and OpenAPI's own: none of them says what is valid."""


class BadReference(Exception):
    """A reference that leads nowhere, out of the file, or to more than may be kept."""


def resolved(document: Any, value: Any) -> Mapping[str, Any]:
    """Follow `$ref` to an object of this file. Raises `BadReference`."""
    for _ in range(_HOPS_AT_MOST):
        if not isinstance(value, Mapping):
            raise BadReference("something that must be an object is none")
        if "$ref" not in value:
            return value
        value = _at(document, str(value["$ref"]))
    raise BadReference("a reference leads in a circle")


def closed_schema(document: Any, schema: Mapping[str, Any], characters_at_most: int = 400_000) -> dict[str, Any]:
    """Return a schema that refers to nothing outside itself. Raises `BadReference`, also for one that would be too long."""
    waiting: list[str] = []
    defined: dict[str, Any] = {}
    closed: dict[str, Any] = _plain(schema, waiting)
    length = len(canonical_json(closed))
    while waiting:
        name = waiting.pop()
        if name in defined:
            continue
        defined[name] = _plain(_at(document, _SCHEMAS + name), waiting)
        length += len(canonical_json(defined[name]))
        if length > characters_at_most:
            raise BadReference(f"its schema is longer than {characters_at_most} characters")
    return closed | {"$defs": defined} if defined else closed


def _at(document: Any, reference: str) -> Any:
    if not reference.startswith("#/"):
        raise BadReference(f"the reference {reference!r} leaves the file")
    value = document
    for step in reference[2:].split("/"):
        key = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(value, Mapping) or key not in value:
            raise BadReference(f"the reference {reference!r} leads nowhere")
        value = value[key]
    return value


def _plain(value: Any, waiting: list[str], *, names: bool = False) -> Any:
    """Copy a schema, noting the schemas that it refers to. `names`: the keys are names of properties, not words of JSON Schema."""
    if isinstance(value, list):
        return [_plain(item, waiting) for item in value]
    if not isinstance(value, Mapping):
        return value
    if not names and isinstance(value.get("$ref"), str):
        reference = value["$ref"]
        if not reference.startswith(_SCHEMAS) or "/" in reference.removeprefix(_SCHEMAS):
            raise BadReference(f"the reference {reference!r} is to no schema of the file")
        waiting.append(reference.removeprefix(_SCHEMAS))
        return {"$ref": f"#/$defs/{waiting[-1]}"}
    kept = {
        key: _plain(item, waiting, names=key in {"properties", "patternProperties"} and not names)
        for key, item in value.items()
        if names or not (key in _DROPPED or key.startswith("x-"))
    }
    return kept if names else _with_null(kept, nullable=value.get("nullable") is True)


def _with_null(schema: dict[str, Any], *, nullable: bool) -> dict[str, Any]:
    """OpenAPI 3.0 says `nullable`, and `exclusiveMinimum: true` beside `minimum`; JSON Schema says both otherwise."""
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(schema.get(exclusive), bool) and schema.pop(exclusive) and bound in schema:
            schema[exclusive] = schema.pop(bound)
    if not nullable:
        return schema
    if isinstance(schema.get("type"), str):
        allowed = {"enum": [*schema["enum"], None]} if None not in schema.get("enum", [None]) else {}
        return schema | {"type": [schema["type"], "null"]} | allowed
    return {"anyOf": [schema, {"type": "null"}]}
