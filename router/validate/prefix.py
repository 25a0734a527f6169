"""Can what has come of an answer still be completed to one that meets its contract? Asked with every piece of a stream.

Sound, not complete: a breach is final, and an answer without one is still held against the whole contract when it ends. So a valid
answer never breaches, however it is cut, and an invalid one breaches at the latest at its end. Told early: broken JSON, a wrong type,
a name that may not be there, a text too long, a value outside an enum, a scalar that breaks its bounds, an object that closes without
what it needs, a forbidden field. Each piece costs a time that does not grow with what came before, but for the text that is growing.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson

from router.exact.parsing import NotJson
from router.exact.schema import check_schema
from router.exact.wording import place
from router.validate.answer import AnswerContract, Validity, validate_answer
from router.validate.places import Places
from router.validate.rules import forbidden, too_long
from router.validate.scanner import Kind, Scanner
from router.validate.track import Track


@dataclass(frozen=True, slots=True)
class Breach:
    """What came can't be completed to a valid answer. `characters` is how much of it had come by then."""

    because: str
    characters: int


class PrefixChecker:
    """Follows one answer as it streams. Raises `SchemaRefused` when the contract's schema is no JSON Schema."""

    def __init__(self, contract: AnswerContract) -> None:
        self._contract = contract
        self._pieces: list[str] = []
        self._characters = 0
        self._breach: Breach | None = None
        schema = contract.effective_schema
        if schema is not None:
            check_schema(schema)
        self._follower = None if schema is None else _Follower(contract, schema)

    @property
    def breach(self) -> Breach | None:
        """What was broken, if anything was."""
        return self._breach

    @property
    def text(self) -> str:
        """All that came."""
        return "".join(self._pieces)

    def feed(self, piece: str) -> Breach | None:
        """Take the next piece. Once there is a breach, it stays."""
        self._pieces.append(piece)
        self._characters += len(piece)
        if self._breach is None and (because := self._broken_by(piece)):
            self._breach = Breach(because, self._characters)
        return self._breach

    def close(self) -> Validity:
        """Hold the whole answer against the whole contract."""
        return validate_answer(self.text, self._contract)

    def _broken_by(self, piece: str) -> str | None:
        if self._follower is not None:
            return self._follower.feed(piece)
        for rule in self._contract.rules.length:
            if rule.of is None and rule.characters_at_most is not None and self._characters > rule.characters_at_most:
                return f"{place(())}: expected at most {rule.characters_at_most} characters"
        return None


class _BrokenError(Exception):
    """Ends the reading: what came is broken."""


class _Follower:
    """Listens to the scanner, keeps the path, and asks the schema's track and the rules."""

    def __init__(self, contract: AnswerContract, schema: str) -> None:
        self._rules = contract.rules
        places = _places(schema, formats=contract.rules.asserts_formats)
        self._track = Track(places, places.root)
        self._scanner = Scanner(self)
        self._path: list[str | int] = []
        self._items: list[int | None] = []  # how many items each open array has; None for an object

    def feed(self, piece: str) -> str | None:
        try:
            self._scanner.feed(piece)
        except NotJson as error:
            return f"not JSON: {error}"
        except _BrokenError as error:
            return str(error)
        return None

    def begin(self, depth: int, kind: Kind) -> None:
        if depth and (count := self._items[depth - 1]) is not None:
            self._path[depth - 1 :] = [count]
            self._items[depth - 1] = count + 1
        self._must(self._track.begin(depth, kind), depth)
        if kind in {"object", "array"}:
            self._items[depth:] = [0 if kind == "array" else None]

    def grow(self, depth: int, begun: str) -> None:
        self._must(self._track.grow(depth, begun), depth)
        if depth and (broken := too_long(self._rules, tuple(self._path[:depth]), begun)):
            raise _BrokenError(broken)

    def name_grows(self, depth: int, begun: str) -> None:
        self._must(self._track.name_grows(depth, begun), depth)

    def name(self, depth: int, name: str) -> None:
        self._must(self._track.name(depth, name), depth)
        self._path[depth:] = [name]
        if broken := forbidden(self._rules, tuple(self._path)):
            raise _BrokenError(broken)

    def whole(self, depth: int, value: Any) -> None:
        self._must(self._track.whole(depth, value), depth)

    def end(self, depth: int) -> None:
        self._must(self._track.end(depth), depth)

    def _must(self, broken: str | None, depth: int) -> None:
        if broken is not None:
            raise _BrokenError(f"{place(self._path[:depth])}: {broken}")


@lru_cache(maxsize=128)
def _places(schema: str, *, formats: bool) -> Places:
    return Places(orjson.loads(schema), formats)
