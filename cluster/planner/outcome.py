"""What came of a simulated load? Waiting times at any percentile, throughput, queue, cache and preemptions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from cluster.profile import Quantiles

if TYPE_CHECKING:
    from cluster.planner.replica import Replica

Metric = Literal["ttft", "tpot", "itl", "e2e", "queue"]
"""Time to first token, mean time per further token of an answer, time between two tokens, whole answer, time before admission."""

_Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Served:
    """One request's life, in seconds from the load's beginning."""

    arrived_seconds: float
    admitted_seconds: float
    first_token_seconds: float
    ended_seconds: float
    prompt_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    preemptions: int = 0
    priority: int = 0

    @property
    def ttft_seconds(self) -> float:
        """Time to its first token."""
        return self.first_token_seconds - self.arrived_seconds

    @property
    def tpot_seconds(self) -> float | None:
        """Mean time of each token after the first; None for an answer of one token."""
        if self.output_tokens == 1:
            return None
        return (self.ended_seconds - self.first_token_seconds) / (self.output_tokens - 1)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a run had come at a moment: requests answered, tokens written."""

    seconds: float = 0.0
    requests: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The whole load's figures. Shares are of 1. `refused`: requests that no empty cache could hold."""

    served: tuple[Served, ...]
    refused: int
    seconds: float
    requests_per_second: float
    output_tokens_per_second: float
    kv_peak_share: float
    kv_mean_share: float
    prefix_hit_share: float
    preemptions: int
    waiting_peak: int
    batch_mean: float
    busy_share: float
    _gaps: tuple[_Array, _Array]

    @classmethod
    def of(
        cls, ended: tuple[Served, ...], replicas: Sequence["Replica"], since: "Mark", until: "Mark", refused: int
    ) -> "Outcome":
        """Sum up what happened between two moments; the engines' own sums are over the whole run."""
        served = ended[since.requests :]
        seconds = until.seconds - since.seconds
        busy_seconds = sum(replica.busy_seconds for replica in replicas)
        prompt_tokens = sum(one.prompt_tokens for one in served)
        gaps = [gap for replica in replicas for gap in replica.gaps]
        return cls(
            served=served,
            refused=refused,
            seconds=seconds,
            requests_per_second=_share(len(served), seconds),
            output_tokens_per_second=_share(until.tokens - since.tokens, seconds),
            kv_peak_share=max(_share(replica.kv_peak_blocks, replica.kv.capacity) for replica in replicas),
            kv_mean_share=sum(
                _share(replica.kv_block_seconds, replica.kv.capacity * until.seconds * len(replicas))
                for replica in replicas
            ),
            prefix_hit_share=_share(sum(one.cached_tokens for one in served), prompt_tokens),
            preemptions=sum(replica.preemptions for replica in replicas),
            waiting_peak=max(replica.waiting_peak for replica in replicas),
            batch_mean=_share(sum(replica.batch_seconds for replica in replicas), busy_seconds),
            busy_share=_share(busy_seconds, until.seconds * len(replicas)),
            _gaps=(np.array([seconds for seconds, _ in gaps]), np.array([float(count) for _, count in gaps])),
        )

    def at(self, metric: Metric, percentile: float | None) -> float:
        """Return a waiting time in seconds at a percentile, or its mean for None; 0 where nothing was served."""
        if metric == "itl":
            return _weighted(*self._gaps, percentile)
        values = self._values(metric)
        if not values.size:
            return 0.0
        return float(values.mean() if percentile is None else np.percentile(values, percentile))

    def quantiles(self, metric: Metric) -> Quantiles:
        """Return the usual percentiles and the mean."""
        p50, p95, p99 = (self.at(metric, percentile) for percentile in (50, 95, 99))
        return Quantiles(p50=p50, p95=p95, p99=p99, mean=self.at(metric, None))

    def _values(self, metric: Metric) -> _Array:
        match metric:
            case "ttft":
                return np.array([one.ttft_seconds for one in self.served])
            case "tpot":
                return np.array([each for one in self.served if (each := one.tpot_seconds) is not None])
            case "e2e":
                return np.array([one.ended_seconds - one.arrived_seconds for one in self.served])
            case "queue":
                return np.array([one.admitted_seconds - one.arrived_seconds for one in self.served])
            case "itl":
                return self._gaps[0]


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0


def _weighted(values: _Array, weights: _Array, percentile: float | None) -> float:
    """Return the percentile of values that count so many times each."""
    if not values.size:
        return 0.0
    if percentile is None:
        return float(np.average(values, weights=weights))
    order = np.argsort(values)
    reached = np.cumsum(weights[order])
    index = int(np.searchsorted(reached, percentile / 100 * reached[-1]))
    return float(values[order][min(index, values.size - 1)])
