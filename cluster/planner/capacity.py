"""How much can one replica take and keep its level? Its curve and knee, and the largest rate at which nobody waits too long.

One replica is asked alone, at shares of its plateau that do not depend on the demand. So what it can take depends on engine, lengths and
level only, and a plan that divides the demand by it can't need fewer replicas for more demand or for a tighter level.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

from cluster.planner.knee import CurvePoint, Knee, knee, knee_within
from cluster.planner.load import Trace
from cluster.planner.outcome import Outcome
from cluster.planner.replica import EngineLimits
from cluster.planner.simulate import Fleet, Routing, closed_loop, simulate
from cluster.planner.slo import Level
from cluster.planner.steps import StepTimes

SHARES: Final = tuple(step / 100 for step in (2, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80, 85))
"""Shares of a replica's plateau that are tried; none above 85%, where a queue that is still stable takes minutes to drain."""

SIZING_REQUESTS: Final = 1500
"""Requests that one replica is asked while its largest rate is sought."""

_CONCURRENCIES: Final = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 40, 48, 56, 64, 80, 96, 128, 192, 256, 384, 512, 768, 1024)
_ROUNDS: Final = 8
_MANY: Final = 128
"""From this concurrency on fewer rounds say as much."""
_SAMPLE: Final = 256
"""Requests, evenly from the whole load, that each point of the curve serves at least once: so all points serve the same mix."""
_FLAT: Final = 1.005
_BEYOND_FULL: Final = 1.5
"""How far past a full cache the curve is followed: there it can only fall."""


@dataclass(frozen=True, slots=True)
class Option:
    """One way to run a replica: on so many GPUs, so laid out."""

    layout: str
    gpus: int
    times: StepTimes
    limits: EngineLimits


@dataclass(frozen=True)
class Capacity:
    """What one replica of an option does under a kind of load. `requests_per_second` is 0 where it can't keep the level at all."""

    option: Option
    trace: Trace
    level: Level
    curve: tuple[CurvePoint, ...]
    plateau_requests_per_second: float
    requests_per_second: float

    @cached_property
    def knee(self) -> Knee:
        """Where more load begins to bring only more waiting."""
        return knee(self.curve)

    @cached_property
    def knee_within_level(self) -> float:
        """The knee, or the last concurrency that keeps the level."""
        return knee_within(self.curve, [term.seconds for term in self.level.terms])

    @property
    def max_concurrency(self) -> int:
        """Requests of mean length that the cache holds at once, at most those the engine runs."""
        return max_concurrency(self.option, self.trace)


def max_concurrency(option: Option, trace: Trace) -> int:
    """Return how many requests of a load's mean length one replica runs at once."""
    tokens = trace.mean_prompt_tokens + trace.mean_output_tokens
    return min(option.times.max_batch, int(option.times.kv_capacity_tokens / tokens))


def capacity_of(option: Option, trace: Trace, level: Level, routing: Routing = "balanced") -> Capacity | None:
    """Ask one replica of an option; None where its cache holds not even one request of the mean length."""
    if max_concurrency(option, trace) < 1:
        return None
    fleet = Fleet(option.times, 1, option.limits, routing)
    mix = trace.sampled(_SAMPLE)
    curve: list[CurvePoint] = []
    plateau = 0.0
    for concurrency in _concurrencies(option, trace):
        outcome = closed_loop(fleet, mix, concurrency, rounds=_rounds(concurrency, mix))
        if not outcome.served:
            return None
        curve.append(CurvePoint(concurrency, outcome.output_tokens_per_second, level.waits(outcome)))
        plateau = max(plateau, outcome.requests_per_second)
        if len(curve) > 2 and all(right.throughput < left.throughput * _FLAT for left, right in pairwise(curve[-3:])):
            break
    rate = plateau * _largest_share(fleet, trace, level, plateau)
    return Capacity(option, trace, level, tuple(curve), plateau, rate)


def _rounds(concurrency: int, mix: Trace) -> int:
    alike = len({(request.prompt_tokens, request.output_tokens) for request in mix.requests}) == 1
    least = _ROUNDS if concurrency < _MANY else _ROUNDS // 2
    return least if alike else max(least, -(-len(mix.requests) // concurrency))


def _concurrencies(option: Option, trace: Trace) -> Iterator[int]:
    full = max_concurrency(option, trace)
    yield from (each for each in _CONCURRENCIES if each < full)
    yield full
    beyond = int(full * _BEYOND_FULL)
    if full < option.times.max_batch and beyond > full:
        yield min(beyond, option.times.max_batch)


def _largest_share(fleet: Fleet, trace: Trace, level: Level, plateau: float) -> float:
    """Return the largest share of the plateau at which the level is kept, 0 if none; halving finds it.

    INVARIANT: halving asks the same shares in the same order until two levels part, so the tighter one never ends higher.
    """
    low, high = 0, len(SHARES)
    while low < high:
        middle = (low + high) // 2
        if level.broken_by(_outcome(fleet, trace, plateau * SHARES[middle])):
            high = middle
        else:
            low = middle + 1
    return SHARES[low - 1] if low else 0.0


def _outcome(fleet: Fleet, trace: Trace, requests_per_second: float) -> Outcome:
    return simulate(fleet, trace.dealt(requests_per_second).first(SIZING_REQUESTS))
