"""What did the language model read? One text's words, named entities and pattern matches, as plain values.

Made by `serving.deep.reader` from spaCy and Presidio; everything after it is pure and knows neither.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

WINDOW_CHARACTERS: Final = 250
"""Long texts are judged a window at a time, so that one address in a long report counts as much as one in a short message."""


@dataclass(frozen=True, slots=True)
class Word:
    """A token. `proper`: tagged as a proper noun. `strange`: no word that the model's training saw in lower case."""

    text: str
    start: int
    proper: bool
    strange: bool
    opens_sentence: bool


@dataclass(frozen=True, slots=True)
class Span:
    """An entity from `start` to `end` (characters). `score` is Presidio's, 1 for the language model's own."""

    entity: str
    start: int
    end: int
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One text as read: its words, what the language model names (its own labels), what Presidio finds (its entities)."""

    text: str
    words: tuple[Word, ...]
    named: tuple[Span, ...]
    found: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a reading: whole sentences, or part of one that is too long."""

    start: int
    end: int
    reading: Reading


def windows(reading: Reading) -> Iterator[Window]:
    """Cut a reading at sentence starts into windows of at most `WINDOW_CHARACTERS` (a longer sentence: at a word)."""
    start = 0
    last_sentence = 0
    for word in reading.words:
        if word.opens_sentence:
            last_sentence = word.start
        if word.start + len(word.text) - start > WINDOW_CHARACTERS:
            end = last_sentence if last_sentence > start else word.start
            if end > start:
                yield _cut(reading, start, end)
                start = end
    yield _cut(reading, start, len(reading.text))


def _cut(reading: Reading, start: int, end: int) -> Window:
    if start == 0 and end == len(reading.text):
        return Window(0, end, reading)
    part = Reading(
        reading.text[start:end],
        tuple(word for word in reading.words if start <= word.start < end),
        tuple(span for span in reading.named if start <= span.start < end),
        tuple(span for span in reading.found if start <= span.start < end),
    )
    return Window(start, end, part)
