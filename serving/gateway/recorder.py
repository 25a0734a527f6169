"""What is written of a request: the evidence log, and the metrics that follow from what passes into it."""

from router.contract import AttemptEnded, EvidenceEvent, Released
from serving.api import metrics
from serving.store import EvidenceStore


class Recorder:
    """Implements `router.ports.EvidenceLog` over this replica's store."""

    def __init__(self, store: EvidenceStore) -> None:
        self._store = store

    def append(self, trace_id: str, event: EvidenceEvent) -> None:
        """Hand an event over, and count what it says."""
        self._store.append(trace_id, event)
        if isinstance(event, AttemptEnded):
            metrics.attempts_total.labels(event.lane, event.ended).inc()
            metrics.tokens_total.labels(event.lane, "input").inc(event.input_tokens or 0)
            metrics.tokens_total.labels(event.lane, "output").inc(event.output_tokens or 0)
            metrics.cached_tokens_total.labels(event.lane).inc(event.cached_tokens or 0)
            if event.first_token_seconds is not None:
                metrics.first_token_seconds.labels(event.lane).observe(event.first_token_seconds)
        elif isinstance(event, Released):
            by = (event.release, event.risk_tier, str(event.streamed).lower())
            metrics.first_content_seconds.labels(*by).observe(event.first_content_ms / 1000)
            metrics.held_back_seconds.labels(*by).observe((event.first_content_ms - event.lane_ms) / 1000)

    async def durable(self, trace_id: str) -> None:
        """Return once everything appended under this trace is on stable storage."""
        await self._store.durable(trace_id)
