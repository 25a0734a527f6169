"""Which placeholder stands for which value? One for each value, the same throughout a conversation, and none that its texts could name.

INVARIANT: a placeholder in use is not written in the texts as they came, in any form that would be read as one. So nobody gets at a
value by writing its placeholder; and an answer is restored from what this very request held, never from another turn's values.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from router.redact.forms import entity_word, name_of, numbers_written

VALUES_AT_MOST: Final = 2000
"""A prompt with more than this many values to hide is a data set, and stays."""


class PlaceholderTaken(ValueError):
    """A placeholder stands for another value already: whoever came second has to choose again."""


class TooManyValues(ValueError):
    """There is more to hide than a prompt should hold."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a value is, as its detector calls it: `PERSON` of `pii`."""

    entity: str
    category: str


@dataclass(frozen=True, slots=True)
class Placeholder:
    """`<PERSON_1>`, the value it stands for and its category. The value is never shown: it stays out of logs and errors."""

    entity: str
    number: int
    value: str = field(repr=False)
    category: str

    @property
    def name(self) -> str:
        """`PERSON_1`."""
        return name_of(self.entity, self.number)

    @property
    def text(self) -> str:
        """What is written in the value's place."""
        return f"<{self.name}>"


@dataclass(frozen=True, slots=True)
class Placeholders:
    """The placeholders of a request or a conversation, in the order in which they were given."""

    given: tuple[Placeholder, ...] = ()

    def values(self) -> Mapping[str, str]:
        """Return the values by name."""
        return {one.name: one.value for one in self.given}

    def counts(self) -> Mapping[str, int]:
        """Return how many values of each entity there are: all that is ever told of them."""
        counts: dict[str, int] = {}
        for one in self.given:
            counts[one.entity] = counts.get(one.entity, 0) + 1
        return counts

    def joined(self, other: "Placeholders") -> "Placeholders":
        """Return both. Raises `PlaceholderTaken` when a name stands for two values, and `TooManyValues`."""
        known = self.values()
        fresh = tuple(one for one in other.given if one.name not in known)
        if any(known.get(one.name, one.value) != one.value for one in other.given):
            raise PlaceholderTaken("a placeholder stands for another value already")
        if len(known) + len(fresh) > VALUES_AT_MOST:
            raise TooManyValues(f"the conversation has more than {VALUES_AT_MOST} values to hide")
        return Placeholders((*self.given, *fresh)) if fresh else self

    def to_json(self) -> bytes:
        """Return the map as the keeper encrypts it."""
        return json.dumps(
            [[one.entity, one.number, one.value, one.category] for one in self.given], separators=(",", ":")
        ).encode()

    @classmethod
    def from_json(cls, source: bytes) -> "Placeholders":
        """Read `to_json`'s bytes. Raises ValueError."""
        return cls(
            tuple(
                Placeholder(str(entity), int(number), str(value), str(category))
                for entity, number, value, category in json.loads(source)
            )
        )


class Allotment:
    """Gives values their placeholders for one request: those the conversation knows, else fresh ones."""

    def __init__(self, known: Placeholders, texts: Iterable[str]) -> None:
        """`texts` is all that the request's texts say, as they came."""
        self._texts = tuple(texts)
        self._written: dict[str, set[int]] = {}
        self._known: dict[str, list[Placeholder]] = {}
        self._used: dict[str, Placeholder] = {}
        self._taken: dict[str, set[int]] = {}
        for one in known.given:
            self._known.setdefault(one.value, []).append(one)
            self._taken.setdefault(one.entity, set()).add(one.number)

    @property
    def used(self) -> Placeholders:
        """Every placeholder that this request needed."""
        return Placeholders(tuple(self._used.values()))

    def placeholder_for(self, value: str, kind: Kind) -> str:
        """Return what is written in the place of a value. Raises `TooManyValues`."""
        if (given := self._used.get(value)) is None:
            if len(self._used) == VALUES_AT_MOST:
                raise TooManyValues(f"more than {VALUES_AT_MOST} values would have to be hidden")
            given = self._used[value] = self._remembered(value) or self._fresh(value, kind)
        return given.text

    def _remembered(self, value: str) -> Placeholder | None:
        known = self._known.get(value, ())
        return next((one for one in known if one.number not in self._written_numbers(one.entity)), None)

    def _fresh(self, value: str, kind: Kind) -> Placeholder:
        entity = entity_word(kind.entity)
        taken = self._taken.setdefault(entity, set())
        written = self._written_numbers(entity)
        number = len(taken) + 1
        while number in taken or number in written:
            number += 1
        taken.add(number)
        return Placeholder(entity, number, value, kind.category)

    def _written_numbers(self, entity: str) -> set[int]:
        if entity not in self._written:
            self._written[entity] = set().union(*(numbers_written(entity, text) for text in self._texts))
        return self._written[entity]
