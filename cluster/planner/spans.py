"""What is an engine in the middle of? A request on its way, and steps that are taken together because nothing changes between them."""

import math
from dataclasses import dataclass

from cluster.planner.load import Request


class Sequence:
    """A request on its way through the engine."""

    __slots__ = (
        "admitted_seconds", "cached_tokens", "ended_seconds", "finish_step", "first_token_seconds", "generated", "held", "joined_step",
        "last_token_seconds", "number", "own_blocks", "preemptions", "read", "replica", "request", "to_read",
    )  # fmt: skip

    def __init__(self, number: int, request: Request) -> None:
        self.number = number
        self.request = request
        self.replica = 0
        self.generated = 0
        self.to_read = request.prompt_tokens
        self.read = 0
        self.own_blocks = 0
        self.held: list[int] = []
        self.cached_tokens = 0
        self.preemptions = 0
        self.joined_step = 0
        self.finish_step = -1
        self.admitted_seconds = math.nan
        self.first_token_seconds = math.nan
        self.last_token_seconds = math.nan
        self.ended_seconds = math.nan

    @property
    def turn(self) -> tuple[int, float, int]:
        """Its place in the order of service."""
        return self.request.priority, self.request.arrived_seconds, self.number


@dataclass(frozen=True, slots=True)
class Span:
    """Steps that are under way: `steps` of them, the first and the last taking so long. `chunks`: prompt tokens read, by sequence."""

    starts_seconds: float
    steps: int
    first_seconds: float
    last_seconds: float
    chunks: tuple[tuple[Sequence, int], ...] = ()

    def seconds(self, steps: int) -> float:
        """Return how long the first `steps` steps take."""
        growth = (self.last_seconds - self.first_seconds) / (self.steps - 1) if self.steps > 1 else 0.0
        return steps * self.first_seconds + growth * steps * (steps - 1) / 2

    @property
    def ends_seconds(self) -> float:
        """When the last step is over."""
        return self.starts_seconds + self.seconds(self.steps)

    def cut(self, at_seconds: float) -> "Span":
        """Return the span up to the first end of a step at or after a moment."""
        low, high = 1, self.steps
        while low < high:
            middle = (low + high) // 2
            if self.starts_seconds + self.seconds(middle) >= at_seconds:
                high = middle
            else:
                low = middle + 1
        last = self.seconds(low) - self.seconds(low - 1)
        return Span(self.starts_seconds, low, self.first_seconds, last, self.chunks)
