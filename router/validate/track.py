"""Which part of a schema does the value that is being read stand under, and does it break it already?

A track follows one value, and by its inner tracks what stands in it. Each method returns what is broken, or None while all may still
be well. An alternative of `anyOf` or `oneOf` that breaks is dropped; the last one dropped is a breach.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from router.exact.wording import bound, breach_in_words, names, one_of, short
from router.validate.places import Asked, Demands, Places, Schema
from router.validate.scanner import Kind

_KINDS: Final[dict[type, Kind]] = {
    dict: "object", list: "array", str: "string", int: "number", float: "number", bool: "boolean", type(None): "null",
}  # fmt: skip

_MOST_TRACKS: Final = 4096
"""At one depth, over all alternatives: what goes beyond (a schema made to cost time) is looked at when the answer is whole."""
_DEEPEST: Final = 64


class Track:
    """One value under one schema. `room` is how many tracks it may open at each depth, itself included."""

    __slots__ = ("_asked", "_choices", "_count", "_depth", "_inner", "_keys", "_kind", "_next", "_places", "_room")

    def __init__(self, places: Places, schema: Schema, depth: int = 0, room: int = _MOST_TRACKS) -> None:
        self._places, self._depth, self._room = places, depth, room
        self._asked: Asked = places.asked(schema)
        # One more than there are options, so that a chain of single ones ends too.
        share = room // (1 + sum(len(options) for options in self._asked.choices))
        self._choices = [
            [Track(places, option, depth, share) for option in options] for options in self._asked.choices if share
        ]
        self._kind: Kind = "null"
        self._inner: list[Track] = []
        self._next: list[Schema] = []
        self._keys: set[str] = set()
        self._count = 0

    @property
    def idle(self) -> bool:
        """Whether nothing is asked of this value."""
        return not (self._asked.demands or self._choices or self._asked.never)

    # ---------------------------------------------------------------- what the scanner tells

    def begin(self, depth: int, kind: Kind) -> str | None:
        """A value begins: this one, one in it, or one further in."""
        if depth == self._depth:
            self._kind = kind
            broken = (
                "nothing may stand here"
                if self._asked.never
                else self._first(_kind_breach(one, kind) for one in self._asked.demands)
            )
            return broken or self._each_choice(lambda track: track.begin(depth, kind))
        if depth == self._depth + 1:
            broken = self._item_begins() if self._kind == "array" else None
            if broken:
                return broken
            self._inner = self._opened(depth)
        return self._first(track.begin(depth, kind) for track in self._inner) or self._each_choice(
            lambda track: track.begin(depth, kind)
        )

    def grow(self, depth: int, begun: str) -> str | None:
        """A string has come so far."""
        if depth == self._depth:
            own = self._first(_growth_breach(one, begun) for one in self._asked.demands)
        else:
            own = self._first(track.grow(depth, begun) for track in self._inner)
        return own or self._each_choice(lambda track: track.grow(depth, begun))

    def name_grows(self, depth: int, begun: str) -> str | None:
        """A name has come so far."""
        if depth == self._depth:
            own = self._first(_name_begun_breach(one, begun) for one in self._asked.demands)
        else:
            own = self._first(track.name_grows(depth, begun) for track in self._inner)
        return own or self._each_choice(lambda track: track.name_grows(depth, begun))

    def name(self, depth: int, name: str) -> str | None:
        """A name is known."""
        if depth == self._depth:
            self._keys.add(name)
            own = self._first(_name_breach(one, name, len(self._keys)) for one in self._asked.demands)
            self._next = [schema for one in self._asked.demands for schema in _schemas_of(one, name)]
        else:
            own = self._first(track.name(depth, name) for track in self._inner)
        return own or self._each_choice(lambda track: track.name(depth, name))

    def whole(self, depth: int, value: Any) -> str | None:
        """A scalar is whole."""
        if depth == self._depth:
            own = self._first(_scalar_breach(one, value) for one in self._asked.demands)
        else:
            own = self._first(track.whole(depth, value) for track in self._inner)
        return own or self._each_choice(lambda track: track.whole(depth, value))

    def end(self, depth: int) -> str | None:
        """An object or array is whole."""
        if depth == self._depth:
            own = self._first(
                _object_breach(one, self._keys) if self._kind == "object" else _too_few(one, "minItems", self._count)
                for one in self._asked.demands
            )
        else:
            own = self._first(track.end(depth) for track in self._inner)
        return own or self._each_choice(lambda track: track.end(depth))

    # ---------------------------------------------------------------- inside

    def _opened(self, depth: int) -> "list[Track]":
        share = self._room // max(len(self._next), 1)
        if depth > _DEEPEST or not share:
            return []
        return [track for schema in self._next if not (track := Track(self._places, schema, depth, share)).idle]

    def _item_begins(self) -> str | None:
        at, self._count = self._count, self._count + 1
        self._next = [one.first_items[at] if at < len(one.first_items) else one.items for one in self._asked.demands]
        return self._first(
            bound("maxItems", one.bounds["maxItems"])
            for one in self._asked.demands
            if self._count > one.bounds.get("maxItems", self._count)
        )

    def _each_choice(self, tell: "Callable[[Track], str | None]") -> str | None:
        """Tell every alternative; drop what breaks. Only the first alternative list that is used up is a breach."""
        broken = None
        for options in self._choices:
            told = [(track, tell(track)) for track in options]
            options[:] = [track for track, because in told if because is None]
            if not options and broken is None:
                last = next((because for _, because in told if because), "")
                broken = last if len(told) == 1 else f"fits none of the alternatives; for one: {last}"
        return broken

    @staticmethod
    def _first(found: Iterable[str | None]) -> str | None:
        """Return the first breach. All are asked: each track must hear of everything."""
        return next(iter([broken for broken in found if broken]), None)


def _kind_breach(one: Demands, kind: Kind) -> str | None:
    if one.types is not None and kind not in one.types and not (kind == "number" and "integer" in one.types):
        return f"expected {' or '.join(sorted(one.types))}"
    if one.options is not None and not any(_KINDS[type(option)] == kind for option in one.options):
        return one_of(one.options)
    return None


def _growth_breach(one: Demands, begun: str) -> str | None:
    if one.most_characters is not None and len(begun) > one.most_characters:
        return bound("maxLength", one.most_characters)
    if one.options is not None and not any(
        isinstance(option, str) and option.startswith(begun) for option in one.options
    ):
        return one_of(one.options)
    return None


def _name_begun_breach(one: Demands, begun: str) -> str | None:
    if one.names is None or any(name.startswith(begun) for name in one.names):
        return None
    return f"{names([begun])} may not be there"


def _name_breach(one: Demands, name: str, count: int) -> str | None:
    if _schemas_of(one, name)[0] is False and name not in one.properties:
        return f"{names([name])} may not be there"
    if count > one.bounds.get("maxProperties", count):
        return bound("maxProperties", one.bounds["maxProperties"])
    return None


def _schemas_of(one: Demands, name: str) -> list[Schema]:
    found = [inner for validator, inner in one.patterns if validator.is_valid(name)]
    if name in one.properties:
        found.append(one.properties[name])
    return found or [one.others]


def _scalar_breach(one: Demands, value: Any) -> str | None:
    if one.scalar is None or one.scalar.is_valid(value):
        return None
    return breach_in_words(next(iter(one.scalar.iter_errors(value)))).split(": ", 1)[1]


def _object_breach(one: Demands, keys: set[str]) -> str | None:
    missing = [name for name in one.required if name not in keys]
    missing += [
        needed for name, all_needed in one.needs.items() if name in keys for needed in all_needed if needed not in keys
    ]
    if missing:
        return f"`{short(missing[0])}` is missing"
    return _too_few(one, "minProperties", len(keys))


def _too_few(one: Demands, keyword: str, count: int) -> str | None:
    return bound(keyword, one.bounds[keyword]) if count < one.bounds.get(keyword, 0) else None
