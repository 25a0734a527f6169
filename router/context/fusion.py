"""How do several rankings of the same passages become one? By reciprocal ranks, or by scores brought onto one scale."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Final, TypeVar

Key = TypeVar("Key", bound=Hashable)
RANK_CONSTANT: Final = 60
"""Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual rank learning methods", SIGIR 2009."""


def reciprocal_ranks(rankings: Sequence[Sequence[Key]], weights: Sequence[float] | None = None) -> dict[Key, float]:
    """Return each key's fused score, best first: the sum of weight / (60 + rank) over the rankings that hold it.

    Keys with equal scores keep the order in which the rankings first name them, so that equal input gives equal output.
    """
    fused: dict[Key, float] = {}
    for ranking, weight in zip(rankings, weights or [1.0] * len(rankings), strict=True):
        for rank, key in enumerate(ranking, start=1):
            fused[key] = fused.get(key, 0.0) + weight / (RANK_CONSTANT + rank)
    return best_first(fused)


def spread(scores: Mapping[Key, float]) -> dict[Key, float]:
    """Return the scores on a scale from 0 (the least) to 1 (the most); all are 1 where they do not differ."""
    if not scores:
        return {}
    least, most = min(scores.values()), max(scores.values())
    width = most - least
    return {key: (score - least) / width if width else 1.0 for key, score in scores.items()}


def weighted_sum(parts: Sequence[tuple[Mapping[Key, float], float]]) -> dict[Key, float]:
    """Return each key's sum of `weight * score` over `(scores, weight)`, best first. A key that a part lacks has 0 there."""
    fused: dict[Key, float] = {}
    for scores, weight in parts:
        for key, score in scores.items():
            fused[key] = fused.get(key, 0.0) + weight * score
    return best_first(fused)


def best_first(scores: Mapping[Key, float]) -> dict[Key, float]:
    """Return the same scores in falling order; equal ones keep their order."""
    return dict(sorted(scores.items(), key=lambda item: -item[1]))
