"""How long would that take? From how long calls were seen to hold their places."""

from typing import Final

_WEIGHT: Final = 1 / 16
"""Of the newest call in the averages."""


class Pace:
    """What a place gets done: averages over the latest calls. Nothing is known before the first one has ended."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self.cost = 0.0
        """Of a call, on average."""

    def note(self, seconds: float, cost: float) -> None:
        """Take in a call that held its place for so long."""
        weight = _WEIGHT if self._seconds else 1.0
        self._seconds += (seconds - self._seconds) * weight
        self.cost += (cost - self.cost) * weight

    def seconds_for(self, work: float, places: int) -> float | None:
        """Return how long so many places need for `work` (cost), or None where nothing is known yet."""
        if not self._seconds or not self.cost:
            return None
        return work * self._seconds / self.cost / max(places, 1)
