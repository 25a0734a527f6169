"""From which concurrency on does more load bring only more waiting? The knee: the smallest that reaches 95% of the plateau's throughput.

The curve is measured or predicted; between its points throughput and waiting times are taken to run straight. A knee under a service
level is the knee, or the last concurrency up to which the whole curve keeps the level, whichever is smaller: so a tighter level never
raises it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

PLATEAU_SHARE: Final = 0.95


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Throughput with `concurrency` requests open all the time, in any unit, and the waiting times that a service level speaks of."""

    concurrency: float
    throughput: float
    waits_seconds: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Knee:
    """`flattens` is False where throughput still rises steeply at the curve's end: then the true knee may lie beyond it."""

    concurrency: float
    throughput: float
    plateau: float
    flattens: bool


def knee(points: Sequence[CurvePoint], share: float = PLATEAU_SHARE) -> Knee:
    """Return the knee of a curve. Raises `ValueError` for no points, or two at one concurrency."""
    curve = _ordered(points)
    plateau = max(point.throughput for point in curve)
    wanted = share * plateau
    flattens = len(curve) > 1 and any(point.throughput >= wanted for point in curve[:-1])
    if curve[0].throughput >= wanted:
        return Knee(curve[0].concurrency, curve[0].throughput, plateau, flattens)
    for left, right in pairwise(curve):
        if right.throughput >= wanted:
            along = (wanted - left.throughput) / (right.throughput - left.throughput)
            at = left.concurrency + along * (right.concurrency - left.concurrency)
            return Knee(at, wanted, plateau, flattens)
    raise AssertionError("the plateau is one of the curve's own points")


def knee_within(points: Sequence[CurvePoint], limits_seconds: Sequence[float]) -> float:
    """Return the concurrency of the knee under limits for each of the points' waits, in their order; 0 where none is kept.

    A wait that falls again further on counts as its largest so far: a curve that broke the level once has broken it.
    """
    curve = _ordered(points)
    return min([knee(curve).concurrency, *(_kept(curve, index, limit) for index, limit in enumerate(limits_seconds))])


def throughput_at(points: Sequence[CurvePoint], concurrency: float) -> float:
    """Return the curve's throughput; below its first point proportional, beyond its last one the last one's."""
    curve = _ordered(points)
    if concurrency <= curve[0].concurrency:
        return curve[0].throughput * concurrency / curve[0].concurrency
    for left, right in pairwise(curve):
        if concurrency <= right.concurrency:
            along = (concurrency - left.concurrency) / (right.concurrency - left.concurrency)
            return left.throughput + along * (right.throughput - left.throughput)
    return curve[-1].throughput


def _kept(curve: Sequence[CurvePoint], index: int, limit: float) -> float:
    worst = curve[0].waits_seconds[index]
    if worst > limit:
        return 0.0
    for left, right in pairwise(curve):
        before, worst = worst, max(worst, right.waits_seconds[index])
        if worst > limit:
            along = (limit - before) / (worst - before)
            return left.concurrency + along * (right.concurrency - left.concurrency)
    return curve[-1].concurrency


def _ordered(points: Sequence[CurvePoint]) -> tuple[CurvePoint, ...]:
    curve = tuple(sorted(points, key=lambda point: point.concurrency))
    if not curve:
        raise ValueError("a curve of no points has no knee")
    for left, right in pairwise(curve):
        if left.concurrency == right.concurrency:
            raise ValueError(f"two points at a concurrency of {left.concurrency:g}")
    return curve
