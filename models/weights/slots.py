"""How many machines may read from the mirror at once? Leases with an end: a machine that dies gives its place back by saying nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

LEASE_SECONDS: Final = 30.0
"""How long a lease is good for without being renewed; who holds one renews it three times as often."""


@dataclass(frozen=True, slots=True)
class Slots:
    """So many places, and until when each holder's lease is good (seconds on one clock, the keeper's)."""

    places: int
    leases: Mapping[str, float] = field(default_factory=dict)

    def ask(self, holder: str, now: float) -> tuple["Slots", bool]:
        """Return the slots after `holder` asked for a place or to keep it, and whether it has one."""
        running = {one: until for one, until in self.leases.items() if until > now}
        granted = holder in running or len(running) < self.places
        if granted:
            running[holder] = now + LEASE_SECONDS
        return replace(self, leases=running), granted

    def give_back(self, holder: str) -> "Slots":
        """Return the slots without `holder`."""
        return replace(self, leases={one: until for one, until in self.leases.items() if one != holder})
