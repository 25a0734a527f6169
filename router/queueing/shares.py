"""Whose turn is it, among those who wait now? Start-time fair queueing (Goyal, Vin, Cheng: SIGCOMM 1996).

Each child is charged what it is served, divided by its weight, and the one that was charged least is next. Who was idle comes back at
the level of those who waited meanwhile: nothing is saved up, and nothing is owed once nobody waits.
"""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

Key = TypeVar("Key")


class Shares(Generic[Key]):
    """The accounts of children that share something by their weights.

    LAW: of two children that wait throughout, what each was served by its weight differs by no more than their two largest charges.
    """

    def __init__(self) -> None:
        self._level = 0.0
        self._charged: dict[Key, float] = {}

    def joins(self, child: Key) -> None:
        """Note that a child begins to wait."""
        self._charged[child] = max(self._level, self._charged.get(child, 0.0))

    def first(self, waiting: Iterable[Key], tie: Callable[[Key], float]) -> Key:
        """Return the child whose turn it is; of equals the one with the smallest `tie`."""
        return min(waiting, key=lambda child: (self._charged[child], tie(child)))

    def charge(self, child: Key, share: float) -> None:
        """Charge a child for what it is served now."""
        self._level = self._charged[child]
        self._charged[child] += share

    def settle(self) -> None:
        """Nobody waits any more: all begin anew."""
        self._level = 0.0
        self._charged.clear()
