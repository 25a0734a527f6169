"""Which lanes are worth asking now? What this process counts of each, and where their breakers stand, which it may share with others.

Each process counts for itself; that a breaker opened, is being probed or closed again goes up on the board (`router.breakers.Board`), so
another process neither learns an outage anew nor sends a probe of its own beside one that is under way.
"""

from collections.abc import Iterable

from router.breakers import Board, Breaker, OwnBoard, Pass, Verdict
from router.bundle.files import LaneSpec
from router.errors import LaneMisbehaved, LaneOverloaded, LaneSaturated, LaneTimeout, LaneUnreachable, ReplicaLost
from router.execute.retries import RetryBudget


class LaneHealth:
    """The one owner, in its process, of what was seen of each lane, by the lane's name; `now` is in monotonic seconds.

    Processes that share a `board` share that clock too.
    """

    def __init__(self, board: Board | None = None) -> None:
        self._board: Board = OwnBoard() if board is None else board
        self._counted: dict[str, Breaker] = {}
        self._budgets: dict[str, RetryBudget] = {}

    def off(self, lanes: Iterable[LaneSpec], now: float) -> dict[str, str]:
        """Return the lanes that are not asked now, each with the reason."""
        shut = {lane.name: self._breaker(lane).shut(lane.breaker, now) for lane in lanes}
        return {name: because for name, because in shut.items() if because is not None}

    def admit(self, lane: LaneSpec, now: float) -> Pass | None:
        """Let a call through, or not. Every pass must be settled."""
        breaker = self._breaker(lane)
        if breaker.opened_at is None or breaker.shut(lane.breaker, now) is not None:
            return breaker.admit(lane.breaker, now)[1]
        probes: list[Pass | None] = []

        def admitted(standing: Breaker) -> Breaker:
            made, given = standing.admit(lane.breaker, now)
            probes.append(given)
            return made

        self._board.changed(lane.name, admitted)
        return probes[-1]

    def settle(self, lane: LaneSpec, given: Pass, verdict: Verdict, now: float) -> None:
        """Take in what became of a call that was let through."""
        if given.probe:
            self._board.changed(lane.name, lambda standing: standing.settle(given, verdict, lane.breaker, now))
            return
        breaker = self._breaker(lane)
        made = breaker.settle(given, verdict, lane.breaker, now)
        if made.era == breaker.era:
            self._counted[lane.name] = made
        else:  # It opened, unless another process was quicker.
            self._board.changed(lane.name, lambda standing: made if standing.era == breaker.era else standing)

    def requested(self, lane: LaneSpec) -> None:
        """Count a request that asks this lane for the first time."""
        self._budgets[lane.name] = self._budget(lane).requested(lane.retry.share)

    def may_retry(self, lane: LaneSpec) -> bool:
        """Tell whether a request may ask this lane again; if so, that is counted."""
        left = self._budget(lane).spent(lane.retry.share)
        self._budgets[lane.name] = left or self._budget(lane)
        return left is not None

    def _breaker(self, lane: LaneSpec) -> Breaker:
        """The breaker as it stands, with what was counted here since it last closed."""
        standing, counted = self._board.seen(lane.name), self._counted.get(lane.name)
        same = counted is not None and standing.opened_at is None and counted.era == standing.era
        return counted if counted is not None and same else standing

    def _budget(self, lane: LaneSpec) -> RetryBudget:
        return self._budgets.get(lane.name, RetryBudget())


def verdict_of(error: BaseException | None, lane: LaneSpec, *, callers_deadline: bool) -> Verdict:
    """Return what an attempt says of its lane; `error` None is an answer, whatever it says.

    `callers_deadline`: the time that ran out was set by the caller: who asks for the impossible must not close a lane to others.
    """
    match error:
        case None:
            return "succeeded"
        case LaneTimeout():
            return "neither" if callers_deadline else "failed"
        case ReplicaLost():  # Else one replica's end, under load, closes the lane to all that the others could answer.
            return "neither"
        case LaneUnreachable() | LaneMisbehaved():
            return "failed"
        case LaneSaturated():  # Our own limit: it says nothing of the provider.
            return "neither"
        case LaneOverloaded() if lane.is_hosted:
            return "failed"
        case _:
            return "neither"
