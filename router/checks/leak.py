"""How much of its instructions does an answer recite? Counted in words that stand in both in the same order, five at a time.

Case, punctuation, line breaks and invisible characters make no difference; a paraphrase or a translation does. What the caller wrote
into the question is theirs to read back. Time and memory are linear in the instructions and in the answer.
"""

import re
from collections import deque
from collections.abc import Iterable
from typing import Final

from router.normalise import normalise

RUN: Final = 5
"""Words in a row that count as recited: shorter runs are in every text."""
SHORTEST: Final = 8
"""Instructions of fewer words are no secret: "You are a helpful assistant." says nothing."""
_ALONE: Final = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD: Final = re.compile(rf"[{_ALONE}]|(?:(?![{_ALONE}])[^\W_])+")
"""Where a script puts no spaces between words, each character counts as one."""


def words_in(text: str) -> list[str]:
    """Return a text's words, without their disguises."""
    return _WORD.findall(normalise(text).text.casefold())


class Recital:
    """What has been recited so far of some instructions, word by word."""

    def __init__(self, instructions: Iterable[str], own: Iterable[str]) -> None:
        own_runs = {run for text in own for run in _runs(words_in(text))}
        self._where: dict[tuple[str, ...], list[tuple[int, int]]] = {}
        self._sizes: list[int] = []
        for text in instructions:
            words = words_in(text)
            if len(words) < SHORTEST:
                continue
            number = len(self._sizes)
            self._sizes.append(len(words))
            for start, run in enumerate(_runs(words)):
                if run not in own_runs:
                    self._where.setdefault(run, []).append((number, start))
        self._recited: list[set[int]] = [set() for _ in self._sizes]
        self._last: deque[str] = deque(maxlen=RUN)

    def take(self, words: Iterable[str]) -> None:
        """Note the next words of the answer."""
        if not self._where:
            return
        for word in words:
            self._last.append(word)
            # A run is looked up once for all its places: they are dropped, so that an answer that repeats itself costs no more.
            for number, start in self._where.pop(tuple(self._last), ()):
                self._recited[number].update(range(start, start + RUN))

    def reached(self, share: float, at_least_words: int) -> bool:
        """Tell whether so great a share of any instructions was recited, or so many of their words."""
        return any(
            len(recited) >= min(max(SHORTEST, share * size), at_least_words)
            for recited, size in zip(self._recited, self._sizes, strict=True)
        )


def _runs(words: list[str]) -> list[tuple[str, ...]]:
    return list(zip(*(words[start:] for start in range(RUN)), strict=False))
