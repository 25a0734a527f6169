"""Which waiting is still good? A service level as people write it: `ttft_p95=1s,tpot_p95=40ms`."""

import re
from dataclasses import dataclass
from typing import Final, cast, get_args

from cluster.planner.outcome import Metric, Outcome
from router.errors import BadRequest

_TERM: Final = re.compile(
    r"(?P<metric>[a-z0-9]+)_(?P<which>p[0-9]{1,2}|mean)=(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>ms|s)"
)


@dataclass(frozen=True, slots=True)
class Term:
    """One wait at one percentile (None: the mean), and the seconds it may take."""

    metric: Metric
    percentile: float | None
    seconds: float

    @property
    def name(self) -> str:
        """As it is written: `ttft_p95`."""
        return f"{self.metric}_mean" if self.percentile is None else f"{self.metric}_p{self.percentile:g}"

    def measured(self, outcome: Outcome) -> float:
        """Return what the load really waited."""
        return outcome.at(self.metric, self.percentile)


@dataclass(frozen=True, slots=True)
class Level:
    """All terms at once; a level without terms is kept by anything."""

    terms: tuple[Term, ...] = ()

    def waits(self, outcome: Outcome) -> tuple[float, ...]:
        """Return the waits that the terms speak of, in their order."""
        return tuple(term.measured(outcome) for term in self.terms)

    def broken_by(self, outcome: Outcome) -> tuple[str, ...]:
        """Return each term that was not kept, with what was waited instead."""
        return tuple(
            f"{term.name} is {shown_seconds(wait)} where {shown_seconds(term.seconds)} are allowed"
            for term, wait in zip(self.terms, self.waits(outcome), strict=True)
            if wait > term.seconds
        )


def parse_slo(text: str) -> Level:
    """Read `ttft_p95=1s,tpot_p95=40ms`; nothing for an empty text. Raises `BadRequest` with what is not understood."""
    return Level(tuple(_term(part.strip()) for part in text.split(",") if part.strip()))


def _term(text: str) -> Term:
    found = _TERM.fullmatch(text)
    if found is None or found["metric"] not in get_args(Metric):
        raise BadRequest(
            f"{text!r} is no service level: write {', '.join(get_args(Metric))}, then _p50, _p95, _p99 or _mean, "
            "then = and seconds, for example ttft_p95=1s,tpot_p95=40ms",
            "--slo",
        )
    percentile = None if found["which"] == "mean" else float(found["which"][1:])
    seconds = float(found["number"]) / (1000 if found["unit"] == "ms" else 1)
    if seconds == 0:
        raise BadRequest(f"{text!r}: nothing takes no time", "--slo")
    return Term(cast("Metric", found["metric"]), percentile, seconds)


def shown_seconds(seconds: float) -> str:
    """Write a duration for people: 38 ms, 1.25 s, 210 s."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    return f"{seconds:.3g} s" if seconds < 100 else f"{seconds:.0f} s"
