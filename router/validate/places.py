"""What does a JSON Schema ask of a value and of what stands in it? Only what must hold: what can't be told early is left to the end.

A schema is taken apart once: `allOf` and local `$ref` are followed, `anyOf` and `oneOf` become alternatives. What is not understood
(`not`, `if`, `$dynamicRef`, references by anchor or `$id`, a schema that names its own dialect) asks for nothing here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from jsonschema_rs import Validator

from router.errors import SchemaRefused
from router.exact.schema import validator_of

_STANDARD: Final = "https://json-schema.org/draft/2020-12/schema"
_SINCE_REF_HAS_SIBLINGS: Final = frozenset({_STANDARD, "https://json-schema.org/draft/2019-09/schema"})
_DIALECTS: Final = _SINCE_REF_HAS_SIBLINGS | {
    f"http://json-schema.org/draft-0{number}/schema{end}" for number in (6, 7) for end in ("", "#")
}
_SCALAR: Final = (
    "type", "enum", "const", "minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "multipleOf",
)  # fmt: skip
_DEEPEST: Final = 16

Schema = Any
"""A schema as parsed: a mapping, true or false."""


@dataclass(frozen=True, slots=True)
class Demands:
    """The plain keywords of one schema object."""

    schema: Mapping[str, Any]
    types: frozenset[str] | None
    options: tuple[Any, ...] | None
    most_characters: int | None
    properties: Mapping[str, Schema]
    patterns: tuple[tuple[Validator, Schema], ...]
    others: Schema
    names: frozenset[str] | None
    required: tuple[str, ...]
    needs: Mapping[str, tuple[str, ...]]
    first_items: tuple[Schema, ...]
    items: Schema
    bounds: Mapping[str, int]
    scalar: Validator | None


@dataclass(frozen=True, slots=True)
class Asked:
    """All that is asked at one place. `never`: nothing may stand there. One of each list of `choices` must hold."""

    demands: tuple[Demands, ...] = ()
    choices: tuple[tuple[Schema, ...], ...] = ()
    never: bool = False


@dataclass(slots=True)
class Places:
    """Takes one contract's schema apart, each part once."""

    root: Schema
    formats: bool = True
    _asked: dict[int, Asked] = field(default_factory=dict)
    _follows: bool = field(init=False)
    _known: bool = field(init=False)

    def __post_init__(self) -> None:
        dialect = self.root.get("$schema", _STANDARD) if isinstance(self.root, dict) else _STANDARD
        self._known = dialect in _DIALECTS
        self._follows = not _has_inner_id(self.root, outermost=True)

    def asked(self, schema: Schema) -> Asked:
        """Return what a schema of this contract asks for."""
        if schema is True or not self._known:
            return Asked()
        if schema is False:
            return Asked(never=True)
        if id(schema) not in self._asked:
            found = _Gathered()
            self._gather(schema, found, frozenset())
            self._asked[id(schema)] = Asked(tuple(found.demands), tuple(found.choices), found.never)
        return self._asked[id(schema)]

    def _gather(self, schema: Schema, found: "_Gathered", above: frozenset[int]) -> None:
        if schema is False:
            found.never = True
        if not isinstance(schema, dict) or id(schema) in above or len(above) > _DEEPEST:
            return
        if "$schema" in schema and schema is not self.root:
            return
        above |= {id(schema)}
        if "$ref" in schema:
            self._gather(self._target(schema["$ref"]), found, above)
            if self._dialect not in _SINCE_REF_HAS_SIBLINGS:
                return
        found.demands.append(self._demands(schema))
        for part in schema.get("allOf", ()):
            self._gather(part, found, above)
        for keyword in ("anyOf", "oneOf"):
            if options := tuple(schema.get(keyword, ())):
                found.choices.append(options)

    @property
    def _dialect(self) -> str:
        return str(self.root.get("$schema", _STANDARD)) if isinstance(self.root, dict) else _STANDARD

    def _target(self, reference: str) -> Schema:
        """Follow a pointer into this document; what can't be followed asks for nothing."""
        if not self._follows or not (reference == "#" or reference.startswith("#/")):
            return True
        at = self.root
        for step in reference[2:].split("/") if reference != "#" else ():
            name = unquote(step).replace("~1", "/").replace("~0", "~")
            if isinstance(at, dict) and name in at:
                at = at[name]
            elif isinstance(at, list) and name.isdigit() and int(name) < len(at):
                at = at[int(name)]
            else:
                return True
        return at

    def _demands(self, schema: Mapping[str, Any]) -> Demands:
        kinds = schema.get("type")
        properties = schema.get("properties", {})
        patterns = tuple(
            (validator, inner)
            for pattern, inner in schema.get("patternProperties", {}).items()
            if (validator := self._validator({"pattern": pattern})) is not None
        )
        others = schema.get("additionalProperties", True)
        closed = others is False and not schema.get("patternProperties")
        items = schema.get("items", True)
        return Demands(
            schema=schema,
            types=None if kinds is None else frozenset([kinds] if isinstance(kinds, str) else kinds),
            options=_options(schema),
            most_characters=schema.get("maxLength"),
            properties=properties,
            patterns=patterns,
            # With a pattern that could not be read, a name may be one of its own.
            others=others if len(patterns) == len(schema.get("patternProperties", {})) else True,
            names=frozenset(properties) if closed else None,
            required=tuple(schema.get("required", ())),
            needs={name: tuple(needed) for name, needed in schema.get("dependentRequired", {}).items()}
            if self._dialect in _SINCE_REF_HAS_SIBLINGS
            else {},
            first_items=tuple(schema.get("prefixItems", ())) if self._dialect == _STANDARD else (),
            items=True if isinstance(items, list) else items,
            bounds={
                name: int(schema[name])
                for name in ("minItems", "maxItems", "minProperties", "maxProperties")
                if name in schema
            },
            scalar=self._validator({name: schema[name] for name in _SCALAR if name in schema}),
        )

    def _validator(self, keywords: dict[str, Any]) -> Validator | None:
        if not keywords:
            return None
        try:
            return validator_of({"$schema": self._dialect, **keywords}, formats=self.formats)
        except SchemaRefused:
            return None


@dataclass(slots=True)
class _Gathered:
    demands: list[Demands] = field(default_factory=list)
    choices: list[tuple[Schema, ...]] = field(default_factory=list)
    never: bool = False


def _options(schema: Mapping[str, Any]) -> tuple[Any, ...] | None:
    if "const" in schema:
        return (schema["const"],)
    return tuple(schema["enum"]) if "enum" in schema else None


def _has_inner_id(schema: Any, *, outermost: bool = False) -> bool:
    """Tell whether a part of the schema moves the base that references are read against."""
    if isinstance(schema, dict):
        return (not outermost and "$id" in schema) or any(_has_inner_id(part) for part in schema.values())
    return isinstance(schema, list) and any(_has_inner_id(part) for part in schema)
