"""What do a text's words speak for, added up? Linear heads over pieces, pairs, and kinds of words near each other.

Each place in a text has a mark per head; a head's score is a sum of marks over the root of their count. A field is judged over what the
topic reads, an alarm over every stretch of the whole text: an instruction hidden in the middle of a long document is as loud as alone.
Time and memory are linear in the text.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

LINEAR_BUCKETS: Final = 16384
REACH: Final = 4
"""How far apart two words may be that say something together ("ignore all of your previous instructions")."""

STRETCHES: Final = (48, 192)
"""Lengths of the stretches, in pieces; each overlaps the next by half."""

_FEWEST: Final = 8
"""A text shorter than this is judged as if it were this long: two words are no evidence."""

Numbers = NDArray[np.float32]
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Linear:
    """Weights by piece, by bucket of pairs and by pair of kinds, a column for each head."""

    names: tuple[str, ...]
    kinds: Rows
    kind_count: int
    pieces: Numbers
    pairs: Numbers
    kind_pairs: Numbers
    bias: Numbers

    @classmethod
    def of(cls, names: tuple[str, ...], arrays: Mapping[str, NDArray[Any]]) -> "Linear":
        """Take the heads from stored arrays. Raises `KeyError` when one is missing."""
        kinds = arrays["kinds"].astype(np.int64)
        parts = {
            part: arrays[f"linear_{part}"].astype(np.float32) for part in ("pieces", "pairs", "kind_pairs", "bias")
        }
        return cls(names, kinds, int(kinds.max(initial=0)) + 1, **parts)

    def last(self, count: int) -> "Linear":
        """Return the last heads alone: fewer columns are read faster."""
        weights = (self.pieces, self.pairs, self.kind_pairs)
        pieces, pairs, near = (np.ascontiguousarray(part[:, -count:]) for part in weights)
        return Linear(self.names[-count:], self.kinds, self.kind_count, pieces, pairs, near, self.bias[-count:])

    def marks(self, rows: Rows) -> Numbers:
        """Return what each place speaks for: shape (places, heads)."""
        marks: Numbers = self.pieces.take(rows, axis=0)
        if len(rows) > 1:
            marks[:-1] += self.pairs.take(buckets(rows), axis=0)
        for apart, near in kind_pairs(self.kinds.take(rows), self.kind_count):
            marks[:-apart] += self.kind_pairs.take(near, axis=0)
        return marks

    def whole(self, marks: Numbers) -> Numbers:
        """Return each head's score of all the marks."""
        score: Numbers = marks.sum(0) / weight_of(len(marks)) + self.bias
        return score

    def loudest(self, marks: Numbers) -> Numbers:
        """Return each head's highest score of any stretch."""
        if len(marks) <= STRETCHES[0]:
            return self.whole(marks)
        sums = np.zeros((len(marks) + 1, marks.shape[1]))
        np.cumsum(marks, axis=0, dtype=np.float64, out=sums[1:])
        starts, ends = stretches(len(marks))
        scores = (sums[ends] - sums[starts]) / weight_of(ends - starts)[:, None]
        loudest: Numbers = (scores.max(0) + self.bias).astype(np.float32)
        return loudest


def buckets(rows: Rows) -> Rows:
    """Return the bucket of each pair of neighbours."""
    return (rows[:-1] * 1_000_003 + rows[1:] * 8_191) % LINEAR_BUCKETS


def kind_pairs(kinds: Rows, count: int) -> list[tuple[int, Rows]]:
    """Return for each distance the pairs of kinds that far apart, by the place of the first."""
    scaled = kinds * count
    return [(apart, scaled[:-apart] + kinds[apart:]) for apart in range(1, min(REACH, len(kinds) - 1) + 1)]


def stretches(length: int) -> tuple[Rows, Rows]:
    """Return where the stretches of a text start and end: all of a short one, else overlapping ones of each size."""
    starts = [np.arange(0, max(length - size // 2, 1), size // 2) for size in STRETCHES]
    ends = [np.minimum(begin + size, length) for begin, size in zip(starts, STRETCHES, strict=True)]
    return np.concatenate(starts), np.concatenate(ends)


def weight_of(places: Any) -> Any:
    """Return what a sum over so many places is divided by."""
    return np.sqrt(np.maximum(places, _FEWEST))
