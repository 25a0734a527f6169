"""What sentences, quotations and citation marks does an answer hold? Read once, strictly: what can't be read is said, never skipped."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from router.normalise import normalise

_BRACKETS: Final = str.maketrans("\u3010\u3011\uff3b\uff3d\u3014\u3015", "[][][]")
_QUOTES: Final = str.maketrans("«»\u2039\u203a\u300c\u300d\u300e\u300f`", '"' * 8 + " ")
_MARK: Final = re.compile(r"\[([^\[\]]*)\]")
_SEPARATORS: Final = re.compile(r"[\s,;]+")
_WORD: Final = re.compile(r"\w+")
_END: Final = re.compile(r"[.!?]+[\"')]*(?=\s|\[|$)|\n+")
_TRAILING_MARKS: Final = re.compile(r"(?:[ \t]*\[[^\[\]]*\])+[.!?]*")
_ABBREVIATION: Final = re.compile(
    r"(?:^|[\s(\"'])(?:e\.g|i\.e|cf|vs|etc|al|approx|no|fig|dr|mr|mrs|ms|prof|st|inc|ltd|[A-Za-z])\.$", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with what it cites and quotes. `text` holds neither marks nor the space around it."""

    text: str
    cited: tuple[str, ...]
    quoted: tuple[str, ...]

    @property
    def words(self) -> int:
        """How many words it has."""
        return len(_WORD.findall(self.text))

    @property
    def asks(self) -> bool:
        """Whether it is a question."""
        return self.text.rstrip("\"' ").endswith("?")


@dataclass(frozen=True, slots=True)
class Prose:
    """A text as read. `stray` is what looks like half a mark or half a quotation."""

    sentences: tuple[Sentence, ...]
    stray: tuple[str, ...]


def read_prose(text: str) -> Prose:
    """Split a text into sentences. A mark stands in square brackets, after or within the sentence that it belongs to.

    Any pair of square brackets is a mark: an answer that must cite has no other use for them, and a reader can't tell them apart.
    """
    plain = plain_text(text)
    quotes = [found.start() for found in re.finditer('"', plain)]
    pairs = list(zip(quotes[::2], quotes[1::2], strict=False))
    stray = [] if len(quotes) % 2 == 0 else [f"a quotation that is not closed: {plain[quotes[-1] : quotes[-1] + 40]}"]
    if {"[", "]"} & set(_MARK.sub("", plain)):
        stray.append("a square bracket that is not closed, or stands alone")
    if len(quotes) % 2:
        pairs.append((quotes[-1], len(plain)))
    return Prose(tuple(_sentences(plain, pairs)), tuple(stray))


def plain_text(text: str) -> str:
    """Return a text in which quotation marks, brackets, dashes and invisible characters are those that a keyboard has."""
    return normalise(text.translate(_BRACKETS).translate(_QUOTES)).text.replace("**", "").replace("[...]", "...")


def _sentences(plain: str, pairs: list[tuple[int, int]]) -> Iterator[Sentence]:
    start = 0
    for end in [*_ends(plain, pairs), len(plain)]:
        piece = plain[start:end]
        if piece.strip():
            quoted = tuple(plain[first + 1 : last] for first, last in pairs if start <= first < end)
            yield Sentence(_MARK.sub("", piece).strip(), tuple(_cited(piece)), tuple(q for q in quoted if q.strip()))
        start = end


def _ends(plain: str, pairs: list[tuple[int, int]]) -> Iterator[int]:
    """Yield where sentences end: not within a quotation, not after an abbreviation; marks that follow the full stop still belong to it."""
    done = 0
    for found in _END.finditer(plain):
        if found.start() < done or any(first < found.start() < last for first, last in pairs):
            continue
        if found.group().startswith("\n"):
            yield found.end()
        elif not _ABBREVIATION.search(plain[max(0, found.start() - 12) : found.start() + 1]):
            marks = _TRAILING_MARKS.match(plain, found.end())
            done = marks.end() if marks else found.end()
            yield done


def _cited(piece: str) -> Iterator[str]:
    for found in _MARK.finditer(piece):
        names = [name.strip("\"'") for name in _SEPARATORS.split(found.group(1))]
        yield from (name for name in names if name) if any(names) else [""]
