"""In what order are lanes asked? From rung to rung, until one answers or none is left."""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing

from router.contract import Decision, Resumed
from router.errors import DoorRefused, LaneFailed, UnsupportedField
from router.execute.attempt import attempt_on
from router.execute.climb import Climb, Step
from router.execute.release import Outlet, stream_rule, watches
from router.execute.run import Batch, Climbed, Run
from router.lane import Continued, Refusal, Stop


async def from_ladder(decision: Decision, run: Run) -> AsyncGenerator[Batch | Climbed, None]:
    """Carry out a decision with a ladder; yield `Climbed`, then batches of events, the last of which ends with `Stop`.

    Raises what the last attempt raised when no rung is left, `PolicyDenied` when the boundary closed the rest meanwhile, `HandedToPerson`
    when the next rung is people, and whatever is the caller's own fault (`ContextTooLong`, `SchemaRefused`) at once; `UnsupportedField` is
    that only where no lane that is left can do without the field.
    """
    climb = Climb(decision, run)
    last: Step | None = None
    while step := await climb.next():
        last = step
        async with aclosing(_from_rung(step, climb, run)) as batches:
            try:
                async for batch in batches:
                    yield batch
                return
            except _NothingSent as nothing:
                if isinstance(nothing.error, UnsupportedField):
                    climb.unsupported(step, nothing.error)
                else:
                    await climb.failed(step, nothing.error)
    if last is None or (check := climb.withheld_by()) is None:
        raise climb.end()
    yield Climbed(last.rung, last.attempt)
    yield (Refusal(run.bundle.checks[check].spec.says), Stop("content_filter"))


async def _from_rung(step: Step, climb: Climb, run: Run) -> AsyncGenerator[Batch | Climbed, None]:
    """Yield what one rung answers, and what a private lane adds that goes on with it where it broke off.

    Raises `_NothingSent` for a failure that the caller has not seen anything of, else the failure.
    """
    while True:
        plan = climb.decision
        rule = stream_rule(plan, hold=run.hold)
        outlet = Outlet(rule, watches(plan, run.request, run.bundle), step.begun)
        sent = False
        try:
            async with aclosing(attempt_on(step, climb, run, outlet)) as batches:
                async for batch in batches:
                    if not sent:
                        sent = True
                        yield Climbed(step.rung, step.attempt, rule, outlet.spoke_at)
                        if step.begun:
                            yield (Continued(step.rung.lane, step.rung.model, len(step.begun)),)
                    yield batch
            return
        except (LaneFailed, DoorRefused, UnsupportedField) as error:
            if not sent and not step.begun:
                raise _NothingSent(error) from error
            resumed = await climb.resume(step, error, outlet.begun) if isinstance(error, LaneFailed) else None
            if resumed is None:
                raise
            step = resumed
            run.evidence.append(run.trace_id, _resumed(step))


def _resumed(step: Step) -> Resumed:
    text = step.begun
    return Resumed(
        attempt=step.attempt,
        lane=step.rung.lane,
        characters=len(text),
        partial_sha256=hashlib.sha256(text.encode()).hexdigest(),
    )


class _NothingSent(Exception):
    """A rung failed before the caller saw anything of it."""

    def __init__(self, error: LaneFailed | DoorRefused | UnsupportedField) -> None:
        super().__init__(str(error))
        self.error = error
