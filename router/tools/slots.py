"""Which arguments for a tool does the request's own text hold? Found by pattern, list of values or format; what is not found is missing.

No model is asked: a ticket's number in the text is looked up before one is. Where a text holds several candidates and nothing tells them
apart, none is taken: asking is cheaper than looking up somebody else's ticket.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import re2

from router.bundle.files import ToolFile
from router.errors import SchemaRefused, ToolArgumentsInvalid
from router.exact import breaches, canonical_json
from router.tools.check import checked_arguments

_TEXT_CHARACTERS: Final = 20_000
_CANDIDATES: Final = 200
_CUE_CHARACTERS: Final = 40
_TOKEN: Final = re.compile(r"[^\s,;!?\"'()\[\]{}<>|]+")
_FILLERS: Final = frozenset(
    {"id", "ids", "name", "number", "no", "nr", "key", "code", "value", "is", "the", "my", "of", "with", "for"}
)
_FORMATS: Final[dict[str, str]] = {
    "email": r"[^@\s]+@[^@\s]+\.[^@\s]+",
    "date": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "date-time": r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9:.]+([Zz]|[+-][0-9:]+)",
    "uuid": r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    "uri": r"[A-Za-z][A-Za-z0-9+.-]*://\S+",
    "ipv4": r"[0-9]{1,3}(\.[0-9]{1,3}){3}",
}


@dataclass(frozen=True, slots=True)
class Slots:
    """What a text holds for a tool. `arguments_json` is canonical and fits the tool's parameters; None while `missing` names any."""

    arguments_json: str | None
    missing: tuple[str, ...] = ()
    ambiguous: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Candidate:
    value: Any
    cued: bool
    """Whether the parameter's own name stands just before it: `order A-1001`."""


def fill_slots(tool: ToolFile, text: str) -> Slots:
    """Return a tool's arguments as far as this text (what the caller wrote) holds them.

    Required parameters are looked for anywhere; others are taken only where the text names them.
    """
    properties = tool.parameters.get("properties")
    required = tool.parameters.get("required")
    wanted = [str(name) for name in required] if isinstance(required, list) else []
    found: dict[str, Any] = {}
    missing: list[str] = []
    ambiguous: list[str] = []
    for name, schema in (properties if isinstance(properties, dict) else {}).items():
        match _choice(list(_candidates(name, schema, text[:_TEXT_CHARACTERS])), anywhere=name in wanted):
            case []:
                if name in wanted:
                    missing.append(name)
            case [value]:
                found[name] = value
            case _:
                ambiguous.append(name)
    missing += [name for name in wanted if name not in found and name not in (*missing, *ambiguous)]
    if missing or any(name in wanted for name in ambiguous):
        return Slots(None, tuple(missing), tuple(ambiguous))
    try:
        return Slots(checked_arguments(tool, canonical_json(found)), ambiguous=tuple(ambiguous))
    except ToolArgumentsInvalid:
        return Slots(None, tuple(wanted))


def _choice(candidates: list[_Candidate], *, anywhere: bool) -> list[Any]:
    """The distinct values that are left once what the text names outweighs what merely fits."""
    cued = [candidate for candidate in candidates if candidate.cued]
    left = cued or (candidates if anywhere else [])
    return list({canonical_json(candidate.value): candidate.value for candidate in left}.values())


def _candidates(name: str, schema: Any, text: str) -> Iterator[_Candidate]:
    """Yield what in the text could be this parameter's value."""
    if not isinstance(schema, Mapping):
        return
    if "const" in schema:
        yield _Candidate(schema["const"], cued=True)
        return
    if isinstance(schema.get("enum"), list):
        yield from _listed(name, schema["enum"], text)
        return
    shape = _shape(schema)
    if shape is None:
        return
    pattern, whole = shape
    for number, token in enumerate(_TOKEN.finditer(text)):
        if number >= _CANDIDATES * 20:
            return
        word = token[0].strip(".:*`_#")
        cued = _is_cued(name, text[max(0, token.start() - _CUE_CHARACTERS) : token.start()])
        for spelling in dict.fromkeys((word, word.upper())):
            if not spelling or not pattern.fullmatch(spelling) or (not whole and not _tells(spelling, cued=cued)):
                continue
            value = _value(spelling, schema)
            if value is not None and _fits(schema, value):
                yield _Candidate(value, cued)
                break


def _listed(name: str, values: list[Any], text: str) -> Iterator[_Candidate]:
    for value in values:
        if isinstance(value, str) and value:
            for at in re.finditer(rf"(?<![\w-]){re.escape(value)}(?![\w-])", text, re.IGNORECASE):
                yield _Candidate(value, _is_cued(name, text[max(0, at.start() - _CUE_CHARACTERS) : at.start()]))


def _shape(schema: Mapping[str, Any]) -> tuple[Any, bool] | None:
    """The expression that a value matches from end to end, and whether a match alone is sign enough."""
    kind, pattern, form = schema.get("type"), schema.get("pattern"), schema.get("format")
    if kind == "string" and isinstance(form, str) and form in _FORMATS:
        return _compiled(_FORMATS[form]), True
    if kind == "string" and isinstance(pattern, str) and pattern.startswith("^") and pattern.endswith("$"):
        compiled = _compiled(pattern)
        return None if compiled is None else (compiled, False)
    if kind in {"integer", "number"}:
        return _compiled(r"-?[0-9]{1,15}" if kind == "integer" else r"-?[0-9]{1,15}(\.[0-9]{1,6})?"), False
    return None


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> Any:
    """None for what RE2 can't read: it matches in linear time, and the text is a stranger's."""
    try:
        return re2.compile(pattern)
    except re2.error:
        return None


def _tells(word: str, *, cued: bool) -> bool:
    """Whether a word looks like an identifier: letters alone, or a bare number, are one only where the text says so."""
    return cued or (any(letter.isdigit() for letter in word) and not word.replace(".", "").lstrip("-").isdigit())


def _value(word: str, schema: Mapping[str, Any]) -> Any:
    match schema.get("type"):
        case "integer":
            return int(word)
        case "number":
            return float(word)
        case _:
            return word


def _fits(schema: Mapping[str, Any], value: Any) -> bool:
    try:
        return not breaches(canonical_json(dict(schema)), value)
    except (SchemaRefused, ValueError):
        return False


def _is_cued(name: str, before: str) -> bool:
    """Whether the parameter's name (without `id`, `number` and the like) is the last thing said before: `order no. A-1001`."""
    cues = [word for word in re.split(r"[_\W]+|(?<=[a-z])(?=[A-Z])", name) if word and word.lower() not in _FILLERS]
    said = [word for word in re.findall(r"\w+", before.lower()) if word not in _FILLERS]
    return bool(cues) and said[-len(cues) :] == [cue.lower() for cue in cues]
