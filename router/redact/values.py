"""Where else does a value stand that was found once? Everywhere its detector missed it too: one linear pass over all values at once."""

from collections.abc import Callable
from typing import Any, Final

import re2

from router.contract import Finding
from router.redact.placeholders import Kind, Placeholders
from router.scan.text import pattern

SESSION: Final = "session"
"""The detector's name in findings of values that were taken out of an earlier turn."""
_LONG: Final = 8
"""From this length on a value is itself wherever it stands and in whatever case; a shorter one only as a word, as it was written."""
_NAME_PART: Final = 3
_SCORE: Final = 1.0
Scan = Callable[[str, int], tuple[Finding, ...]]


class Values:
    """Values to look for, each with what it is."""

    def __init__(self) -> None:
        self._kinds: dict[str, Kind] = {}

    def add(self, value: str, kind: Kind) -> None:
        """Take note of a value, and of the parts of a person's name: who is named once in full is named in part later."""
        self._kinds.setdefault(value, kind)
        if kind.entity == "PERSON" and len(parts := value.split()) > 1:
            for part in parts:
                if len(part) >= _NAME_PART and part[0].isupper() and part.isalpha():
                    self._kinds.setdefault(part, kind)

    def replacer(self, placeholder_for: Callable[[str, Kind], str]) -> Callable[[str], str]:
        """Return what replaces every occurrence of every value in a text."""
        if (matcher := self._matcher()) is None:
            return lambda text: text
        kinds = self._by_spelling()

        def replaced(match: Any) -> bytes:
            value = _text(match.group())
            return placeholder_for(value, _kind(kinds, value)).encode()

        return lambda text: _text(matcher.sub(replaced, _bytes(text)))

    def scan(self, scan: Scan) -> Scan:
        """Return a scan that finds these values too."""
        if (matcher := self._matcher()) is None:
            return scan
        kinds = self._by_spelling()

        def found(text: str, message: int) -> tuple[Finding, ...]:
            return (*scan(text, message), *_findings(matcher, kinds, text, message))

        return found

    def _matcher(self) -> Any | None:
        searched = [value for value in self._kinds if len(value) > 1]
        return pattern("|".join(map(_as_pattern, searched)), longest=True) if searched else None

    def _by_spelling(self) -> dict[str, Kind]:
        return {value.lower(): kind for value, kind in self._kinds.items()} | self._kinds


def scan_with(known: Placeholders, scan: Scan) -> Scan:
    """Return a scan that also finds what was taken out of the conversation's earlier turns: the answer to one may have it, and no cue."""
    values = Values()
    for one in known.given:
        values.add(one.value, Kind(one.entity, one.category))
    return values.scan(scan)


def _findings(matcher: Any, kinds: dict[str, Kind], text: str, message: int) -> list[Finding]:
    """Each occurrence, by characters: matches come in order, so that each byte is decoded once."""
    data = _bytes(text)
    found: list[Finding] = []
    done = characters = 0
    for match in matcher.finditer(data):
        start = characters + len(_text(data[done : match.start()]))
        value = _text(match.group())
        done, characters = match.end(), start + len(value)
        kind = _kind(kinds, value)
        found.append(
            Finding(
                entity=kind.entity,
                category=kind.category,
                message=message,
                start=start,
                end=characters,
                score=_SCORE,
                detector=SESSION,
            )
        )
    return found


def _kind(kinds: dict[str, Kind], value: str) -> Kind:
    """What a value is that matched. Where only the engine's own folding of case led to it, any of its kinds will do."""
    return kinds.get(value) or kinds.get(value.lower()) or next(iter(kinds.values()))


def _as_pattern(value: str) -> str:
    literal = re2.escape(value)
    if len(value) >= _LONG:
        return f"(?i:{literal})"
    return f"{_edge(value[0])}{literal}{_edge(value[-1])}"


def _edge(character: str) -> str:
    return r"\b" if character.isascii() and (character.isalnum() or character == "_") else ""


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
