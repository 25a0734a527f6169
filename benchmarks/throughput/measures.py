"""What do the figures of one level say? Every request's times become the level's: only those of the steady part count.

A closed loop of n streams starts with n prompts at once and ends with fewer and fewer streams open. Neither is what a client of a busy
lane sees. So the first request of each stream is left out, and throughput is counted from when those have ended to when the last
request starts. Times to the first token and after it are of the requests started in between.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np

from benchmarks.throughput.orders import Answered
from benchmarks.throughput.slo import Bound, Measure
from cluster.profile import Quantiles


@dataclass(frozen=True, slots=True)
class Sample:
    """One answered request. Times in seconds; `started` by the load tool's clock. `itl`: between two pieces of its stream."""

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

    def seconds(self, measure: Measure) -> float:
        """Return one of its times by name."""
        match measure:
            case "ttft":
                return self.ttft
            case "tpot":
                return self.tpot
            case "e2e":
                return self.end_to_end

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
    """The steady part of a level: its requests, how long it was, and the answer tokens that came in that time."""

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


def samples_of(answered: Answered) -> tuple[Sample, ...]:
    """Return the requests that were answered, in the order they started."""
    rows = zip(
        answered.start_times,
        answered.input_lens,
        answered.output_lens,
        answered.ttfts,
        answered.latencies,
        answered.itls,
        answered.errors,
        strict=True,
    )
    good = [Sample(*figures) for *figures, error in rows if not error and figures[2] > 0]
    return tuple(sorted(good, key=lambda sample: sample.started))


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


def quantiles(values: Sequence[float]) -> Quantiles:
    """Return the percentiles that a profile keeps."""
    p50, p95, p99 = (float(value) for value in np.percentile(values, (50, 95, 99)))
    return Quantiles(p50=p50, p95=p95, p99=p99, mean=fmean(values))


def goodput(steady: Steady, bounds: Sequence[Bound]) -> float:
    """Return the requests a second that were answered within every bound: what a user would call served."""
    good = sum(all(sample.seconds(bound.measure) <= bound.seconds for bound in bounds) for sample in steady.samples)
    return steady.requests_per_second * good / len(steady.samples)


def holds(steady: Steady, bounds: Sequence[Bound]) -> bool:
    """Say whether each bound's percentile is within its time."""
    return all(
        float(np.percentile([sample.seconds(bound.measure) for sample in steady.samples], bound.share * 100))
        <= bound.seconds
        for bound in bounds
    )
