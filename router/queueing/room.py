"""How many requests should an engine have open now? By what its scheduler says: its batch, its own queue, its KV cache."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_LEAST_AHEAD: Final = 4
_FEW: Final = 4
"""Below so many running requests, what one of them takes of the cache says little about the next."""


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """An engine a moment ago. `open_requests`: all that it was given and has not ended; `kv_use`: share of its KV cache, 0 to 1."""

    open_requests: int = 0
    running: int = 0
    waiting: int = 0
    kv_use: float = 0.0


def room_of(load: EngineLoad, most: int, kv_limit: float) -> int:
    """Return how many requests one engine should have open: at least one, at most `most`.

    One that has a queue of its own gets its batch and a little ahead of it, so that it never waits for us: more would only wait there,
    out of order. One whose cache is full gets what it has.
    """
    if load.kv_use >= kv_limit:
        room = load.running
    elif load.waiting:
        room = load.running + max(_LEAST_AHEAD, load.running // 2)
    elif load.running < _FEW or not load.kv_use:
        room = most
    else:
        room = load.running + int((kv_limit - load.kv_use) * load.running / load.kv_use) + 1
    return max(1, min(room, most))


def own_part(loads: Iterable[EngineLoad], room: int, open_here: int, doors: int) -> int:
    """Return how many of a model's requests one of `doors` ingress replicas may have open: its part, and its part of what is unused.

    `room` is that of all engines together. Doors that are asked alike each get their part; one that is asked more gets, step by step,
    what the others leave.
    """
    even = -(-room // doors)
    unused = room - sum(load.open_requests for load in loads)
    return max(even, min(room, open_here + unused // doors))
