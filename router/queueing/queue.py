"""Who is served next where not all can be, and who is turned away where not even the queue has room?

Two levels of fair sharing. Between urgencies each level counts `URGENCY_RATIO` times the one below it: what is urgent hardly waits for
what is not, and still the least urgent is never starved. Within an urgency tenants share by their weights, whatever each of them sends.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from router.queueing.shares import Shares

URGENCY_RATIO: Final = 8.0
"""How much more an urgency gets than the one below it, while both wait."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One that waits, as itself: two of equal content are two.

    `urgency`: higher goes first. `cost`: what serving it takes, in one unit for all. `since` and `until`: on the caller's clock; from
    `until` on it is no longer served.
    """

    tenant: str
    urgency: int
    weight: float
    cost: float
    since: float
    until: float


class FairQueue:
    """A bounded queue.

    LAWS: it never holds more than `most`; while it holds anything that is not overdue, `take` returns something; of two tenants of one
    urgency that wait throughout, what each was served by its weight differs by at most their two largest costs by weight; an urgency
    that waits throughout gets its part of every stretch of services; what was removed is never returned; nobody is turned away for
    somebody less urgent.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._urgencies: dict[int, _Level] = {}
        self._shares: Shares[int] = Shares()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def depth(self, urgency: int) -> int:
        """Return how many of an urgency wait."""
        level = self._urgencies.get(urgency)
        return 0 if level is None else len(level)

    def offer(self, entry: Entry) -> Entry | None:
        """Take an entry in; return the one that has no room then: None, another one, or this one itself."""
        away = self._least_deserving(entry) if self._size >= self.most else None
        if away is entry:
            return away
        if away is not None:
            self.remove(away)
        level = self._urgencies.get(entry.urgency)
        if level is None:
            level = self._urgencies[entry.urgency] = _Level()
            self._shares.joins(entry.urgency)
        level.add(entry)
        self._size += 1
        return away

    def take(self, now: float) -> Entry | None:
        """Return the next one to serve, and charge for it. Overdue ones are dropped on the way: whoever sent them keeps their time."""
        while self._size:
            urgency = self._shares.first(self._urgencies, tie=lambda one: -one)
            level = self._urgencies[urgency]
            entry = level.first()
            served = entry.until > now
            if served:
                level.charge(entry)
                self._shares.charge(urgency, entry.cost / URGENCY_RATIO**urgency)
            self.remove(entry)
            if served:
                return entry
        return None

    def remove(self, entry: Entry) -> bool:
        """Take an entry out, wherever it stands; tell whether it was there."""
        level = self._urgencies.get(entry.urgency)
        if level is None or not level.remove(entry):
            return False
        self._size -= 1
        if not len(level):
            del self._urgencies[entry.urgency]
        if not self._size:
            self._shares.settle()
        return True

    def work_before(self, entry: Entry) -> float:
        """Return what would be served before an entry that came now, as cost: what a fluid server that shares alike would do first."""
        level = self._urgencies.get(entry.urgency, _Level())
        own = level.work_before(entry)
        reach = own + entry.cost
        ratios = {urgency: URGENCY_RATIO ** (urgency - entry.urgency) for urgency in self._urgencies}
        others = (
            min(other.work, reach * ratios[urgency])
            for urgency, other in self._urgencies.items()
            if urgency != entry.urgency
        )
        return own + sum(others)

    def _least_deserving(self, newcomer: Entry) -> Entry:
        """Return whom to turn away: of the least urgent, the newest of the tenant that asks most for its weight."""
        lowest = min((newcomer.urgency, *self._urgencies))
        level = self._urgencies.get(lowest)
        if lowest < newcomer.urgency and level is not None:
            return level.heaviest(None)
        return newcomer if level is None else level.heaviest(newcomer)


class _Level:
    """Those of one urgency, by tenant."""

    def __init__(self) -> None:
        self._tenants: dict[str, deque[Entry]] = {}
        self._shares: Shares[str] = Shares()

    def __len__(self) -> int:
        return sum(map(len, self._tenants.values()))

    def __iter__(self) -> Iterator[Entry]:
        for waiting in self._tenants.values():
            yield from waiting

    @property
    def work(self) -> float:
        return sum(entry.cost for entry in self)

    def add(self, entry: Entry) -> None:
        if entry.tenant not in self._tenants:
            self._tenants[entry.tenant] = deque()
            self._shares.joins(entry.tenant)
        self._tenants[entry.tenant].append(entry)

    def first(self) -> Entry:
        tenant = self._shares.first(self._tenants, tie=lambda one: self._tenants[one][0].since)
        return self._tenants[tenant][0]

    def charge(self, entry: Entry) -> None:
        self._shares.charge(entry.tenant, entry.cost / entry.weight)

    def remove(self, entry: Entry) -> bool:
        waiting = self._tenants.get(entry.tenant, deque())
        if entry not in waiting:
            return False
        waiting.remove(entry)
        if not waiting:
            del self._tenants[entry.tenant]
        return True

    def work_before(self, entry: Entry) -> float:
        own = sum(each.cost for each in self._tenants.get(entry.tenant, ()))
        reach = (own + entry.cost) / entry.weight
        others = (
            min(sum(each.cost for each in waiting), reach * waiting[0].weight)
            for tenant, waiting in self._tenants.items()
            if tenant != entry.tenant
        )
        return own + sum(others)

    def heaviest(self, newcomer: Entry | None) -> Entry:
        """Return the newest entry of the tenant that asks most for its weight, the newcomer counted in; of equals, the newcomer."""
        asked = {
            tenant: sum(entry.cost for entry in waiting) / waiting[0].weight
            for tenant, waiting in self._tenants.items()
        }
        if newcomer is not None:
            asked[newcomer.tenant] = asked.get(newcomer.tenant, 0.0) + newcomer.cost / newcomer.weight
            if asked[newcomer.tenant] >= max(asked.values()):
                return newcomer
        return self._tenants[max(asked, key=lambda tenant: asked[tenant])][-1]
