"""What do people wait for, when so many replicas meet this load? A discrete-event simulation of the engines and of who gets what.

An open load comes when the trace says; a closed one keeps a number of requests open all the time, each end beginning the next.
"""

import heapq
from collections.abc import Iterator
from collections.abc import Sequence as Many
from dataclasses import dataclass
from itertools import count, islice
from typing import Literal

from cluster.planner.load import Request, Trace
from cluster.planner.outcome import Mark, Outcome, Served
from cluster.planner.replica import EngineLimits, Replica
from cluster.planner.spans import Sequence
from cluster.planner.steps import StepTimes

Routing = Literal["balanced", "prefix"]
"""To the replica with the fewest open requests, in turn where they are alike; or to the one whose cache holds most of the beginning."""

MATCH_NEEDED = 0.1
"""Share of a prompt that must be in a cache before that decides: Ray's `PrefixCacheAffinityRouter` asks for the same."""
IMBALANCE_BORNE = 16
"""Open requests by which replicas may differ before the cache no longer decides."""

_LIMITS = EngineLimits()
_START = Mark()


@dataclass(frozen=True, slots=True)
class Fleet:
    """Replicas alike, and how requests are shared out among them."""

    times: StepTimes
    replicas: int = 1
    limits: EngineLimits = _LIMITS
    routing: Routing = "balanced"


def simulate(fleet: Fleet, trace: Trace) -> Outcome:
    """Serve a whole trace as it comes."""
    run = _Run(fleet, trace.prefix_block_tokens)
    arrivals = iter(trace.requests)
    coming = next(arrivals, None)
    while coming is not None or run.busy:
        if coming is not None and coming.arrived_seconds <= run.next_end_seconds:
            run.arrive(coming, coming.arrived_seconds)
            coming = next(arrivals, None)
        else:
            run.advance()
    return run.outcome()


def closed_loop(fleet: Fleet, trace: Trace, concurrency: int, *, rounds: int = 8) -> Outcome:
    """Keep `concurrency` requests open until each client had about `rounds` answers.

    The first two answers of each are not measured: clients that begin together march in step until their ends have spread.
    """
    run = _Run(fleet, trace.prefix_block_tokens)
    clients = (request for request in trace.over_and_over() if run.can_ever_hold(request))
    if not any(run.can_ever_hold(request) for request in trace.requests):
        return run.outcome()
    for request in islice(clients, concurrency):
        run.arrive(_at(request, 0.0), 0.0)
    warm, enough = 2 * concurrency, (2 + rounds) * concurrency
    spread = _START
    while len(run.ended) < enough:
        for sequence in run.advance():
            run.arrive(_at(next(clients), sequence.ended_seconds), sequence.ended_seconds)
            if spread is _START and len(run.ended) >= warm:
                spread = run.mark(sequence.ended_seconds)
    return run.outcome(spread)


def load_test(fleet: Fleet, trace: Trace, concurrency: int) -> Outcome:
    """Send each request of a trace once, `concurrency` of them open: what a load tool does, filling and emptying measured with the rest."""
    run = _Run(fleet, trace.prefix_block_tokens)
    coming = iter(trace.requests)
    for request in islice(coming, concurrency):
        run.arrive(_at(request, 0.0), 0.0)
    while run.busy:
        for sequence in run.advance():
            for request in islice(coming, 1):
                run.arrive(_at(request, sequence.ended_seconds), sequence.ended_seconds)
    return run.outcome()


def _at(request: Request, seconds: float) -> Request:
    return Request(seconds, request.prompt_tokens, request.output_tokens, request.prefix, request.priority)


class _Run:
    """One simulation under way: replicas, and the ends of their spans in order."""

    def __init__(self, fleet: Fleet, prefix_block_tokens: int) -> None:
        # Whole engine blocks alone are shared, so a named block counts as the engine blocks inside it.
        self._replicas = [Replica(fleet.times, fleet.limits, prefix_block_tokens) for _ in range(fleet.replicas)]
        self._routing = fleet.routing
        self._numbers = count()
        self._ends: list[tuple[float, int]] = []
        self.ended: list[Sequence] = []
        self.refused = 0

    @property
    def busy(self) -> bool:
        return bool(self._ends)

    @property
    def next_end_seconds(self) -> float:
        return self._ends[0][0] if self._ends else float("inf")

    def can_ever_hold(self, request: Request) -> bool:
        return self._replicas[0].can_ever_hold(request)

    def arrive(self, request: Request, now: float) -> None:
        if not self.can_ever_hold(request):
            self.refused += 1
            return
        index = self._choose(request)
        sequence = Sequence(next(self._numbers), request)
        replica = self._replicas[index]
        before = replica.span
        replica.accept(sequence, now)
        if replica.span is not before and replica.span is not None:
            heapq.heappush(self._ends, (replica.span.ends_seconds, index))
            self._drop_stale()

    def advance(self) -> list[Sequence]:
        """End the span that ends first; return whom that answered."""
        _, index = heapq.heappop(self._ends)
        replica = self._replicas[index]
        ended = replica.finish()
        self.ended.extend(ended)
        if replica.span is not None:
            heapq.heappush(self._ends, (replica.span.ends_seconds, index))
        self._drop_stale()
        return ended

    def _drop_stale(self) -> None:
        """Forget ends of spans that were cut since."""
        while self._ends:
            ends_seconds, index = self._ends[0]
            span = self._replicas[index].span
            if span is not None and span.ends_seconds == ends_seconds:
                return
            heapq.heappop(self._ends)

    def _choose(self, request: Request) -> int:
        replicas = range(len(self._replicas))
        least = min(replicas, key=lambda index: (self._replicas[index].outstanding, self._replicas[index].accepted))
        if self._routing == "balanced" or not request.prefix:
            return least
        hits = [replica.kv.hits(request.prefix) for replica in self._replicas]
        best = max(replicas, key=lambda index: (hits[index], -self._replicas[index].outstanding))
        enough = hits[best] >= MATCH_NEEDED * len(request.prefix)
        ahead = self._replicas[best].outstanding - self._replicas[least].outstanding
        return best if enough and ahead <= IMBALANCE_BORNE else least

    def mark(self, now: float) -> Mark:
        return Mark(now, len(self.ended), sum(replica.written_tokens for replica in self._replicas))

    def outcome(self, since: Mark = _START) -> Outcome:
        until = self.mark(self.ended[-1].ended_seconds if self.ended else 0.0)
        return Outcome.of(tuple(served_by(self.ended)), self._replicas, since, until, self.refused)


def served_by(sequences: Many[Sequence]) -> Iterator[Served]:
    """Yield what each request got, in the order in which they ended."""
    for sequence in sequences:
        yield Served(
            arrived_seconds=sequence.request.arrived_seconds,
            admitted_seconds=sequence.admitted_seconds,
            first_token_seconds=sequence.first_token_seconds,
            ended_seconds=sequence.ended_seconds,
            prompt_tokens=sequence.request.prompt_tokens,
            output_tokens=sequence.request.output_tokens,
            cached_tokens=sequence.cached_tokens,
            preemptions=sequence.preemptions,
            priority=sequence.request.priority,
        )
