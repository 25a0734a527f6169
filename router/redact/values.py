"""Where else does a value stand that was found once? Everywhere its detector missed it too: one linear pass over all values at once."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import re2

from router.redact.spans import Span
from router.scan.text import pattern

_LONG: Final = 8
"""From this length on a value is itself wherever it stands and in whatever case; a shorter one only as a word, as it was written."""
_NAME_PART: Final = 3


class Values:
    """The values to hide, each with its entity."""

    def __init__(self) -> None:
        self._entities: dict[str, str] = {}

    def add(self, value: str, span: Span) -> None:
        """Take note of a value, and of the parts of a person's name: who is named once in full is named in part later."""
        self._entities.setdefault(value, span.entity)
        if span.entity == "PERSON" and len(parts := value.split()) > 1:
            for part in parts:
                if len(part) >= _NAME_PART and part[0].isupper() and part.isalpha():
                    self._entities.setdefault(part, span.entity)

    def replacer(self, placeholder_for: Callable[[str, str], str]) -> Callable[[str], str]:
        """Return what replaces every occurrence of every value in a text. Raises when there is too much to look for."""
        searched = [value for value in self._entities if len(value) > 1]
        if not searched:
            return lambda text: text
        matcher = pattern("|".join(map(_as_pattern, searched)), longest=True)
        entities = {value.lower(): entity for value, entity in self._entities.items()} | self._entities

        def replaced(match: Any) -> bytes:
            value = match.group().decode("utf-8", "surrogatepass")
            return placeholder_for(value, _entity(entities, value)).encode()

        def replace(text: str) -> str:
            return str(matcher.sub(replaced, text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass"))

        return replace


def _entity(entities: Mapping[str, str], value: str) -> str:
    return entities.get(value) or entities.get(value.lower(), "VALUE")


def _as_pattern(value: str) -> str:
    literal = re2.escape(value)
    if len(value) >= _LONG:
        return f"(?i:{literal})"
    return f"{_edge(value[0])}{literal}{_edge(value[-1])}"


def _edge(character: str) -> str:
    return r"\b" if character.isascii() and (character.isalnum() or character == "_") else ""
