"""Which lanes does a route try, in which order, and after what? Before anything is closed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from router.bundle.files import LadderSpec, RouteSpec
from router.contract import Cause


@dataclass(frozen=True, slots=True)
class Step:
    """A lane and the causes that lead to it."""

    lane: str
    on: tuple[Cause, ...]


def planned_steps(route: RouteSpec, ladders: Mapping[str, LadderSpec]) -> tuple[Step, ...]:
    """Return the route's lane, then the steps of each ladder its `fallback` names, causes with one ladder merged."""
    if route.lane is None:
        return ()
    causes: dict[str, list[Cause]] = {}
    for key, ladder in route.fallback.items():
        causes.setdefault(ladder, []).append(cast("Cause", key.removeprefix("on_")))
    steps = [Step(route.lane, ("start",))]
    for name, on in causes.items():
        steps.extend(Step(step.lane, tuple(on)) for step in ladders[name].steps)
    return tuple(steps)
