"""What does `determinism: exact` cost? The same engine's steps, as fast as its kernels with a fixed order are, or one request at a time."""

from dataclasses import dataclass

from typing_extensions import override

from cluster.planner.steps import Provenance, StepTimes
from models.exactness import Exact


@dataclass(frozen=True, slots=True)
class ExactSteps(StepTimes):
    """An engine's speed under an exact lane. What was measured of `times` stays measured only where nothing is assumed on top."""

    times: StepTimes
    how: Exact

    @property
    @override
    def kv_capacity_tokens(self) -> int:
        return self.times.kv_capacity_tokens

    @property
    @override
    def max_batch(self) -> int:
        return 1 if self.how.kept_by == "one request at a time" else self.times.max_batch

    @property
    @override
    def error_factor(self) -> float:
        return self.times.error_factor

    @property
    @override
    def provenance(self) -> Provenance:
        slower = self.how.throughput_factor < 1
        return "assumed" if slower and self.how.factor_is == "assumed" else self.times.provenance

    @override
    def prefill_seconds(self, tokens: int, context: int) -> float:
        return self.times.prefill_seconds(tokens, context) / self.how.throughput_factor

    @override
    def decode_seconds(self, batch: int, context_tokens: int) -> float:
        return self.times.decode_seconds(batch, context_tokens) / self.how.throughput_factor
