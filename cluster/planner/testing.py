"""Which engine do tests and examples plan for? One whose steps cost plainly what they hold; its figures are nobody's."""

from dataclasses import dataclass

from cluster.planner.steps import Provenance


@dataclass(frozen=True, slots=True)
class PlainSteps:
    """A `StepTimes` that is linear: so much a step, a prompt token, a pair of tokens, a sequence, and a token of context."""

    kv_capacity_tokens: int = 100_000
    max_batch: int = 128
    error_factor: float = 1.25
    provenance: Provenance = "assumed"
    step_seconds: float = 0.01
    prompt_token_seconds: float = 1e-5
    pair_seconds: float = 1e-10
    sequence_seconds: float = 2e-5
    context_token_seconds: float = 3e-8

    def prefill_seconds(self, tokens: int, context: int) -> float:
        """Return the time to read so many tokens of a prompt."""
        return tokens * self.prompt_token_seconds + tokens * (context + tokens / 2) * self.pair_seconds

    def decode_seconds(self, batch: int, context_tokens: int) -> float:
        """Return the time of one token each."""
        return self.step_seconds + batch * self.sequence_seconds + context_tokens * self.context_token_seconds
