"""What does the load's outcome say? Ratios of one run, each with the bound that it is held to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.load import quantile
from benchmarks.overload.clients import Client, Got

REFUSED: Final = 429


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure; `least` and `most` are what it is held to, where it is."""

    name: str
    value: float
    about: str
    least: float | None = None
    most: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the figure is within its bounds."""
        return (self.least is None or self.value >= self.least) and (self.most is None or self.value <= self.most)


def answered(got: Sequence[Got], since: float, until: float) -> list[Got]:
    """Return what was answered whole in a stretch of time."""
    return [one for one in got if one.status == 200 and since <= one.ended_at < until]


def measures(
    got: Sequence[Got], clients: Sequence[Client], capacity: float, since: float, until: float
) -> list[Measure]:
    """Return the figures of a load. `capacity`: requests a second that the lane did when it was asked no more than that."""
    whole = answered(got, since, until)
    asked = [one for one in got if since <= one.asked_at < until]
    refused = [one.seconds * 1000 for one in asked if one.status == REFUSED]
    top = max(client.priority for client in clients)
    urgent = {client.org for client in clients if client.priority == top}
    others = [client for client in clients if client.org not in urgent]
    of_urgent = [one for one in asked if one.org in urgent]
    return [
        Measure("asked_ratio", len(asked) / (until - since) / capacity, "asked, as a multiple of what the lane can do"),
        Measure(
            "goodput_ratio",
            len(whole) / (until - since) / capacity,
            "answered, as a share of that",
            least=0.8,
            most=1.3,
        ),
        Measure("refused_ratio", len(refused) / max(len(asked), 1), "of all requests"),
        Measure("refused_ms_p50", quantile(refused or [0.0], 0.5), "time to a refusal, half of them"),
        Measure("refused_ms_p95", quantile(refused or [0.0], 0.95), "time to a refusal, 95% of them"),
        Measure(
            "prompt_refusals_ratio",
            sum(ms < 100 for ms in refused) / max(len(refused), 1),
            "refused within 100 ms, of all refusals",
            least=0.9,
        ),
        Measure(
            "retry_after_ratio",
            sum(one.retry_after is not None for one in asked if one.status == REFUSED) / max(len(refused), 1),
            "refusals that say when to come back",
            least=1.0,
        ),
        Measure(
            "urgent_answered_ratio",
            sum(one.status == 200 for one in of_urgent) / max(len(of_urgent), 1),
            "of what the urgent tenant asked",
            least=0.9,
        ),
        Measure(
            "fairness",
            jain([sum(one.org == client.org for one in whole) / client.weight for client in others]),
            "Jain's index of what the others got by their weights",
            least=0.9,
        ),
        Measure(
            "broken_ratio",
            sum(one.status not in {200, REFUSED} for one in asked) / max(len(asked), 1),
            "neither answered nor refused",
            most=0.0,
        ),
    ]


def jain(got: Sequence[float]) -> float:
    """Return Jain's fairness index: 1 where all got alike, 1/n where one got everything."""
    squares = sum(one * one for one in got)
    return sum(got) ** 2 / (len(got) * squares) if squares else 0.0
