"""Which lanes are worth asking now? The breakers and retry budgets of one process: it learns them anew when it starts."""

from collections.abc import Iterable

from router.breakers import Breaker, Pass, Verdict
from router.bundle.files import LaneSpec
from router.errors import LaneMisbehaved, LaneOverloaded, LaneSaturated, LaneTimeout, LaneUnreachable
from router.execute.retries import RetryBudget


class LaneHealth:
    """The one owner, in its process, of what was seen of each lane, by the lane's name; `now` is in monotonic seconds."""

    def __init__(self) -> None:
        self._breakers: dict[str, Breaker] = {}
        self._budgets: dict[str, RetryBudget] = {}

    def off(self, lanes: Iterable[LaneSpec], now: float) -> dict[str, str]:
        """Return the lanes that are not asked now, each with the reason."""
        shut = {lane.name: self._breaker(lane).shut(lane.breaker, now) for lane in lanes}
        return {name: because for name, because in shut.items() if because is not None}

    def admit(self, lane: LaneSpec, now: float) -> Pass | None:
        """Let a call through, or not. Every pass must be settled."""
        self._breakers[lane.name], given = self._breaker(lane).admit(lane.breaker, now)
        return given

    def settle(self, lane: LaneSpec, given: Pass, verdict: Verdict, now: float) -> None:
        """Take in what became of a call that was let through."""
        self._breakers[lane.name] = self._breaker(lane).settle(given, verdict, lane.breaker, now)

    def requested(self, lane: LaneSpec) -> None:
        """Count a request that asks this lane for the first time."""
        self._budgets[lane.name] = self._budget(lane).requested(lane.retry.share)

    def may_retry(self, lane: LaneSpec) -> bool:
        """Tell whether a request may ask this lane again; if so, that is counted."""
        left = self._budget(lane).spent(lane.retry.share)
        self._budgets[lane.name] = left or self._budget(lane)
        return left is not None

    def _breaker(self, lane: LaneSpec) -> Breaker:
        return self._breakers.get(lane.name, Breaker())

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
        case LaneUnreachable() | LaneMisbehaved():
            return "failed"
        case LaneSaturated():  # Our own limit: it says nothing of the provider.
            return "neither"
        case LaneOverloaded() if lane.is_hosted:
            return "failed"
        case _:
            return "neither"
