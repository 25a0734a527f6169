"""What of a plan may still leave once another bundle is in force? What both bundles let out; at home, nothing changes.

A request ends under the version that it began with, so its private rungs stay as they were planned. A rung that leads out stays only where
the newest bundle plans it as well, to the same place, and under the higher of both labels.
"""

from collections.abc import Mapping

from router.bundle.files import LaneSpec
from router.contract import Decision, Rung
from router.decide.narrow import narrow

Lanes = Mapping[str, LaneSpec]


def leave_by_both(own: Decision, newest: Decision, own_lanes: Lanes, newest_lanes: Lanes) -> Decision:
    """Return the plan of a request's own version with the exits that the newest bundle's plan holds too; its hash is the newest's."""

    def holds(rung: Rung) -> bool:
        return own_lanes.get(rung.lane) == newest_lanes.get(rung.lane)

    exits = tuple(rung for rung in newest.ladder if not _stays(rung, own_lanes) and holds(rung))
    answers = newest.action == "answer"
    return narrow(own, _at_home(own, own_lanes, newest, exits if answers else ()))


def leave_nothing(own: Decision, own_lanes: Lanes) -> Decision:
    """Return the plan without any exit: the bundle in force can't be read, or has no place for this request."""
    return narrow(own, _at_home(own, own_lanes, own, ()))


def _at_home(own: Decision, own_lanes: Lanes, newest: Decision, exits: tuple[Rung, ...]) -> Decision:
    """The newest decision's label and reasons, over the own plan's way at home."""
    stays = tuple(rung for rung in own.ladder if _stays(rung, own_lanes))
    planned = {
        "action": own.action,
        "message": own.message,
        "route": own.route,
        "retrieval": own.retrieval,
        "tools": own.tools,
        "client_tools": own.client_tools,
        "budgets": own.budgets,
        "closed": tuple(rung for rung in newest.closed if not _private(rung.lane, own_lanes)),
    }
    return newest.model_copy(update={**planned, "ladder": (*stays, *exits)})


def _stays(rung: Rung, lanes: Lanes) -> bool:
    return _private(rung.lane, lanes)


def _private(lane: str, lanes: Lanes) -> bool:
    spec = lanes.get(lane)
    return spec is not None and not spec.is_hosted
