"""Which rung is next? The plan that still holds, what is left of its ladder and of its time, and why the last attempt failed."""

from dataclasses import dataclass
from typing import Final

from router.breakers import Pass
from router.bundle.files import LaneSpec
from router.contract import Cause, ClosedRung, Decided, Decision, Finding, Message, Rung, Skipped, Waited
from router.decide import narrow
from router.errors import (
    AnswerWithheld,
    BudgetExhausted,
    ContractViolated,
    DoorRefused,
    FoundBeforeLeaving,
    HandedToPerson,
    LaneFailed,
    LaneMisbehaved,
    LaneOverloaded,
    LaneSaturated,
    LaneTimeout,
    LaneUnreachable,
    PermitOutdated,
    PolicyDenied,
    RouterError,
    UnsupportedField,
)
from router.execute.deadlines import rung_seconds
from router.execute.retries import LEAST_SECONDS, retry_in_seconds
from router.execute.run import Run

_START: Final[Cause] = "start"
_NO_ANSWER: Final[frozenset[Cause]] = frozenset({"timeout", "connection", "overload", "rate_limit", "boundary"})
"""What a lane fails by that gave no answer at all. A bad answer leads to the rungs that the plan names for it, and to no other."""
_SUPERSEDED: Final = "another bundle is in force"


@dataclass(frozen=True, slots=True)
class Step:
    """One attempt that is about to be made. `until`: by when it must have given something that goes out; `given` is the breaker's leave.

    `mend`: what the lane is told of its last answer, which broke its contract. `begun`: the beginning of the answer, which the caller has.
    `round_it`: the lanes that would be tried next if this one were full.
    """

    rung: Rung
    attempt: int
    cause: Cause
    until: float
    given: Pass
    mend: tuple[Message, ...] = ()
    begun: str = ""
    round_it: tuple[str, ...] = ()


