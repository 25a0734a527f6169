"""Which part of a finite load test says how a busy lane does? The steady one, cut out alike of what was measured and what was simulated.

A closed loop of n streams starts with n prompts at once and ends with fewer and fewer streams open. Neither is what a client of a busy
lane sees. So the first request of each stream is left out, and throughput is counted from when those have ended to when the last
request starts. Times to the first token and after it are of the requests started in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean


@dataclass(frozen=True, slots=True)
class Sample:
    """One answered request. Times in seconds; `started` by one clock for all. `itl`: between two pieces of its stream, where known."""

    started: float
    input_tokens: int
    output_tokens: int
    ttft: float
    end_to_end: float
    itl: tuple[float, ...] = field(default=(), repr=False)

    @property
    def tpot(self) -> float:
        """Seconds for each token after the first, on average over this answer; 0 for an answer of one token."""
        return (self.end_to_end - self.ttft) / (self.output_tokens - 1) if self.output_tokens > 1 else 0.0

    def tokens_by(self, moment: float) -> float:
        """Return how many of its tokens were there at a moment: the first at its time, the others evenly up to the end."""
        first, last = self.started + self.ttft, self.started + self.end_to_end
        if moment < first:
            return 0.0
        if moment >= last or self.output_tokens == 1:
            return float(self.output_tokens)
        return 1 + (self.output_tokens - 1) * (moment - first) / (last - first)


@dataclass(frozen=True, slots=True)
class Steady:
    """The steady part of a level: its requests, how long it was, and the tokens that were read and written in that time."""

    samples: tuple[Sample, ...]
    seconds: float
    output_tokens: float
    input_tokens: float

    @property
    def output_tokens_per_second(self) -> float:
        """Answer tokens a second, all streams together."""
        return self.output_tokens / self.seconds

    @property
    def requests_per_second(self) -> float:
        """Requests a second, by the answers' mean length."""
        return self.output_tokens_per_second / fmean(sample.output_tokens for sample in self.samples)


def steady_part(samples: Sequence[Sample], streams: int) -> Steady:
    """Return the steady part of a closed loop with so many streams; of too few requests, all of them from first to last.

    `samples` are in the order they started.
    """
    inner = tuple(samples[streams:])
    began = min((sample.started for sample in inner), default=0.0)
    ended = max((sample.started for sample in inner), default=0.0)
    if len(inner) < 2 or ended <= began:
        inner = tuple(samples)
        began = min(sample.started for sample in samples)
        ended = max(sample.started + sample.end_to_end for sample in samples)
    output = sum(sample.tokens_by(ended) - sample.tokens_by(began) for sample in samples)
    read = sum(sample.input_tokens for sample in samples if began < sample.started + sample.ttft <= ended)
    return Steady(inner, ended - began, output, read)
