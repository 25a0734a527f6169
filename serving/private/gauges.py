"""What do operators see of each engine? The figures that the autoscaler and the watchdog go by, in the ingress' `/metrics`.

Replicas and ingress of a node share a folder (`PROMETHEUS_MULTIPROC_DIR`), so these need no port of their own. docs/metrics.md lists them.
"""

from prometheus_client import Counter, Gauge

from serving.private.vitals import Vitals
from serving.private.watchdog import StallClock

_OF_A_REPLICA = ["model", "replica"]


def _gauge(name: str, what: str) -> Gauge:
    # Of replicas that are gone, `serving.api.metrics` drops the last word.
    return Gauge(name, what, _OF_A_REPLICA, multiprocess_mode="livemostrecent")


_running = _gauge("lane_engine_running_requests", "Requests in the engine's batch")
_waiting = _gauge("lane_engine_waiting_requests", "Requests in the engine's queue")
_private_waiting = _gauge("lane_engine_private_waiting_requests", "Of these, requests that may not leave the cluster")
_kv_use = _gauge("lane_engine_kv_use", "Share of the KV cache in use, 0 to 1")
_silent = _gauge("lane_engine_silent_seconds", "Seconds since the engine last showed a sign of life")
_stall = _gauge("lane_engine_stall_limit_seconds", "Silence beyond which the engine is replaced")
_generated = Counter("lane_engine_generated_tokens_total", "Tokens generated", ["model"])
_prompt = Counter("lane_engine_prompt_tokens_total", "Prompt tokens taken in", ["model"])
_queried = Counter("lane_engine_prefix_queried_tokens_total", "Prompt tokens looked for in the prefix cache", ["model"])
_hit = Counter("lane_engine_prefix_hit_tokens_total", "Of these, tokens that were there", ["model"])
_preemptions = Counter("lane_engine_preemptions_total", "Requests put back for want of KV cache", ["model"])
_ended = Counter("lane_engine_ended_total", "Engines that died or hung, and were replaced", ["model"])


class EngineGauges:
    """The gauges of one replica, set once a second."""

    def __init__(self, model: str, replica: str) -> None:
        self._model, self._replica = model, replica
        self._before = Vitals()
        _ended.labels(model).inc(0)

    def count_end(self) -> None:
        """Count that this replica ends for want of a working engine."""
        _ended.labels(self._model).inc()

    def set(self, vitals: Vitals, private_waiting: int, clock: StallClock) -> None:
        """Show what is known now."""
        for gauge, value in (
            (_running, vitals.running),
            (_waiting, vitals.waiting),
            (_private_waiting, private_waiting),
            (_kv_use, vitals.kv_use),
            (_silent, clock.silent_seconds),
            (_stall, clock.limit_seconds),
        ):
            gauge.labels(self._model, self._replica).set(value)
        before, self._before = self._before, vitals
        _generated.labels(self._model).inc(vitals.generated_tokens_total - before.generated_tokens_total)
        _prompt.labels(self._model).inc(vitals.prompt_tokens_total - before.prompt_tokens_total)
        _preemptions.labels(self._model).inc(vitals.preemptions_total - before.preemptions_total)
        _queried.labels(self._model).inc(vitals.prefix_queried_tokens_total - before.prefix_queried_tokens_total)
        _hit.labels(self._model).inc(vitals.prefix_hit_tokens_total - before.prefix_hit_tokens_total)
