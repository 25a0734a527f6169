"""May this loop of model and tools go on? Bounded by calls, time, tokens and repetition; a value that only grows, so every loop ends.

LAW: from any state, no more than `calls` further steps are taken, whatever the model asks for.
"""

from collections import Counter
from dataclasses import dataclass, field, replace

from router.errors import ToolLoop


@dataclass(frozen=True, slots=True)
class LoopBounds:
    """What one request may spend on server-side tools: calls, seconds, tokens of the model between them, and equal calls."""

    calls: int = 8
    seconds: float = 60.0
    tokens: int = 16_384
    repeats: int = 2


@dataclass(frozen=True, slots=True)
class Step:
    """One call that a loop is about to make. `tokens` are those that the model read and wrote since the last one."""

    tool: str
    arguments_sha256: str
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class LoopState:
    """What a loop has spent. `at_seconds` are seconds since its start, told by whoever has a clock."""

    calls: int = 0
    tokens: int = 0
    made: tuple[tuple[str, str], ...] = field(default=())

    def after(self, step: Step, bounds: LoopBounds, at_seconds: float) -> "LoopState":
        """Return the state once this step is taken. Raises `ToolLoop`, which says by which bound it may not be."""
        call = (step.tool, step.arguments_sha256)
        tokens = self.tokens + max(0, step.tokens)
        # A model that counts up (A, B, A, B, ...) repeats itself as much as one that stutters: all of the past counts, not the last call.
        equal = Counter(self.made)[call]
        if self.calls >= bounds.calls:
            raise ToolLoop(step.tool, f"{bounds.calls} calls were made, and no more are allowed")
        if at_seconds >= bounds.seconds:
            raise ToolLoop(step.tool, f"the loop has run for its {bounds.seconds:g} s")
        if tokens > bounds.tokens:
            raise ToolLoop(step.tool, f"the loop has used its {bounds.tokens} tokens")
        if equal >= bounds.repeats:
            raise ToolLoop(step.tool, f"the same call was made {equal} times already")
        return replace(self, calls=self.calls + 1, tokens=tokens, made=(*self.made, call))
