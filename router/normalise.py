"""What does this text say once its disguises are off, and how does one get back?

NFKC, no invisible characters, plain digits and dashes, no letters that pass for others.

Detectors read the normalised text; findings point into the text as it was sent. `Normalised.original_span` leads back. Work and
memory are linear in the text; a text of pure ASCII is returned as it is.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

_NON_ASCII_RUN = re.compile(r"[^\x00-\x7f]{1,32}")
# 32 at a time: canonical ordering of a run of combining marks is quadratic in its length, so runs must be bounded.

_IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u3164\ufeff\uffa0"
    + "".join(map(chr, range(0x180B, 0x1810)))
    + "".join(map(chr, range(0x200B, 0x2010)))
    + "".join(map(chr, range(0x202A, 0x202F)))
    + "".join(map(chr, range(0x2060, 0x2070)))
    + "".join(map(chr, range(0xFE00, 0xFE10)))
    + "".join(map(chr, range(0xFFF9, 0xFFFC)))
    + "".join(map(chr, range(0xE0000, 0xE0080)))
    + "".join(map(chr, range(0xE0100, 0xE01F0)))
)
"""Unicode's default-ignorable code points: zero-width, bidi marks, variation selectors, tags, fillers."""

_PLAIN: dict[int, str | None] = {
    **dict.fromkeys(map(ord, _IGNORABLE)),
    **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"), "-"),
    **dict.fromkeys(map(ord, "\u2018\u2019\u201b\u02bc\u2032"), "'"),
    **dict.fromkeys(map(ord, "\u201c\u201d\u201e\u2033"), '"'),
}

_INVISIBLE = dict.fromkeys(map(ord, _IGNORABLE))

_LETTERS = {
    **dict(zip("АВЕКМНОРСТУХаеорсухіјѕԁԛԝһІЈЅ", "ABEKMHOPCTYXaeopcyxijsdqwhIJS", strict=True)),
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαεικνορτυχ", "ABEZHIKMNOPTYXaeikvoptux", strict=True)),
}
_DIGITS = {**dict.fromkeys("ОоΟο", "0"), **dict.fromkeys("ІіΙ", "1"), "З": "3", "з": "3", "Ь": "6", "б": "6", "Ч": "4"}
_AS_LETTERS = str.maketrans(_LETTERS)
_AS_DIGITS = str.maketrans(_DIGITS)
_LOOK_ALIKE = re.compile(r"[\u0370-\u052f]")
_MIXED_WORD = re.compile(
    r"(?<![0-9A-Za-z\u0370-\u052f])(?=[0-9A-Za-z]*[\u0370-\u052f])(?=[0-9\u0370-\u052f]*[0-9A-Za-z])[0-9A-Za-z\u0370-\u052f]+"
)
"""A word of Latin letters or digits *and* Greek or Cyrillic ones. A word of one script is left alone."""


