"""What do detectors read, and what do they hand back? One view of the text, one kind of hit."""

from dataclasses import dataclass
from typing import Any, Final

import re2

_OPTIONS = re2.Options()
# With the default 8 MiB the larger alternations fall back from the automaton to simulation.
_OPTIONS.max_mem = 64 << 20
_LONGEST = re2.Options()
_LONGEST.longest_match = True

WINDOW: Final = 64
"""How many bytes before a candidate are read for words that say what it is."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing seen: byte offsets in the normalised text's UTF-8, what it is, and how sure the detector is."""

    start: int
    end: int
    entity: str
    category: str
    score: float
    detector: str


@dataclass(frozen=True, slots=True)
class View:
    """The normalised text as bytes. RE2 reads bytes at hundreds of megabytes a second; offsets are mapped back at the end."""

    data: bytes

    def before(self, start: int) -> bytes:
        """Return what stands just before an offset, in lower case."""
        return self.data[max(0, start - WINDOW) : start].lower()

    def after(self, end: int) -> bytes:
        """Return what stands just after an offset, in lower case."""
        return self.data[end : end + WINDOW].lower()

    def stands_alone(self, start: int, end: int) -> bool:
        """Whether neither neighbour is an ASCII letter, digit or underscore: the candidate is no part of a longer word."""
        return not (start and _is_word(self.data[start - 1])) and not (
            end < len(self.data) and _is_word(self.data[end])
        )


def _is_word(byte: int) -> bool:
    return byte == 0x5F or 0x30 <= byte <= 0x39 or 0x41 <= byte <= 0x5A or 0x61 <= byte <= 0x7A


def pattern(source: bytes | str, *, longest: bool = False) -> Any:
    """Compile an RE2 pattern over bytes; `longest` prefers the longest match to the first alternative.

    Each of our patterns is bounded in words, so that a whole scan stays linear.
    """
    return re2.compile(source.encode() if isinstance(source, str) else source, _LONGEST if longest else _OPTIONS)
