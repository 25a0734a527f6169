"""What do operators see of each engine? The figures that the autoscaler and the watchdog go by; docs/metrics.md lists them.

In two places: the ingress' `/metrics` for all processes of its machine (they share a folder, `PROMETHEUS_MULTIPROC_DIR`), and Ray's
export on each node of a cluster, where each name begins with `ray_`.
"""

from typing import Final

from prometheus_client import Counter, Gauge
from ray.util import metrics as ray_metrics

from serving.private.vitals import Vitals
from serving.private.watchdog import StallClock

_NOW: Final = {
    "running_requests": "Requests in the engine's batch",
    "waiting_requests": "Requests in the engine's queue",
    "private_waiting_requests": "Of these, requests that may not leave the cluster",
    "kv_use": "Share of the KV cache in use, 0 to 1",
    "silent_seconds": "Seconds since the engine last showed a sign of life",
    "stall_limit_seconds": "Silence beyond which the engine is replaced",
}
_TOTALS: Final = {
    "generated_tokens_total": "Tokens generated",
    "prompt_tokens_total": "Prompt tokens taken in",
    "preemptions_total": "Requests put back for want of KV cache",
    "prefix_queried_tokens_total": "Prompt tokens looked for in the prefix cache",
    "prefix_hit_tokens_total": "Of these, tokens that were there",
}
"""Named as the fields of `Vitals` that they come from."""


class EngineGauges:
    """The figures of one replica, shown once a second. Made once in its process."""

    def __init__(self, model: str, replica: str) -> None:
        self._replica = {"model": model, "replica": replica}
        self._now = {name: _gauge(f"lane_engine_{name}", what) for name, what in _NOW.items()}
        self._totals = {name: _Count(f"lane_engine_{name}", what, model) for name, what in _TOTALS.items()}
        self._ended = _Count("lane_engine_ended_total", "Engines that died or hung, and were replaced", model)
        self._before = Vitals()

    def set(self, vitals: Vitals, private_waiting: int, clock: StallClock) -> None:
        """Show what is known now."""
        values = {
            "running_requests": vitals.running,
            "waiting_requests": vitals.waiting,
            "private_waiting_requests": private_waiting,
            "kv_use": vitals.kv_use,
            "silent_seconds": clock.silent_seconds,
            "stall_limit_seconds": clock.limit_seconds,
        }
        for name, value in values.items():
            here, on_node = self._now[name]
            here.labels(**self._replica).set(value)
            on_node.set(value, self._replica)
        for name, count in self._totals.items():
            count.add(getattr(vitals, name) - getattr(self._before, name))
        self._before = vitals

    def count_end(self) -> None:
        """Count that this replica ends for want of a working engine."""
        self._ended.add(1)


def _gauge(name: str, what: str) -> tuple[Gauge, ray_metrics.Gauge]:
    # Of replicas that are gone, `serving.api.metrics` drops the last word.
    here = Gauge(name, what, ["model", "replica"], multiprocess_mode="livemostrecent")
    return here, ray_metrics.Gauge(name, what, ("model", "replica"))


class _Count:
    """A total of a model, over all its replicas; there from the first, at nothing."""

    def __init__(self, name: str, what: str, model: str) -> None:
        self._here = Counter(name, what, ["model"]).labels(model)
        self._on_node = ray_metrics.Counter(name, what, ("model",))
        self._tags = {"model": model}

    def add(self, count: int) -> None:
        self._here.inc(count)
        if count:  # Ray's counters take no zero.
            self._on_node.inc(count, self._tags)