class Patch(NamedTuple):
    """What is read in place of `[start, end)` of a text."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Normalised:
    """A normalised text and the way back to the original.

    `starts` are the offsets in `text` where a segment begins; its segment came from `origins[i] = (start, end)`. A segment as long as its
    origin maps character by character, any other maps as a whole. No segments at all: the text is as it was.
    """

    text: str
    starts: tuple[int, ...] = ()
    origins: tuple[tuple[int, int], ...] = ()
    parent: "Normalised | None" = None
    """What `origins` point into, when that is itself a reading of something."""

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """Map `[start, end)` of the normalised text to the least span of the original that holds all of it."""
        span = self._span(start, end)
        return self.parent.original_span(*span) if self.parent else span

    def _span(self, start: int, end: int) -> tuple[int, int]:
        if not self.starts:
            return start, end
        if start >= end:
            begin, _ = self._origin(start)
            return begin, begin
        return self._origin(start)[0], self._origin(end - 1)[1]

    def _origin(self, offset: int) -> tuple[int, int]:
        """Return the original span of one normalised character (or of the text's end)."""
        index = bisect_right(self.starts, offset) - 1
        begin, end = self.origins[index]
        length = (self.starts[index + 1] if index + 1 < len(self.starts) else len(self.text)) - self.starts[index]
        inside = offset - self.starts[index]
        if inside >= length:
            return end, end
        if length == end - begin:
            return begin + inside, begin + inside + 1
        return begin, end


def normalise(text: str) -> Normalised:
    """Return the text as detectors should read it, with the way back to `text`."""
    if text.isascii():
        return Normalised(text)
    segments = _Segments()
    done = 0
    for patch in _changes(text):
        # What lies between two changes is kept: one segment, however long.
        segments.add(done, patch.start, text[done : patch.start])
        segments.add(*patch)
        done = patch.end
    if done == 0:
        return Normalised(_unmasked(text))
    segments.add(done, len(text), text[done:])
    # Letter for letter: the way back stays the same.
    return Normalised(_unmasked("".join(segments.pieces)), tuple(segments.starts), tuple(segments.origins))


def without_invisible(text: str) -> str:
    """Return the text without the characters that nobody sees (zero-width, bidi, tags) and a model reads all the same."""
    return text if text.isascii() else text.translate(_INVISIBLE)


_MARGIN = 80
"""How many characters around a patch a reading keeps: the words that say what it is."""


def patched(parent: Normalised, patches: Iterable[Patch]) -> Normalised | None:
    """Return the text's parts around some patches, with these applied; None when there are none.

    Patches come in order and do not overlap. Parts far from each other stand on lines of their own.
    """
    segments = _Segments()
    text, done, kept = parent.text, 0, 0
    for patch in patches:
        begin = max(kept, _word_after(text, patch.start - _MARGIN, patch.start))
        if begin > kept or not segments.pieces:
            # Too far from the last patch: that one's margin ends, and a new line begins.
            segments.add(done, kept, text[done:kept])
            segments.add(kept, kept, "\n" if segments.pieces else "")
            done = begin
        segments.add(done, patch.start, text[done : patch.start])
        segments.add(*patch)
        done, kept = patch.end, min(len(text), patch.end + _MARGIN)
    if not segments.pieces:
        return None
    segments.add(done, kept, text[done:kept])
    return Normalised("".join(segments.pieces), tuple(segments.starts), tuple(segments.origins), parent)


def _word_after(text: str, begin: int, end: int) -> int:
    """Return where the first whole word of `[begin, end)` starts, so that half a word is not taken for one."""
    return max(0, begin, text.find(" ", begin, end) + 1) if begin > 0 else 0


class _Segments:
    """The pieces of a text as it is put together: what each says, where it begins, what it came from."""

    __slots__ = ("length", "origins", "pieces", "starts")

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.starts: list[int] = []
        self.origins: list[tuple[int, int]] = []
        self.length = 0

    def add(self, start: int, end: int, piece: str) -> None:
        """Append what came from `[start, end)`; nothing is appended for nothing."""
        if piece:
            self.pieces.append(piece)
            self.starts.append(self.length)
            self.origins.append((start, end))
            self.length += len(piece)


def _unmasked(text: str) -> str:
    """Return the text with Greek and Cyrillic letters made Latin in words that are otherwise Latin, and digits among digits."""
    return _MIXED_WORD.sub(_unmasked_word, text) if _LOOK_ALIKE.search(text) else text


def _unmasked_word(found: re.Match[str]) -> str:
    word = found.group()
    latin = any(character.isascii() and character.isalpha() for character in word)
    return word.translate(_AS_LETTERS if latin else _AS_DIGITS)


def _changes(text: str) -> Iterator[Patch]:
    """Yield what normalising changes, cluster by cluster, in order."""
    done = 0
    for run in _NON_ASCII_RUN.finditer(text):
        letters = [_letter(character) for character in run.group()]
        if None not in letters:
            done = run.end()
            yield from _letter_by_letter(run.group(), letters, run.start())
            continue
        # With the letter before it, which a mark may belong to.
        start = max(done, run.start() - 1)
        done = run.end()
        if _plain(text[start:done]) == text[start:done]:
            continue
        for begin, end in _clusters(text, start, done):
            replacement = _plain(text[begin:end])
            if replacement != text[begin:end]:
                yield Patch(begin, end, replacement)


def _letter_by_letter(run: str, letters: list[str | None], start: int) -> Iterator[Patch]:
    """Yield the changes of a run without marks: as one where each letter stays one, else letter by letter."""
    plain = "".join(letter or "" for letter in letters)
    if plain == run:
        return
    if all(letter and len(letter) == 1 for letter in letters):
        yield Patch(start, start + len(run), plain)
        return
    for at, letter in enumerate(letters, start):
        if letter is not None and letter != run[at - start]:
            yield Patch(at, at + 1, letter)


@lru_cache(maxsize=4096)
def _letter(character: str) -> str | None:
    """Return one letter without disguise; None for a mark or a jamo, which belongs to the letter before it."""
    if unicodedata.combining(character) or "\u1100" <= character <= "\u11ff":
        return None
    return _plain(character)


def _plain(cluster: str) -> str:
    """Return one short piece without disguise: ignorable characters out, compatibility forms and digits made plain."""
    composed = unicodedata.normalize("NFKC", cluster.translate(_PLAIN)).translate(_PLAIN)
    if composed.isascii() or not any(map(str.isdecimal, composed)):
        return composed
    return "".join(str(unicodedata.decimal(character, character)) for character in composed)


def _clusters(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """Split a run into pieces that normalise by themselves: a starter with the marks and conjoining jamo that follow it."""
    start = begin
    for index in range(begin + 1, end):
        character = text[index]
        if not unicodedata.combining(character) and not "\u1161" <= character <= "\u11ff":
            yield start, index
            start = index
    yield start, end
