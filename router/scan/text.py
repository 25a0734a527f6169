"""What do detectors read, and what do they hand back? One view of a text, with the work that may be spent on it; one kind of hit."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import re2

_OPTIONS = re2.Options()
# Patterns read bytes, not characters: classes over Unicode's letters make automata a thousand times as large.
_OPTIONS.encoding = re2.Options.Encoding.LATIN1
# With the default 8 MiB the larger alternations fall back from the automaton to simulation.
_OPTIONS.max_mem = 64 << 20
_LONGEST = re2.Options()
_LONGEST.longest_match = True
_LONGEST.max_mem = 64 << 20

UPPER: Final = r"(?:[A-Z]|\xc3[\x80-\x9e]|[\xc4\xc5\xc8][\x80-\xbf]|\xce[\x86-\xab]|\xd0[\x80-\xaf])"
LETTER: Final = r"[A-Za-z\x80-\xff]"
HAN: Final = r"(?:[\xe3-\xe9][\x80-\xbf]{2})"
"""A capital letter, (a byte of) any letter, a Chinese character: in UTF-8's bytes."""

WINDOW: Final = 64
"""How many bytes before a candidate are read for words that say what it is."""

_MARGIN: Final = b" \t\"'<>()[]{}|;,.!?`*"
"""What may stand between a line's end and a value that is alone on it."""


class Overrun(Exception):
    """A text asked for more work than it may: what was not looked at could hold anything."""


@dataclass(slots=True)
class Budget:
    """How many steps are left for one text. A step is one candidate looked at: a few microseconds, whatever the candidate.

    Steps are counted, not timed, so that equal texts give equal findings on any machine.
    """

    left: int

    def spend(self, steps: int = 1) -> None:
        """Take some steps; raises `Overrun` when there are none left."""
        self.left -= steps
        if self.left < 0:
            raise Overrun


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing seen: byte offsets in the view's UTF-8, what it is, and how sure the detector is."""

    start: int
    end: int
    entity: str
    category: str
    score: float
    detector: str


@dataclass(frozen=True, slots=True)
class View:
    """A text as bytes. RE2 reads bytes at hundreds of megabytes a second; offsets are mapped back at the end."""

    data: bytes
    budget: Budget

    def each(self, source: Any) -> Iterator[Any]:
        """Yield a pattern's matches, one step each."""
        spend = self.budget.spend
        for found in source.finditer(self.data):
            spend()
            yield found

    def before(self, start: int) -> bytes:
        """Return what stands just before an offset, in lower case."""
        return self.data[max(0, start - WINDOW) : start].lower()

    def before_on_line(self, start: int) -> bytes:
        """Return what stands just before an offset on its own line.

        What speaks *against* a candidate must stand there: otherwise a line put above could talk a finding away.
        """
        return self.before(start).rpartition(b"\n")[2]

    def after(self, end: int) -> bytes:
        """Return what stands just after an offset, in lower case."""
        return self.data[end : end + WINDOW].lower()

    def characters(self, offsets: Iterable[int]) -> dict[int, int]:
        """Return the character offset of each byte offset. Each byte is looked at once."""
        ordered = sorted(set(offsets))
        if self.data.isascii():
            return {offset: offset for offset in ordered}
        found: dict[int, int] = {}
        done = characters = 0
        for offset in ordered:
            characters += len(self.data[done:offset].translate(None, _CONTINUATION))
            done = offset
            found[offset] = characters
        return found

    def stands_alone(self, start: int, end: int) -> bool:
        """Whether neither neighbour is an ASCII letter, digit or underscore: the candidate is no part of a longer word."""
        return not (start and _is_word(self.data[start - 1])) and not (
            end < len(self.data) and _is_word(self.data[end])
        )

    def fills_its_line(self, start: int, end: int) -> bool:
        """Whether a line holds the candidate and nothing else. Then nothing speaks against it, and erring towards private is safe."""
        before = self.data[max(0, start - _NEAR) : start].rstrip(_MARGIN)
        after = self.data[end : end + _NEAR].lstrip(_MARGIN)
        begins = before.endswith(_ENDS) or (not before and start < _NEAR)
        return begins and (after.startswith(_ENDS) or (not after and end + _NEAR > len(self.data)))


_CONTINUATION: Final = bytes(range(0x80, 0xC0))
"""UTF-8's bytes that begin no character."""
_NEAR: Final = 8
_ENDS: Final = (b"\n", b"\r")


@dataclass(frozen=True, slots=True)
class Detector:
    """Something that looks for one kind of thing, and the small pattern without which it cannot find any."""

    find: Callable[[View], Iterable[Hit]]
    trigger: bytes | str


def _is_word(byte: int) -> bool:
    return byte == 0x5F or 0x30 <= byte <= 0x39 or 0x41 <= byte <= 0x5A or 0x61 <= byte <= 0x7A


def octets(source: bytes | str) -> bytes:
    """Return a pattern as UTF-8's bytes. A quantifier after a letter of several bytes takes them all; in a class they stand apart."""
    return source if isinstance(source, bytes) else _QUANTIFIED.sub(r"(?:\1)", source).encode()


_QUANTIFIED = re.compile(r"([^\x00-\x7f])(?=[?*+{])")


def pattern(source: bytes | str, *, longest: bool = False) -> Any:
    """Compile an RE2 pattern over UTF-8's bytes. Each of ours is bounded in words, so that a whole scan stays linear.

    `longest` is for alternations of literal values: it prefers the longest match to the first, and reads characters, not bytes.
    """
    if longest:
        return re2.compile(source.encode() if isinstance(source, str) else source, _LONGEST)
    return re2.compile(octets(source), _OPTIONS)


class Triggers:
    """Many small patterns as one automaton: which of them does a text hold? One linear pass, whatever their number.

    The automaton's states are built as texts need them. Patterns of one kind share states; too many kinds in one multiply them.
    """

    __slots__ = ("_always", "_set")

    def __init__(self, triggers: Iterable[bytes | str]) -> None:
        self._set = re2.Set.SearchSet(_OPTIONS)
        for trigger in triggers:
            self._set.Add(octets(trigger))
        # RE2 answers "none" when an automaton outgrows its memory. This one always matches, so that we would see it.
        self._always = self._set.Add(b"")
        self._set.Compile()

    def seen(self, data: bytes) -> frozenset[int]:
        """Return the indexes of the triggers that match somewhere; raises `Overrun` if the automaton gave up."""
        found = self._set.Match(data)
        if found is None or self._always not in found:
            raise Overrun
        return frozenset(found)


class Family:
    """Detectors of one kind: a pass over their triggers says which of them run."""

    __slots__ = ("_detectors", "_triggers")

    def __init__(self, detectors: Iterable[Detector]) -> None:
        self._detectors = tuple(detectors)
        self._triggers = Triggers(detector.trigger for detector in self._detectors)

    def find(self, view: View) -> Iterator[Hit]:
        """Yield what the family's detectors see."""
        for index in sorted(self._triggers.seen(view.data)):
            if index < len(self._detectors):
                yield from self._detectors[index].find(view)
