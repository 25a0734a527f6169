"""What does this text say once its disguises are off? NFKC, no invisible characters, plain digits and dashes, and the way back.

Detectors read the normalised text; findings point into the text as it was sent. `Normalised.original_span` leads back. Work and
memory are linear in the text; a text of pure ASCII is returned as it is.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

_NON_ASCII_RUN = re.compile(r"[\x00-\x7f]?[^\x00-\x7f]{1,32}")
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


@dataclass(frozen=True, slots=True)
class Normalised:
    """A normalised text and the way back to the original.

    `starts` are the offsets in `text` where a segment begins; its segment came from `origins[i] = (start, end)`. A segment as long as its
    origin maps character by character, any other maps as a whole. No segments at all: the text is as it was.
    """

    text: str
    starts: tuple[int, ...] = ()
    origins: tuple[tuple[int, int], ...] = ()

    def original_span(self, start: int, end: int) -> tuple[int, int]:
        """Map `[start, end)` of the normalised text to the least span of the original that holds all of it."""
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
    pieces: list[str] = []
    starts: list[int] = []
    origins: list[tuple[int, int]] = []
    length = done = 0
    for begin, end, plain in _changes(text):
        # What lies between two changes is kept: one segment, however long.
        for first, last, piece in ((done, begin, text[done:begin]), (begin, end, plain)):
            if piece:
                pieces.append(piece)
                starts.append(length)
                origins.append((first, last))
                length += len(piece)
        done = end
    if done == 0 and not pieces:
        return Normalised(text)
    if done < len(text):
        pieces.append(text[done:])
        starts.append(length)
        origins.append((done, len(text)))
    return Normalised("".join(pieces), tuple(starts), tuple(origins))


def _changes(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield `(start, end, replacement)` for each cluster that normalising changes, in order."""
    for run in _NON_ASCII_RUN.finditer(text):
        if _plain(run.group()) == run.group():
            continue
        for begin, end in _clusters(text, run.start(), run.end()):
            replacement = _plain(text[begin:end])
            if replacement != text[begin:end]:
                yield begin, end, replacement


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
