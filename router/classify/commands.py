"""Does this text command a change of the world, ask how one is made, or neither? Judged by how each sentence begins.

"Cancel my subscription" and "can you please delete user 42" are commands. "How do I cancel my subscription?" and "explain how to
delete a branch" are not, nor is work on a text ("remove the second paragraph"). Where the words say neither, the trained head decides.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

Speech = Literal["command", "how_to", "question", "other"]

_LEXICONS: Final = Path(__file__).parent / "lexicons"
_SENTENCE: Final = re.compile(r"[.!?;:]+(?=\s|$)|\n")
_JOINS: Final = frozenset({"and", "then", "but"})
_GOES_ON: Final = frozenset({"then", "afterwards", "also", "next", "finally", "after", "and"})
_TO_SPACES: Final = str.maketrans(dict.fromkeys(',"()[]{}*>#`_|<', " "))
_OBJECT_WORDS: Final = 6
_AMOUNT: Final = re.compile(r"[$\u20ac\u00a3]\d")


@dataclass(frozen=True, slots=True)
class _Lexicon:
    """Phrases by their first word, longest first."""

    phrases: Mapping[str, tuple[list[str], ...]]

    def at(self, words: list[str], start: int) -> int:
        """Return how many words of the longest phrase stand at `start`; 0 for none."""
        if start >= len(words):
            return 0
        for phrase in self.phrases.get(words[start], ()):
            if words[start : start + len(phrase)] == phrase:
                return len(phrase)
        return 0


@cache
def _lexicon(name: str) -> _Lexicon:
    """Read a lexicon of phrases, one a line."""
    lines = (_LEXICONS / f"{name}.txt").read_text("utf-8").splitlines()
    phrases: dict[str, list[list[str]]] = {}
    for line in lines:
        if line and not line.startswith("#"):
            phrases.setdefault(line.split()[0], []).append(line.split())
    return _Lexicon({first: tuple(sorted(rows, key=len, reverse=True)) for first, rows in phrases.items()})


@cache
def _words(name: str) -> frozenset[str]:
    """Read a lexicon of single words, many a line."""
    lines = (_LEXICONS / f"{name}.txt").read_text("utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


@cache
def _verbs() -> frozenset[str]:
    """Return the words without one of which nothing is commanded."""
    return _words("changes") | _words("done") | _lexicon("changes_alone").phrases.keys()


def speech(text: str) -> Speech:
    """Name what a (short) text does. One command makes the whole a command; else how-to before question before other.

    What follows "summarize this:" and the like is material, unless a sentence goes on with "then".
    """
    kinds: set[Speech] = set()
    material = False
    for index, words in enumerate(_sentences(text)):
        if material and words[0] not in _GOES_ON:
            continue
        kind = _sentence(words)
        if kind == "command":
            return "command"
        kinds.add(kind)
        if index == 0:
            material = _lexicon("material").at(words, _after_courtesies(words, 0)) > 0
    return "how_to" if "how_to" in kinds else "question" if "question" in kinds else "other"


def _sentences(text: str) -> Iterator[list[str]]:
    for sentence in _SENTENCE.split(text.lower().replace("\u2019", "'").translate(_TO_SPACES)):
        words = sentence.lstrip(" -'").split()
        if words:
            yield words


def _sentence(words: list[str]) -> Speech:
    """Judge one sentence. A question that begins like one stays one, whatever verbs follow."""
    for start in (0, _after_courtesies(words, 0)):
        if _lexicon("how_to").at(words, start):
            return "how_to"
        if _lexicon("asking").at(words, start):
            return "question"
    if _verbs().isdisjoint(words):
        return "other"
    if _wishes(words) or any(_commands(words, _after_courtesies(words, start)) for start in _clauses(words)):
        return "command"
    return "other"


def _clauses(words: list[str]) -> Iterator[int]:
    """Yield where a command could begin: at the start, and after "and", "then", "but"."""
    yield 0
    for index, word in enumerate(words[:-1]):
        if word in _JOINS:
            yield index + 1


def _after_courtesies(words: list[str], start: int) -> int:
    """Return where the sentence gets to the point."""
    courtesies = _lexicon("polite")
    while length := courtesies.at(words, start):
        start += length
    return start


def _commands(words: list[str], start: int) -> bool:
    """Whether a verb of change stands here, with something to change after it."""
    if start >= len(words):
        return False
    rest = words[start + 1 : start + 1 + _OBJECT_WORDS]
    if not _words("texts").isdisjoint(rest):
        return False
    if length := _lexicon("changes_alone").at(words, start):
        return start + length < len(words)
    return words[start] in _words("changes") and any(map(_is_thing, rest))


def _is_thing(word: str) -> bool:
    things = _words("things")
    singular = word.removesuffix("s")
    return (
        word in things
        or singular in things
        or word.removesuffix("es") in things
        or (word.endswith("ies") and f"{word[:-3]}y" in things)
        or word.removesuffix("'s") in things
        or _AMOUNT.match(word) is not None
    )


def _wishes(words: list[str]) -> bool:
    """Whether somebody wants something of theirs done: "I want my order cancelled"."""
    start = _after_courtesies(words, 0)
    for begin in {0, start}:
        length = _lexicon("wishes").at(words, begin)
        if length and not _words("done").isdisjoint(words[begin + length : begin + length + _OBJECT_WORDS + 1]):
            return True
    return False
