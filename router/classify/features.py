"""Which features does a text have? Word pieces and hashed pairs of them, from the text's head and tail, in bounded time."""

import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

HEAD_CHARACTERS: Final = 500
TAIL_CHARACTERS: Final = 250
"""What a person wants mostly stands at a prompt's start or at its end; what lies between is material."""

ALARM_CHARACTERS: Final = 1_000_000
"""An attack may stand anywhere: alarms read this far, in time that grows with the text."""

BIGRAM_BUCKETS: Final = 8192
NUMBER: Final = b"[num]"
"""Stands for every number that has no entry of its own."""

_PLAIN: Final = bytes(
    byte + 32 if 0x41 <= byte <= 0x5A else byte if 0x61 <= byte <= 0x7A or 0x30 <= byte <= 0x39 else 0x20
    for byte in range(256)
)
_LONGEST_WORD: Final = 40


def window(text: str) -> str:
    """Return the part of a text that the heads read: all of a short one, head and tail of a long one."""
    if len(text) <= HEAD_CHARACTERS + TAIL_CHARACTERS:
        return text
    return f"{text[:HEAD_CHARACTERS]} {text[-TAIL_CHARACTERS:]}"


def words_of(text: str) -> list[bytes]:
    """Split a (short) text into lower-case ASCII words and numbers; accents are dropped, other scripts leave nothing."""
    plain = text if text.isascii() else unicodedata.normalize("NFKD", text)
    return plain.encode("ascii", "ignore").translate(_PLAIN).split()


class Vocabulary:
    """Word pieces by their row. Words that are no entry are split greedily, as BERT does."""

    def __init__(self, pieces: Mapping[bytes, int]) -> None:
        self._rows = dict(pieces)
        self._number = self._rows[NUMBER]
        self._split = lru_cache(maxsize=16384)(self._pieces)

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self, words: list[bytes]) -> NDArray[np.int64]:
        """Return the rows of the words' pieces, in order."""
        found: list[int] = []
        known = self._rows.get
        for word in words:
            row = known(word)
            if row is None:
                found.extend(self._split(word))
            else:
                found.append(row)
        return np.array(found, dtype=np.int64)

    def _pieces(self, word: bytes) -> tuple[int, ...]:
        if word.isdigit():
            return (self._number,)
        rows: list[int] = []
        start, word = 0, word[:_LONGEST_WORD]
        while start < len(word):
            for end in range(len(word), start, -1):
                row = self._rows.get(word[start:end] if start == 0 else b"##" + word[start:end])
                if row is not None:
                    rows.append(row)
                    start = end
                    break
            else:
                start += 1
        return tuple(rows)


def pairs(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the bucket of each pair of neighbours."""
    return (rows[:-1] * 1_000_003 + rows[1:] * 8_191) % BIGRAM_BUCKETS