class Climb:
    """One request on its ladder. `deadline` is in the clock's seconds."""

    def __init__(self, decision: Decision, run: Run) -> None:
        self.decision, self._run = decision, run
        self.deadline = run.began + decision.budgets.latency_seconds
        self._cause: Cause = _START
        self._failure: LaneFailed | DoorRefused | None = None
        self._unsupported: UnsupportedField | None = None
        self._left = list(decision.ladder)
        self._tried: list[Rung] = []
        self._late: tuple[Finding, ...] = ()
        self._stale = False
        self._again: _Again | None = None
        self._mend: tuple[Message, ...] = ()
        self._passed: Rung | None = None

    def goes_on_after(self, cause: Cause) -> bool:
        """Whether a rung is left for this cause."""
        return any(cause in rung.on for rung in self._left)

    def could_mend(self, step: Step, told: tuple[Message, ...]) -> None:
        """Take in what a lane could be told whose answer broke its contract. It is told once."""
        self._mend = () if step.mend else told

    async def resume(self, step: Step, error: LaneFailed, begun: str) -> Step | None:
        """Return an attempt that goes on with an answer that broke off, where the route wants that and a private lane is left for it.

        It goes on with free text alone: half a JSON text, or half a call of a tool, is nothing that another model could be trusted to end.
        """
        wanted = (
            self.decision.on_stream_cut == "resume" and self.decision.output_contract.type == "text" and bool(begun)
        )
        if not wanted or step.begun or not isinstance(error, LaneTimeout | LaneUnreachable | LaneMisbehaved):
            return None
        await self._decide_again("the answer broke off")
        run, now = self._run, self._run.clock.monotonic()
        planned = {rung.lane for rung in self.decision.ladder}
        for rung in (*self._left, step.rung):
            lane = run.bundle.lanes[rung.lane]
            if lane.model is None or rung.lane not in planned or now + LEAST_SECONDS > self.deadline:
                continue
            if (given := run.health.admit(lane, now)) is None:
                continue
            self._tried.append(rung)
            return Step(rung, next(run.attempts), "stream_cut", self.deadline, given, begun=begun)
        return None

    def withheld_by(self) -> str | None:
        """Return the check that withheld the last answer, if that is how the ladder ended."""
        return self._failure.check if isinstance(self._failure, AnswerWithheld) else None

    def end(self) -> RouterError:
        """Return what the caller is told when no rung is left: its own mistake only where no lane was asked that could have answered."""
        return (
            self._failure
            or self._unsupported
            or PolicyDenied("no lane may answer this request", policies_of(self.decision.closed))
        )

    async def next(self) -> Step | None:
        """Return the next attempt: on the first rung that the cause leads to, that the plan of now still holds, and that may be asked.

        Where none is left, it is the lane that was gone round because it was full, if the ways round it lead nowhere now: there is no other
        any more, so it waits there. Raises `LaneTimeout` when a rung is left and no time, `HandedToPerson` when the next one is people.
        """
        if (step := await self._next_left()) is not None or self._passed is None or self._cause not in _NO_ANSWER:
            return step
        self._again = _Again(self.deadline)
        self._left, self._passed = [self._passed.model_copy(update={"on": (self._cause,)})], None
        return await self._next_left()

    async def _next_left(self) -> Step | None:
        while rung := _take_next(self._left, self._cause):
            still = await self._still_planned(rung)
            if still is None:
                continue
            lane, now = self._run.bundle.lanes[still.lane], self._run.clock.monotonic()
            if now >= self.deadline:
                raise LaneTimeout(still.lane, "no time is left for another attempt") from self._failure
            if lane.people is not None:
                raise HandedToPerson(lane.name, _why(self._cause, self._failure))
            again, self._again = self._again, None
            if again is None and not self._affords(lane):
                continue
            given = self._run.health.admit(lane, now)
            if given is None:
                self._pass_over(lane, now)
                continue
            attempt = next(self._run.attempts)
            self._tried.append(still)
            round_it = self._round(lane, now)
            if again is not None:
                return Step(still, attempt, self._cause, again.until, given, mend=again.mend, round_it=round_it)
            until = now + self._seconds(self.deadline - now)
            return Step(still, attempt, self._cause, until, given, round_it=round_it)
        return None

    async def _still_planned(self, rung: Rung) -> Rung | None:
        """Return the rung as the plan of now holds it; decide again first where that may have changed."""
        if self._run.bundle.lanes[rung.lane].is_hosted and self._run.superseded(self.decision):
            await self._decide_again(_SUPERSEDED)
            if not self._tried:
                self._left = list(self.decision.ladder)
                return None
        elif self._stale:
            await self._decide_again("before the next rung")
        still = next((one for one in self.decision.ladder if one.lane == rung.lane), None)
        self._stale = still is None
        return still

    def _affords(self, lane: LaneSpec) -> bool:
        """Tell whether the lane may be asked: once for each request, and again only within its retry budget."""
        if not self._times(lane):
            self._run.health.requested(lane)
            return True
        if self._run.health.may_retry(lane):
            return True
        self._skip(lane, "it was asked once, and its share of second tries (`retry.share`) is used up for now")
        return False

    def _pass_over(self, lane: LaneSpec, now: float) -> None:
        """Leave out a lane whose breaker opened since the plan was made. Nothing was sent: what led to it leads on."""
        because = self._run.health.off((lane,), now)[lane.name]
        self._skip(lane, because)
        self._failure = self._failure or LaneOverloaded(lane.name, because)
        if not self._tried:
            self._lead_on(self._left[:1])

    def _lead_on(self, to: list[Rung]) -> None:
        """Let the first of these rungs open the ladder in the place of one that was left out."""
        for rung in to[:1]:
            self._left[self._left.index(rung)] = rung.model_copy(update={"on": (_START, *rung.on)})

    def unsupported(self, step: Step, error: UnsupportedField) -> None:
        """Leave out a lane that has no word for what was asked. Nothing was sent: what led to it leads on, to lanes alone.

        A person is not asked for what a program should have asked otherwise, unless the plan named people for what happened before.
        """
        self._unsupported, self._stale = self._unsupported or error, True
        self._skip(self._run.bundle.lanes[step.rung.lane], str(error))
        self._left = [rung for rung in self._left if rung.lane != step.rung.lane]
        if self._cause == _START:
            self._lead_on([rung for rung in self._left if self._run.bundle.lanes[rung.lane].people is None])

    def _round(self, full: LaneSpec, now: float) -> tuple[str, ...]:
        """Return the other lanes that are left for `overload` and may be asked now."""
        names = [rung.lane for rung in self._left if "overload" in rung.on and rung.lane != full.name]
        lanes = [self._run.bundle.lanes[name] for name in names]
        off = self._run.health.off(lanes, now)
        return tuple(lane.name for lane in lanes if lane.name not in off)

    def _skip(self, lane: LaneSpec, because: str) -> None:
        self._run.evidence.append(self._run.trace_id, Skipped(stage="rung", name=lane.name, because=because))

    def _times(self, lane: LaneSpec) -> int:
        return sum(lane.name == tried.lane for tried in self._tried)

    def _seconds(self, left: float) -> float:
        after = (rung.lane for rung in self._left if "timeout" in rung.on)
        return rung_seconds(left, (self._run.bundle.lanes[lane].timeouts.first_token_seconds for lane in after))

    async def failed(self, step: Step, error: LaneFailed | DoorRefused) -> None:
        """Take a failure in. A last look's finding and a change of bundle make the plan anew at once: what is left of it starts over."""
        self._failure = error
        self._stale = True
        match error:
            case FoundBeforeLeaving():
                self._late += error.findings
                await self._start_over(error.because, step, once_more=step.rung.redacts is None)
            case PermitOutdated():
                await self._start_over(_SUPERSEDED, step, once_more=True)
            case ContractViolated() if self._mend and step.until - self._run.clock.monotonic() > LEAST_SECONDS:
                self._cause = error.cause
                self._ask_again(step, _Again(step.until, self._mend))
            case AnswerWithheld():
                self._cause = error.cause
                self._after_check(error.check)
            case BudgetExhausted():
                self._cause = error.cause
                await self._decide_again(error.because)
                self._go_on_for_nothing()
            case LaneSaturated():
                self._cause = error.cause
                # It was not asked, and is as full for a second try.
                self._left = [rung for rung in self._left if rung.lane != step.rung.lane]
                if step.round_it and self._passed is None:
                    self._passed = step.rung
            case LaneFailed():
                self._cause = error.cause
                await self._wait_to_ask_again(step, error)
            case DoorRefused():
                self._cause = "boundary"

    async def _wait_to_ask_again(self, step: Step, error: LaneFailed) -> None:
        """Have the same lane asked once more where that is worth it: a moment later, and only within its retry budget."""
        run, lane = self._run, self._run.bundle.lanes[step.rung.lane]
        left = step.until - run.clock.monotonic()
        wait = retry_in_seconds(error, lane, self._times(lane) - 1, left, run.draw())
        if wait is None or not run.health.may_retry(lane):
            return
        run.evidence.append(run.trace_id, Waited(lane=lane.name, seconds=wait, because=error.because))
        await run.sleep(wait)
        self._ask_again(step, _Again(step.until))

    def _go_on_for_nothing(self) -> None:
        """Keep what costs nothing, and what the route names for a budget that is used up."""
        lanes, asked = self._run.bundle.lanes, {tried.lane for tried in self._tried}
        left = [rung for rung in self.decision.ladder if rung.lane not in asked]
        self._left = [
            rung.model_copy(update={"on": (*rung.on, self._cause)})
            for rung in left
            if lanes[rung.lane].price.is_nothing or self._cause in rung.on
        ]

    def _after_check(self, check: str) -> None:
        """Do what the check says: try the next rung, ask people, or end here."""
        match self._run.bundle.checks[check].spec.then:
            case "next_rung":
                pass
            case "person":
                people = [rung for rung in self._left if self._run.bundle.lanes[rung.lane].people is not None]
                self._left = [rung.model_copy(update={"on": (*rung.on, self._cause)}) for rung in people]
            case "refuse":
                self._left = []

    def _ask_again(self, step: Step, again: "_Again") -> None:
        self._again, self._mend = again, ()
        self._left.insert(0, step.rung.model_copy(update={"on": (self._cause,)}))

    async def _start_over(self, because: str, step: Step, *, once_more: bool) -> None:
        """Make the plan anew. A lane is asked once; where the new plan holds the one that failed, `once_more` asks it again.

        Nothing had been sent: to ask again is no retry.
        """
        await self._decide_again(because)
        again = once_more and self._times(self._run.bundle.lanes[step.rung.lane]) == 1

        def may_try(one: Rung) -> bool:
            asked = any(one.lane == tried.lane for tried in self._tried)
            return not asked or (again and one.lane == step.rung.lane)

        self._left = [one for one in self.decision.ladder if may_try(one)]
        self._cause = _START if self._left[:1] == list(self.decision.ladder[:1]) else "boundary"
        if again and self._left and self._left[0].lane == step.rung.lane:
            self._again = _Again(step.until)

    async def _decide_again(self, because: str) -> None:
        """Decide with the state of now and what was found since, record it, and keep only what both decisions allow."""
        later, microseconds = await self._run.replan(self._run.request, self._late)
        self.decision = narrow(self.decision, later)
        self._run.evidence.append(
            self._run.trace_id,
            Decided(decision=self.decision, because=because, decide_microseconds=microseconds),
        )
        self._stale = False


@dataclass(frozen=True, slots=True)
class _Again:
    """The next attempt asks the same lane again, within the same time, and that is paid for. `mend`: what it is told of its last answer."""

    until: float
    mend: tuple[Message, ...] = ()


def _why(cause: Cause, failure: RouterError | None) -> str:
    """Return why a person is asked."""
    return str(failure) if failure is not None else "the plan begins with people" if cause == _START else cause


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
