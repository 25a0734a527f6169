"""How many replicas, of which option? Arithmetic on what one replica can take; monotone because it is nothing but division and minimum.

What must stay private sizes the guaranteed part, with so many replicas to spare; what may leave is the elastic part. Spares are counted
on top of both, so the total does not depend on how the traffic divides, and a larger private share moves replicas to the guaranteed part
without taking any away.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cluster.planner.capacity import Capacity

_ROUNDING: Final = 1e-9
"""A demand of exactly two replicas is two, whatever the last bit of the division says."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What comes. `private_share` of it may not leave; `n_plus` replicas may be lost without that part noticing."""

    requests_per_second: float
    private_share: float = 1.0
    n_plus: int = 0


@dataclass(frozen=True, slots=True)
class Size:
    """Replicas by part; `guaranteed` includes the spares."""

    capacity: Capacity
    guaranteed: int
    elastic: int
    spare: int

    @property
    def replicas(self) -> int:
        """All of them."""
        return self.guaranteed + self.elastic

    @property
    def gpus(self) -> int:
        """GPUs of all of them."""
        return self.replicas * self.capacity.option.gpus

    @property
    def guaranteed_gpus(self) -> int:
        """GPUs of what must be there whatever happens."""
        return self.guaranteed * self.capacity.option.gpus


def size_of(capacity: Capacity, demand: Demand) -> Size | None:
    """Size one option; None where it can't keep the level at any rate."""
    if capacity.requests_per_second <= 0:
        return None
    whole = _replicas(demand.requests_per_second, capacity)
    private = _replicas(demand.requests_per_second * demand.private_share, capacity)
    spare = demand.n_plus if private else 0
    return Size(capacity, private + spare, whole - private, spare)


def cheapest(capacities: Sequence[Capacity], demand: Demand) -> Size | None:
    """Return the option with the fewest GPUs, of equals the one with the fewest GPUs a replica; None where none keeps the level."""
    sizes = [size for capacity in capacities if (size := size_of(capacity, demand)) is not None]
    return min(sizes, key=lambda size: (size.gpus, size.capacity.option.gpus), default=None)


def machines_of(size: Size, gpus_of_node: int) -> int:
    """Return the fewest machines that hold all replicas, none of them more guaranteed ones than there are spares."""
    by_gpus = math.ceil(size.replicas / max(1, gpus_of_node // max(1, size.capacity.option.gpus)))
    return max(1, by_gpus, math.ceil(size.guaranteed / size.spare) if size.spare else 1)


def _replicas(requests_per_second: float, capacity: Capacity) -> int:
    if requests_per_second <= 0:
        return 0
    return max(1, math.ceil(requests_per_second / capacity.requests_per_second - _ROUNDING))
