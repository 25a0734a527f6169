"""How is a JSON Schema said to the engine, so that all it lets through is valid?

What asks for nothing is left out, formats and patterns are written out, and objects that name their properties are closed: a small model
fills open ones with names of its own until its tokens are used up. `relaxed` says less than the schema: what the engine can't enforce
is left out, and the whole answer is held against the schema at the end.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from router.enforce.patterns import FORMAT_PATTERNS, FORMAT_STANDS_FOR, FORMATS, engine_pattern

Schema = dict[str, Any]

_MAPS: Final = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTS: Final = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_ONES: Final = (
    "additionalProperties", "items", "additionalItems", "contains", "propertyNames", "not", "if", "then", "else", "unevaluatedItems",
    "unevaluatedProperties", "contentSchema",
)  # fmt: skip
UNENFORCED: Final = (
    "not", "if", "then", "else", "contains", "minContains", "maxContains", "uniqueItems", "propertyNames", "dependentRequired",
    "dependentSchemas", "dependencies", "unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef", "$dynamicAnchor",
    "$recursiveAnchor",
)  # fmt: skip
"""What the engine knows and does not do: it refuses the schema."""
_JOINS: Final = ("allOf", "anyOf", "oneOf", "$ref", "$dynamicRef", "if", "then", "else", "dependentSchemas", "contains")
_BESIDE_REF: Final = frozenset(
    {"$ref", "$defs", "definitions", "description", "title", "$schema", "$id", "default", "examples", "$comment"}
)
_DEEPEST: Final = 64


def narrowed(schema: Any) -> Any:
    """Return what the engine is told. Every value that it allows is allowed by the schema."""
    closes = not any(_joins(part) for _, part in parts(schema))
    return _rewritten(schema, lambda part: _narrow(part, closes=closes))


def relaxed(schema: Any) -> Any:
    """Return the part of a schema that the engine can be told. It allows what the schema does, formats and patterns as in `narrowed`."""
    return _rewritten(schema, _relax)


def parts(schema: Any, place: str = "", depth: int = 0) -> Iterator[tuple[str, Schema]]:
    """Yield each schema object inside a schema with its place (a JSON Pointer), the outermost first."""
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return
    yield place, schema
    for keyword, step, inner in _inner(schema):
        yield from parts(inner, f"{place}/{keyword}{step}", depth + 1)


def _inner(schema: Schema) -> Iterator[tuple[str, str, Any]]:
    for keyword in _MAPS:
        if isinstance(named := schema.get(keyword), dict):
            yield from ((keyword, "/" + name.replace("~", "~0").replace("/", "~1"), one) for name, one in named.items())
    for keyword in _LISTS:
        if isinstance(listed := schema.get(keyword), list):
            yield from ((keyword, f"/{index}", one) for index, one in enumerate(listed))
    yield from ((keyword, "", schema[keyword]) for keyword in _ONES if keyword in schema)


def _rewritten(schema: Any, change: Callable[[Schema], Schema], depth: int = 0) -> Any:
    if not isinstance(schema, dict) or depth > _DEEPEST:
        return schema
    written = dict(schema)
    for keyword in _MAPS:
        if isinstance(named := written.get(keyword), dict):
            written[keyword] = {name: _rewritten(one, change, depth + 1) for name, one in named.items()}
    for keyword in _LISTS:
        if isinstance(listed := written.get(keyword), list):
            written[keyword] = [_rewritten(one, change, depth + 1) for one in listed]
    for keyword in _ONES:
        if keyword in written:
            written[keyword] = _rewritten(written[keyword], change, depth + 1)
    return change(written)


def _joins(schema: Schema) -> bool:
    """Tell whether two schemas may speak of the same object: closing either would forbid the other's properties."""
    if "$ref" in schema and not schema.keys() <= _BESIDE_REF:
        return True
    own = any(name in schema for name in ("properties", "patternProperties", "required", "additionalProperties"))
    return "allOf" in schema or (own and any(name in schema for name in ("anyOf", "oneOf")))


def _narrow(schema: Schema, *, closes: bool) -> Schema:
    schema = {name: value for name, value in schema.items() if not _asks_nothing(name, value, schema)}
    joined = any(name in schema for name in _JOINS)
    if schema.get("unevaluatedProperties") is False and not joined:
        del schema["unevaluatedProperties"]
        schema.setdefault("additionalProperties", False)
    if schema.get("unevaluatedItems") is False and not joined:
        del schema["unevaluatedItems"]
        schema.setdefault("items", False)
    names = schema.get("properties") or schema.get("patternProperties")
    if closes and names and "additionalProperties" not in schema and _names_all_it_needs(schema):
        schema["additionalProperties"] = False
    return _with_patterns(schema)


def _names_all_it_needs(schema: Schema) -> bool:
    return set(schema.get("required", ())) <= set(schema.get("properties", {}))


def _asks_nothing(keyword: str, value: Any, schema: Schema) -> bool:
    match keyword:
        case "then" | "else":
            return "if" not in schema
        case "if":
            return "then" not in schema and "else" not in schema
        case "minContains" | "maxContains":
            return "contains" not in schema
        case "propertyNames" | "unevaluatedProperties" | "unevaluatedItems":
            return value is True or value == {}
        case "uniqueItems":
            return value is False or bool(schema.get("maxItems", 2) < 2)
        case "dependentRequired" | "dependentSchemas" | "dependencies":
            return bool(value == {})
        case "not":
            return value is False
        case "format":
            return value not in FORMATS
        case _:
            return False


def _with_patterns(schema: Schema) -> Schema:
    """Write out `pattern`, `patternProperties` and the formats that the engine takes for more than they are."""
    also: list[Schema] = []
    if isinstance(pattern := schema.get("pattern"), str):
        schema["pattern"] = engine_pattern(pattern) or pattern
    if isinstance(named := schema.get("patternProperties"), dict):
        schema["patternProperties"] = {engine_pattern(name) or name: one for name, one in named.items()}
    asked = schema.get("format")
    if asked in FORMAT_STANDS_FOR:
        schema["format"] = FORMAT_STANDS_FOR[asked]
    elif asked in FORMAT_PATTERNS:
        del schema["format"]
        also.append({"pattern": FORMAT_PATTERNS[asked]})
    if also and "pattern" not in schema:
        return schema | also[0]
    return schema | {"allOf": [*schema.get("allOf", ()), *also]} if also else schema


def _relax(schema: Schema) -> Schema:
    schema = {name: value for name, value in schema.items() if name not in UNENFORCED}
    if "oneOf" in schema:
        schema["allOf"] = [*schema.get("allOf", ()), {"anyOf": schema.pop("oneOf")}]
    if schema.get("format") not in FORMATS - {"regex", "uri-template"}:
        schema.pop("format", None)
    return _with_patterns(schema)
