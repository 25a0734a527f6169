"""How many replicas should a model have now, and why? Pure: what is open, what waits, how full the caches are, and the model's settings.

A model's load is counted in replicas: as many as bring the requests open down to the profile's knee each, and the caches below their
limit. A request that waits in an engine's queue and may not leave counts twice: traffic that may leave can spill over to a hosted lane,
this can't, so it gets its next replica sooner. The delays are Ray Serve's.
"""

import math
from dataclasses import dataclass
from typing import Final

from models.spec import Scaling

_RELEASE: Final = 0.8
"""A replica is given up only when the rest stay below this share of their target: what has just been added is not at once too much."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a model has to do now, over all its replicas.

    `open_requests`: in replicas and on their way to one. `waiting`: of these, in an engine's queue; `private_waiting`: of those, what may
    not leave. `kv_use`: mean over the replicas that are up.
    """

    open_requests: float
    waiting: float = 0.0
    private_waiting: float = 0.0
    kv_use: float = 0.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """So many replicas, and why, for whoever asks `lane status`."""

    replicas: int
    because: str


def replicas_wanted(load: Load, *, up: int, target: int, scaling: Scaling) -> Wanted:
    """Return how many replicas there should be: `up` answer now, `target` is where the last decision leads.

    LAWS: more load never wants fewer; always within min and max; without load, the minimum; and where `target` already is enough without
    being too much, `target`.
    """
    by_requests = (load.open_requests + load.private_waiting) / scaling.target_ongoing_requests
    by_cache = up * load.kv_use / scaling.kv_use
    busy = max(by_requests, by_cache)
    spare = scaling.spare_replicas if busy else 0
    enough, too_much = math.ceil(busy) + spare, math.ceil(busy / _RELEASE) + spare
    wanted = max(enough, min(target, too_much))
    bounded = min(max(wanted, scaling.min_replicas), scaling.max_replicas)
    return Wanted(bounded, _because(load, scaling, bounded, wanted, cache=by_cache > by_requests))


def _because(load: Load, scaling: Scaling, bounded: int, wanted: int, *, cache: bool) -> str:
    """Say which of the reasons decided."""
    if not load.open_requests and not cache:
        return (
            "nothing is asked of it"
            if bounded == scaling.min_replicas == 0
            else "nothing is asked of it beyond the minimum"
        )
    if cache:
        said = f"KV caches {load.kv_use:.0%} full (limit {scaling.kv_use:.0%})"
    else:
        said = f"{load.open_requests:.1f} requests open at {scaling.target_ongoing_requests:g} a replica"
        if load.waiting:
            said += f", {load.waiting:.1f} waiting, of which {load.private_waiting:.1f} may not leave"
    if scaling.spare_replicas:
        said += f", and {scaling.spare_replicas} to spare"
    if wanted > bounded:
        return f"{said}: {wanted} wanted, {bounded} is the most"
    return f"{said}; {bounded} is the least" if wanted < bounded else said
