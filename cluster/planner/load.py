"""What is asked of the engines, and when? Requests with their arrival, lengths and beginnings, from a rate or from a recorded trace."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Final

import numpy as np

_ROUND: Final = 1 << 48


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `prefix`: names of the whole blocks its prompt begins with; equal names, equal tokens. Lower `priority` goes first."""

    arrived_seconds: float
    prompt_tokens: int
    output_tokens: int
    prefix: tuple[int, ...] = ()
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Trace:
    """Requests in the order of their arrival, the first at 0. `prefix_block_tokens`: how long one block of `prefix` is.

    `recorded`: the rhythm is that of real users, with bursts; otherwise it was drawn and holds at any rate.
    """

    requests: tuple[Request, ...]
    source: str
    prefix_block_tokens: int = 512
    recorded: bool = False

    def __post_init__(self) -> None:
        if not self.requests:
            raise ValueError(f"{self.source}: no requests")

    @property
    def requests_per_second(self) -> float:
        """Mean rate over the trace; a single moment has none, so a second is assumed."""
        seconds = self.requests[-1].arrived_seconds
        return len(self.requests) / seconds if seconds > 0 else float(len(self.requests))

    @property
    def mean_prompt_tokens(self) -> float:
        """Mean length of a prompt."""
        return sum(request.prompt_tokens for request in self.requests) / len(self.requests)

    @property
    def mean_output_tokens(self) -> float:
        """Mean length of an answer."""
        return sum(request.output_tokens for request in self.requests) / len(self.requests)

    def at_rate(self, requests_per_second: float) -> "Trace":
        """Return the same requests in the same order, time stretched so that they come at this mean rate."""
        stretch = self.requests_per_second / requests_per_second
        moved = (replace(request, arrived_seconds=request.arrived_seconds * stretch) for request in self.requests)
        return replace(self, requests=tuple(moved))

    def dealt(self, requests_per_second: float) -> "Trace":
        """Return what one of several replicas gets at this rate.

        Of a recorded trace it is dealt every so-many-th request at its own time, as a router does: a burst that many replicas share is no
        burst for one of them. A drawn trace, and a recorded one that is slower itself, is stretched.
        """
        share = requests_per_second / self.requests_per_second
        if not self.recorded or share >= 1:
            return self.at_rate(requests_per_second)
        return self.sampled(max(1, round(len(self.requests) * share)))

    def sampled(self, count: int) -> "Trace":
        """Return `count` of the requests, evenly from beginning to end, at their own times; all of them where there are fewer."""
        if count >= len(self.requests):
            return self
        return replace(
            self, requests=tuple(self.requests[number * len(self.requests) // count] for number in range(count))
        )

    def first(self, count: int) -> "Trace":
        """Return the first requests alone."""
        return replace(self, requests=self.requests[:count])

    def within(self, context_tokens: int) -> "Trace | None":
        """Return the requests that a context of so many tokens takes; None where there is none."""
        kept = tuple(one for one in self.requests if one.prompt_tokens + one.output_tokens <= context_tokens)
        return replace(self, requests=kept) if kept else None

    def over_and_over(self) -> Iterator[Request]:
        """Yield the requests without end, as clients of a closed loop send them. In each round the beginnings are new ones."""
        for round_number in count():
            for request in self.requests:
                yield replace(request, prefix=tuple(name + round_number * _ROUND for name in request.prefix))


def poisson(requests_per_second: float, prompt_tokens: int, output_tokens: int, requests: int, seed: int = 0) -> Trace:
    """Return `requests` requests of one length that come independently of each other.

    The seed draws the gaps once; another rate stretches the same gaps, so that plans for two rates differ by the rate alone.
    """
    gaps = np.random.default_rng(seed).exponential(size=requests) / requests_per_second
    gaps[0] = 0.0
    arrivals: Sequence[float] = np.cumsum(gaps).tolist()
    coming = tuple(Request(at, prompt_tokens, output_tokens) for at in arrivals)
    return Trace(coming, f"independent arrivals, seed {seed}")
