"""How long does one step of an engine take? The one question that the simulation asks of hardware and model.

Two answer it: `cluster.planner.roofline` from published figures, `cluster.planner.fitted` from what was measured here.
"""

from typing import Literal, Protocol

Provenance = Literal["measured", "fitted", "assumed"]


class StepTimes(Protocol):
    """An engine's speed. A step of continuous batching takes its prefill part plus its decode part."""

    @property
    def kv_capacity_tokens(self) -> int:
        """Tokens that the cache of one replica holds."""
        ...

    @property
    def max_batch(self) -> int:
        """Sequences that run at once at most, whatever the cache holds."""
        ...

    @property
    def error_factor(self) -> float:
        """Half-width of the interval, as a factor >= 1: the truth was within [x / f, x * f] in nine of ten known cases."""
        ...

    @property
    def provenance(self) -> Provenance:
        """Where the numbers come from."""
        ...

    def prefill_seconds(self, tokens: int, context: int) -> float:
        """Return the time to read `tokens` prompt tokens in one step, `context` tokens of the same prompts being cached already."""
        ...

    def decode_seconds(self, batch: int, context_tokens: int) -> float:
        """Return the time of a step that gives `batch` sequences one token each; `context_tokens` is the sum of their contexts."""
        ...
