"""What share of a whole is wrong, when a few of each stratum were judged? The estimate and its 95% interval. Pure.

Each stratum's judged samples are a simple random sample of it, so the weighted mean of their shares is unbiased (Horvitz-Thompson: every
sample counts for population / judged of its stratum). The interval is Korn and Graubard's: Clopper-Pearson's exact one, at the number of
independent draws that would be as uncertain. E. L. Korn, B. I. Graubard, "Confidence Intervals for Proportions With Small Expected
Number of Positive Counts Estimated From Survey Data", Survey Methodology 24 (1998), 193-201; it is what the US National Center for
Health Statistics publishes proportions by. It does not assume that rare means never: nothing wrong in 100 gives an upper end of 3.6%.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from serving.leaks.beta import beta_quantile

CONFIDENCE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Tally:
    """One stratum: how many there were, how many of them were judged, and how many of those are wrong."""

    population: int
    judged: int
    wrong: int

    def __post_init__(self) -> None:
        if not 0 <= self.wrong <= self.judged <= self.population:
            raise ValueError(f"{self.wrong} wrong of {self.judged} judged of {self.population}")


@dataclass(frozen=True, slots=True)
class Estimate:
    """`rate` with `low` and `high` at 95%, all shares from 0 to 1; None where nothing was judged.

    `covered` is the share of the population in strata of which something was judged: the rest says nothing. `effective` is how
    many independent draws the sample is worth.
    """

    population: int
    covered: float
    judged: int
    wrong: int
    effective: float
    rate: float | None
    low: float
    high: float


def estimate(tallies: Iterable[Tally]) -> Estimate:
    """Return the estimate over some strata. Those of which nothing was judged are counted in `covered` alone."""
    every = tuple(tallies)
    seen = [tally for tally in every if tally.judged]
    population, reached = (sum(tally.population for tally in some) for some in (every, seen))
    judged, wrong = sum(tally.judged for tally in seen), sum(tally.wrong for tally in seen)
    covered = reached / population if population else 0.0
    if not seen:
        return Estimate(population, covered, 0, 0, 0.0, None, 0.0, 1.0)
    rate = sum(tally.population * tally.wrong / tally.judged for tally in seen) / reached
    effective = _effective(seen, reached, rate)
    low, high = _exact(rate * effective, effective)
    return Estimate(population, covered, judged, wrong, effective, rate, min(low, rate), max(high, rate))


def _effective(seen: list[Tally], reached: int, rate: float) -> float:
    """Return the lesser of two answers: by unequal weights (Kish), and by the variance within the strata, where it can be seen.

    Strata in which nothing wrong was found look certain and are not; the first bound does not believe them.
    """
    by_weights = reached**2 / sum(tally.population**2 / tally.judged for tally in seen)
    variance = sum((tally.population / reached) ** 2 * _variance(tally, rate) for tally in seen)
    return min(by_weights, rate * (1 - rate) / variance) if variance > 0 else by_weights


def _variance(tally: Tally, rate: float) -> float:
    """The variance of a stratum's share. One sample shows none: there the whole's stands in."""
    if tally.judged == 1:
        return rate * (1 - rate)
    share = tally.wrong / tally.judged
    return share * (1 - share) / (tally.judged - 1)


def _exact(wrong: float, draws: float) -> tuple[float, float]:
    """Clopper and Pearson's interval for a number of successes that need not be whole."""
    tail = (1 - CONFIDENCE) / 2
    low = beta_quantile(tail, wrong, draws - wrong + 1) if wrong > 0 else 0.0
    high = beta_quantile(1 - tail, wrong + 1, draws - wrong) if wrong < draws else 1.0
    return low, high
