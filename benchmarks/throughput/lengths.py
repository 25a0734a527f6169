"""How long are the prompts and the answers? Fixed, spread around a mean, or as in a trace of real traffic; always from a seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from typing_extensions import override

from cluster.planner.traces import read_trace

_TRACE_REQUESTS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Shape:
    """One request's lengths in tokens: the whole prompt as the model sees it, and the answer."""

    input_tokens: int
    output_tokens: int


class Lengths(Protocol):
    """Where lengths come from."""

    def draw(self, count: int, seed: int) -> tuple[Shape, ...]:
        """Return so many shapes; the same seed gives the same ones."""
        ...


@dataclass(frozen=True, slots=True)
class Around:
    """Lengths uniform within +-spread of each mean; spread 0 gives the means themselves."""

    input_tokens: int
    output_tokens: int
    spread: float = 0.0

    def draw(self, count: int, seed: int) -> tuple[Shape, ...]:
        """Draw each length on its own."""
        chance = random.Random(f"{seed}/{self}")  # noqa: S311 - repeatable, not secret

        def drawn(mean: int) -> int:
            return max(1, round(mean * chance.uniform(1 - self.spread, 1 + self.spread)))

        return tuple(Shape(drawn(self.input_tokens), drawn(self.output_tokens)) for _ in range(count))

    @override
    def __str__(self) -> str:
        spread = f" (each within {self.spread:.0%})" if self.spread else ""
        return f"{self.input_tokens} tokens in, {self.output_tokens} out{spread}"


@dataclass(frozen=True, slots=True)
class Recorded:
    """Pairs of lengths drawn from recorded traffic, with repetition: its distribution, whatever the count."""

    shapes: tuple[Shape, ...]
    name: str

    @classmethod
    def read(cls, trace: Path, scale: float = 1.0) -> "Recorded":
        """Read a trace (`cluster.planner.traces` says which), every length times `scale`. Raises `TraceUnreadable`."""

        def scaled(tokens: int) -> int:
            return max(1, round(tokens * scale))

        requests = read_trace(trace, _TRACE_REQUESTS).requests
        shapes = tuple(Shape(scaled(request.prompt_tokens), scaled(request.output_tokens)) for request in requests)
        return cls(shapes, f"{trace.name}, lengths times {scale:g}" if scale != 1 else trace.name)

    def draw(self, count: int, seed: int) -> tuple[Shape, ...]:
        """Draw pairs as they were recorded."""
        return tuple(random.Random(f"{seed}/{self.name}").choices(self.shapes, k=count))  # noqa: S311 - repeatable

    @override
    def __str__(self) -> str:
        return f"as in {self.name}"


def fitted_to(shapes: Sequence[Shape], context_tokens: int, fewest_input_tokens: int) -> tuple[Shape, ...]:
    """Clip lengths to what a model holds: the answer to half of its context, the prompt to what is left of it.

    No prompt is shorter than `fewest_input_tokens`: the chat template alone takes some.
    """

    def one(shape: Shape) -> Shape:
        output = min(shape.output_tokens, context_tokens // 2)
        return Shape(min(max(shape.input_tokens, fewest_input_tokens), context_tokens - output), output)

    return tuple(map(one, shapes))
