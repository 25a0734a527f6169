"""Which rung is next? The plan that still holds, what is left of its ladder, and why the last attempt failed."""

from typing import Final

from router.contract import Cause, ClosedRung, Decided, Decision, Finding, Rung
from router.decide import narrow
from router.errors import DoorRefused, FoundBeforeLeaving, LaneFailed, PermitOutdated
from router.execute.run import Run

_START: Final[Cause] = "start"
_SUPERSEDED: Final = "another bundle is in force"


class Climb:
    """One request on its ladder."""

    def __init__(self, decision: Decision, run: Run) -> None:
        self.decision, self._run = decision, run
        self.cause: Cause = _START
        self.attempt = 0
        self.failure: LaneFailed | DoorRefused | None = None
        self._left = list(decision.ladder)
        self._tried: list[Rung] = []
        self._late: tuple[Finding, ...] = ()
        self._stale = False

    def goes_on_after(self, cause: Cause) -> bool:
        """Whether a rung is left for this cause."""
        return any(cause in rung.on for rung in self._left)

    async def next(self) -> Rung | None:
        """Return the next rung that the cause leads to and the plan of now still holds."""
        while rung := _take_next(self._left, self.cause):
            if self._leads_out(rung) and self._run.superseded(self.decision):
                await self._decide_again(_SUPERSEDED)
                if not self._tried:
                    self._left = list(self.decision.ladder)
                    continue
            elif self._stale:
                await self._decide_again("before the next rung")
            still = next((one for one in self.decision.ladder if one.lane == rung.lane), None)
            if still is not None:
                self.attempt += 1
                self._tried.append(still)
                return still
            self._stale = True
        return None

    def _leads_out(self, rung: Rung) -> bool:
        return self._run.bundle.lanes[rung.lane].is_hosted

    async def failed(self, rung: Rung, error: LaneFailed | DoorRefused) -> None:
        """Take a failure in. A last look's finding and a change of bundle make the plan anew at once: what is left of it starts over."""
        self.failure = error
        self._stale = True
        match error:
            case FoundBeforeLeaving():
                self._late += error.findings
                await self._start_over(error.because, rung, once_more=rung.redacts is None)
            case PermitOutdated():
                await self._start_over(_SUPERSEDED, rung, once_more=True)
            case LaneFailed():
                self.cause = error.cause
            case DoorRefused():
                self.cause = "boundary"

    async def _start_over(self, because: str, rung: Rung, *, once_more: bool) -> None:
        """Make the plan anew. A lane is asked once; where the new plan holds the one that failed, `once_more` asks it again."""
        await self._decide_again(because)

        def may_try(one: Rung) -> bool:
            times = sum(one.lane == tried.lane for tried in self._tried)
            return times == 0 or (times == 1 and one.lane == rung.lane and once_more)

        self._left = [one for one in self.decision.ladder if may_try(one)]
        self.cause = _START if self._left[:1] == list(self.decision.ladder[:1]) else "boundary"

    async def _decide_again(self, because: str) -> None:
        """Decide with the state of now and what was found since, record it, and keep only what both decisions allow."""
        later, microseconds = await self._run.replan(self._run.request, self._late)
        self.decision = narrow(self.decision, later)
        self._run.evidence.append(
            self._run.trace_id,
            Decided(decision=self.decision, because=because, decide_microseconds=microseconds),
        )
        self._stale = False


def _take_next(remaining: list[Rung], cause: Cause) -> Rung | None:
    """Drop rungs up to and including the next one that this cause leads to, and return that one."""
    while remaining:
        rung = remaining.pop(0)
        if cause in rung.on:
            return rung
    return None


def policies_of(closed: tuple[ClosedRung, ...]) -> tuple[str, ...]:
    """Return the IDs of the policies that closed these rungs, each once."""
    return tuple(dict.fromkeys(policy for rung in closed for policy in rung.policies))
