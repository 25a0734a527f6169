"""May this schema be promised to a caller? Asked of the engine's own grammar compiler, in milliseconds and without a model.

The private lanes constrain decoding by llguidance: it refuses what it does not do instead of leaving it out, so that what it takes
it enforces, once formats and patterns are written out for it (`narrow`). docs/contracts.md has the measurement that chose it.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import llguidance
import orjson

from router.enforce.narrow import UNENFORCED, narrowed, parts, relaxed
from router.enforce.patterns import engine_pattern
from router.errors import SchemaRefused

_ANY_VALUE: Final = '{"type":["object","array","string","number","boolean","null"]}'
_MOST_SCHEMA_BYTES: Final = 256 * 1024
_TOKENS: Final = llguidance.LLTokenizer("byte")
_ASSERTED_BY_OLD_DRAFTS: Final = ("contentEncoding", "contentMediaType")


@dataclass(frozen=True, slots=True)
class Enforceable:
    """The engine holds every answer to it. `schema` is how it is told."""

    schema: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The engine can't. `keyword` stands at `place` (a JSON Pointer into the schema); `relaxed` is the part that it can hold to."""

    because: str
    keyword: str | None
    place: str
    relaxed: str


@lru_cache(maxsize=1024)
def enforceable(schema: str) -> Enforceable | Refused:
    """Tell whether every answer that the engine completes under this JSON Schema (JSON text) will meet it."""
    if len(schema) > _MOST_SCHEMA_BYTES:
        return Refused(f"it is longer than {_MOST_SCHEMA_BYTES} bytes", None, "", _ANY_VALUE)
    parsed = orjson.loads(schema)
    if parsed is True:
        return Enforceable(_ANY_VALUE)
    if (found := _left_out(parsed)) is not None:
        return Refused(f"{found[2]} (`{found[0]}`)", found[0], found[1], _part_of(parsed))
    told = orjson.dumps(narrowed(parsed)).decode()
    problem = _problem(told)
    if problem is None:
        return Enforceable(told)
    keyword, place = _culprit(parsed, problem)
    because = f"`{keyword}` can't be enforced while the answer is written" if keyword else f"the engine says: {problem}"
    return Refused(because, keyword, place, _part_of(parsed))


def engine_schema(schema: str) -> str:
    """Return what the engine is told of a schema: all of it, or the part that it can enforce."""
    match enforceable(schema):
        case Enforceable(told):
            return told
        case Refused() as refused:
            return refused.relaxed


def refuse_unenforceable(schema: str) -> None:
    """Raise `SchemaRefused`, naming keyword and place, for a schema that the engine can't enforce exactly."""
    match enforceable(schema):
        case Enforceable():
            return
        case Refused(because, _, place, _):
            raise SchemaRefused(
                f"response_format: the schema can't be enforced exactly, at #{place}: {because}. Leave that out, or set `strict` to"
                " false: the answer is then held against the whole schema at its end",
                "response_format",
            )


def _left_out(schema: Any) -> tuple[str, str, str] | None:
    """Find what the engine would pass over in silence: keyword, place and why."""
    dialect = schema.get("$schema", "") if isinstance(schema, dict) else ""
    for place, part in parts(schema):
        for keyword in _ASSERTED_BY_OLD_DRAFTS if "draft-0" in dialect else ():
            if keyword in part:
                return keyword, place, "the engine passes over what this draft asserts"
        for pattern in [part.get("pattern"), *(part.get("patternProperties") or ())]:
            if isinstance(pattern, str) and engine_pattern(pattern) is None:
                return "pattern", place, "the engine takes `\\S` in a class for another set"
    return None


def _problem(schema: str) -> str | None:
    """Return why the engine does not take a schema, in its own words, one line."""
    try:
        grammar = llguidance.LLMatcher.grammar_from_json_schema(schema, defaults={"whitespace_flexible": False})
        said = llguidance.LLMatcher.validate_grammar(grammar, _TOKENS)
    except ValueError as error:
        said = str(error)
    return said.strip().splitlines()[0][:200] if said else None


def _culprit(schema: Any, problem: str) -> tuple[str | None, str]:
    """Find the first keyword that the engine's words name, and where it stands."""
    named = [keyword for keyword in (*UNENFORCED, "oneOf", "format", "patternProperties") if _names(problem, keyword)]
    for place, part in parts(schema):
        for keyword in named:
            if keyword in part:
                return keyword, f"{place}/{keyword}"
    return None, ""


def _names(problem: str, keyword: str) -> bool:
    spoken = {"format": "Unknown format", "patternProperties": "patternProperty", "oneOf": "oneOf constraints"}
    return spoken.get(keyword, f'"{keyword}"') in problem


def _part_of(schema: Any) -> str:
    part = orjson.dumps(relaxed(schema)).decode()
    return part if _problem(part) is None else _ANY_VALUE
