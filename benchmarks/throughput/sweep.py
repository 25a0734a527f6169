"""How does a server do at each level of load? One level after another, warmed up first, until more load brings no more throughput."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final, Protocol

from typing_extensions import override

from benchmarks.throughput.lengths import Shape
from benchmarks.throughput.measures import quantiles, samples_of
from benchmarks.throughput.orders import Answered, Ask, Order
from benchmarks.throughput.power import Power, metered
from benchmarks.throughput.prompts import Prompter
from benchmarks.throughput.slo import goodput, holds
from benchmarks.throughput.vitals import Scrape, watched
from cluster.planner.knee import CurvePoint, throughput_at
from cluster.planner.slo import Term
from cluster.planner.steady import Sample, steady_part
from cluster.profile import Point, levels_of
from router.errors import RouterError

FEWEST: Final = 8
"""Requests that count of a level, at least."""
_RATE_SECONDS: Final = 20
_SHARES_OF_THE_KNEE: Final = (0.25, 0.5, 0.75, 0.9)
_PLATEAU: Final = 1.03
"""Twice the streams for less than this much more throughput: the plateau."""


class Sends(Protocol):
    """What carries out an order: the load tool."""

    def send(self, order: Order, ended: Callable[[], None]) -> Answered:
        """Send all of it; `ended` is called as each request ends."""
        ...


class LevelFailed(RouterError):
    """A level got no answer, or too few to say anything."""

    code = "level_failed"


@dataclass(frozen=True, slots=True)
class Level:
    """So many streams, or so many requests a second. `each`: the requests that count of a level with many streams, a stream."""

    concurrency: int | None = None
    rate: float | None = None
    each: int = 2

    @override
    def __str__(self) -> str:
        return f"{self.concurrency} at once" if self.concurrency is not None else f"{self.rate:g} a second"

    @property
    def requests(self) -> int:
        """How many requests are sent: those that count, and one more for each stream at both ends; or 20 seconds' worth."""
        if self.rate is not None:
            return max(2 * FEWEST, round(_RATE_SECONDS * self.rate))
        streams = self.concurrency or 1
        return max(FEWEST, self.each * streams) + 2 * streams


@dataclass(frozen=True, slots=True)
class Measured:
    """What one level gave."""

    point: Point
    samples: tuple[Sample, ...]
    power: Power


@dataclass(frozen=True, slots=True)
class Server:
    """A server under load: where, as what it is asked (a lane, say), which model then answers, and its engine's metrics.

    `template_tokens`: what its chat template adds to a prompt.
    """

    base_url: str
    model: str
    engine_model: str
    template_tokens: int
    scrape: Scrape


@dataclass(slots=True)
class Sweep:
    """Puts levels of load on one server. No prompt is ever sent twice: `seed` and a count tell them apart."""

    tool: Sends
    server: Server
    prompter: Prompter
    terms: Sequence[Term] = ()
    seed: int = 0
    _sent: int = 0

    def warm_up(self, shapes: Sequence[Shape], ended: Callable[[], None]) -> None:
        """Send some requests at once whose times nobody keeps."""
        order = self._order(Level(concurrency=len(shapes)), shapes)
        if not samples_of(self.tool.send(order, ended)):
            raise LevelFailed(
                "the warm-up got no answer; `lane status` says what runs, its logs why it does not answer"
            )

    def measure(self, level: Level, shapes: Sequence[Shape], ended: Callable[[], None]) -> Measured:
        """Send the requests of one level. Raises `LevelFailed` where fewer than half are answered."""
        order = self._order(level, shapes)
        with metered() as power, watched(self.server.scrape, self.server.engine_model) as vitals:
            answered = self.tool.send(order, ended)
        samples = samples_of(answered)
        failed = len(shapes) - len(samples)
        if failed > len(samples):
            because = next((error.strip().splitlines()[-1] for error in answered.errors if error), "no reason given")
            raise LevelFailed(f"{level}: {failed} of {len(shapes)} requests failed: {because}")
        steady = steady_part(samples, level.concurrency or 0)
        gaps = [gap for sample in steady.samples for gap in sample.itl]
        open_on_average = level.concurrency or sum(sample.end_to_end for sample in samples) / answered.duration
        point = Point(
            concurrency=open_on_average,
            rate=level.rate,
            input_tokens=fmean(sample.input_tokens for sample in steady.samples),
            output_tokens=fmean(sample.output_tokens for sample in steady.samples),
            requests=len(steady.samples),
            failed=failed,
            seconds=steady.seconds,
            output_tokens_per_second=steady.output_tokens_per_second,
            ttft=quantiles([sample.ttft for sample in steady.samples]),
            tpot=quantiles([sample.tpot for sample in steady.samples]),
            end_to_end=quantiles([sample.end_to_end for sample in steady.samples]),
            itl=quantiles(gaps) if gaps else None,
            input_tokens_per_second=steady.input_tokens / steady.seconds,
            requests_per_second=steady.requests_per_second,
            kv_use=vitals.kv_use,
            prefix_hits=vitals.prefix_hits,
            goodput_requests_per_second=goodput(steady, self.terms) if self.terms else None,
            slo_met=holds(steady, self.terms, failed) if self.terms else None,
            cpu_watts=power.cpu_watts,
            gpu_watts=power.gpu_watts,
            shapes=tuple((sample.input_tokens, sample.output_tokens) for sample in samples),
        )
        return Measured(point, steady.samples, power)

    def _order(self, level: Level, shapes: Sequence[Shape]) -> Order:
        asks = []
        for shape in shapes:
            self._sent += 1
            text = self.prompter.prompt(shape.input_tokens - self.server.template_tokens, f"{self.seed}/{self._sent}")
            asks.append(Ask(prompt=text, input_tokens=shape.input_tokens, output_tokens=shape.output_tokens))
        return Order(
            base_url=self.server.base_url,
            model=self.server.model,
            asks=tuple(asks),
            concurrency=level.concurrency,
            rate=level.rate,
            seed=self.seed,
        )


def doublings(most: int) -> Iterator[int]:
    """Yield 1, 2, 4, ... and at last `most` itself."""
    streams = 1
    while streams < most:
        yield streams
        streams *= 2
    yield most


def rates_to_the_knee(points: Sequence[Point], knee: float | None) -> tuple[Level, ...]:
    """Return rates from little to nearly all that is answered at the knee, rounded to two digits; none where no knee was found.

    Requests that come at random queue before the server is full: what a rate costs no closed loop can show.
    """
    if knee is None:
        return ()
    answered = [
        CurvePoint(point.concurrency, point.output_tokens_per_second / point.output_tokens)
        for point in levels_of(points)
    ]
    most = throughput_at(answered, knee)
    return tuple(Level(rate=float(f"{most * share:.2g}")) for share in _SHARES_OF_THE_KNEE)


def on_the_plateau(points: Sequence[Point]) -> bool:
    """Say whether the last two steps up in concurrency brought next to nothing."""
    if len(points) < 3:
        return False
    before, middle, last = (point.output_tokens_per_second for point in points[-3:])
    return max(middle, last) < before * _PLATEAU
