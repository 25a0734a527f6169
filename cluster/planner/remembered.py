"""Was this step's time asked already? A reckoned step costs microseconds that thousands of simulated steps add up to.

Contexts are looked up in steps of 32 tokens a sequence (64 of a prompt's beginning): finer than any known error of a step time.
"""

from dataclasses import dataclass, field
from typing import Final

from typing_extensions import override

from cluster.planner.steps import Provenance, StepTimes

_A_SEQUENCE: Final = 32
_A_PROMPT: Final = 64


@dataclass(frozen=True, slots=True)
class Remembered(StepTimes):
    """The same step times, each reckoned once."""

    times: StepTimes
    _decodes: dict[tuple[int, int], float] = field(default_factory=dict, compare=False, repr=False)
    _prefills: dict[tuple[int, int], float] = field(default_factory=dict, compare=False, repr=False)

    @property
    @override
    def kv_capacity_tokens(self) -> int:
        return self.times.kv_capacity_tokens

    @property
    @override
    def max_batch(self) -> int:
        return self.times.max_batch

    @property
    @override
    def error_factor(self) -> float:
        return self.times.error_factor

    @property
    @override
    def provenance(self) -> Provenance:
        return self.times.provenance

    @override
    def prefill_seconds(self, tokens: int, context: int) -> float:
        near = round(context / _A_PROMPT)
        if (known := self._prefills.get((tokens, near))) is None:
            known = self._prefills[tokens, near] = self.times.prefill_seconds(tokens, near * _A_PROMPT)
        return known

    @override
    def decode_seconds(self, batch: int, context_tokens: int) -> float:
        near = max(1, round(context_tokens / (_A_SEQUENCE * batch)))
        if (known := self._decodes.get((batch, near))) is None:
            known = self._decodes[batch, near] = self.times.decode_seconds(batch, near * _A_SEQUENCE * batch)
        return known
