"""How is a breach told? Where it is and what was expected there, in words that quote the schema and never the answer's values.

Names are quoted where they say what is wrong (a property that may not be there), a few and cut short: they can be private too.
"""

import json
from collections.abc import Iterable
from typing import Any, Final

from jsonschema_rs import ValidationError, ValidationErrorKind

_MOST_NAME_CHARACTERS: Final = 40
_MOST_SCHEMA_CHARACTERS: Final = 160
_MOST_STEPS: Final = 12
_MOST_NAMES: Final = 3

_Kind = ValidationErrorKind


def breach_in_words(error: ValidationError) -> str:
    """Return one breach as `at /path: what was expected`."""
    return f"{place(error.instance_path)}: {_expected(error)}"


def place(path: Iterable[str | int]) -> str:
    """Return a place in an answer as `at /path`, long names and long paths cut."""
    steps = [short(str(step)) for step in path]
    if len(steps) > _MOST_STEPS:
        steps = [*steps[:_MOST_STEPS], "…"]
    return "at /" + "/".join(steps)


def short(name: str) -> str:
    """Return a name that came from an answer, cut to a length that gives little away."""
    return name if len(name) <= _MOST_NAME_CHARACTERS else name[:_MOST_NAME_CHARACTERS] + "…"


def quoted(value: Any) -> str:
    """Return a value of the schema as JSON, cut."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _MOST_SCHEMA_CHARACTERS else text[:_MOST_SCHEMA_CHARACTERS] + "…"


def names(found: Iterable[str]) -> str:
    """Return the first few names that an answer should not have."""
    listed = list(found)
    shown = ", ".join(f"`{short(name)}`" for name in listed[:_MOST_NAMES])
    return shown if len(listed) <= _MOST_NAMES else f"{shown} and {len(listed) - _MOST_NAMES} more"


def one_of(options: Iterable[Any]) -> str:
    """Return the values of an enum, cut."""
    return f"expected one of {quoted(list(options))}"


def _expected(error: ValidationError) -> str:
    """Say what was expected. A kind that is not listed is called by its keyword."""
    match error.kind:
        case _Kind.Type(types):
            return f"expected {' or '.join(types)}"
        case _Kind.Required(name):
            return f"`{short(name)}` is missing"
        case _Kind.AdditionalProperties(unexpected) | _Kind.UnevaluatedProperties(unexpected):
            return f"{names(unexpected)} may not be there"
        case _Kind.Enum(options):
            return one_of(options)
        case _Kind.Constant(value):
            return f"expected {quoted(value)}"
        case _Kind.Pattern(pattern):
            return f"expected text that matches {quoted(pattern)}"
        case _Kind.Format(name):
            return f"expected the format {name}"
        case _Kind.PropertyNames(inner):
            return f"a name in it is not allowed: {_expected(inner)}"
        case _Kind.AnyOf(context) | _Kind.OneOfNotValid(context):
            return _nearest(context)
        case _Kind.FalseSchema() if error.schema_path[-1:] == ["additionalProperties"]:
            return "expected an object without any property"
        case _:
            return _PLAIN.get(type(error.kind)) or _bound(error.kind)


_PLAIN: Final[dict[type[ValidationErrorKind], str]] = {
    _Kind.OneOfMultipleValid: "fits more than one alternative where one alone may fit",
    _Kind.Not: "has the form that the contract rules out (not)",
    _Kind.UniqueItems: "expected items that differ from each other",
    _Kind.FalseSchema: "nothing may stand here",
    _Kind.BacktrackLimitExceeded: "the schema's pattern could not be matched in reasonable time",
    _Kind.RegexEngineFailure: "the schema's pattern could not be matched in reasonable time",
}
_BOUNDS: Final = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "multipleOf": "a multiple of {}",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "minProperties": "at least {} properties",
    "maxProperties": "at most {} properties",
}


def bound(keyword: str, limit: Any) -> str:
    """Return what a bound of the schema asks for."""
    return f"expected {_BOUNDS[keyword].format(limit)}"


def _bound(kind: ValidationErrorKind) -> str:
    limits = [value for value in kind.as_dict().values() if isinstance(value, int | float)]
    if kind.name in _BOUNDS and limits:
        return bound(kind.name, limits[0])
    return f"breaks the schema's `{kind.name}`"


def _nearest(context: list[list[ValidationError]]) -> str:
    """Tell of the alternative that was missed by least: the others are not what the model meant."""
    told = f"fits none of the {len(context)} alternatives"
    # What reached deepest into an alternative was probably meant for it.
    tried = [breaches for breaches in context if breaches]
    if not tried:
        return told
    nearest = max(tried, key=lambda breaches: (max(len(one.instance_path) for one in breaches), -len(breaches)))
    first = nearest[0]
    return f"{told}; nearest: {place(first.instance_path)}: {_expected(first)}"
