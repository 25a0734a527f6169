"""In what order are lanes asked? From rung to rung, until one answers or none is left."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from router.contract import Decision
from router.errors import DoorRefused, LaneFailed, LaneTimeout, PolicyDenied
from router.execute.attempt import attempt_on
from router.execute.call import lane_call, redactor_of
from router.execute.climb import Climb, policies_of
from router.execute.run import Batch, Climbed, Run


async def execute(decision: Decision, run: Run) -> AsyncGenerator[Batch | Climbed, None]:
    """Carry out a decision with a ladder; yield `Climbed`, then batches of events, the last of which ends with `Stop`.

    Raises what the last attempt raised when no rung is left, `PolicyDenied` when the boundary closed the rest meanwhile, and
    whatever is the caller's own fault (`ContextTooLong`, `SchemaRefused`) at once.
    """
    deadline = run.clock.monotonic() + decision.budgets.latency_seconds
    climb = Climb(decision, run)
    while rung := await climb.next():
        call = lane_call(climb.decision, run, rung, climb.attempt, deadline - run.clock.monotonic())
        if call.deadline_seconds <= 0:
            raise LaneTimeout(rung.lane, "no time is left for another attempt") from climb.failure
        sent = False
        try:
            redactor = redactor_of(rung, climb.decision, run)
            reroutes = climb.goes_on_after("refusal")
            async with aclosing(
                attempt_on(call, climb.cause, run, redactor, goes_on_after_refusal=reroutes)
            ) as batches:
                async for batch in batches:
                    if not sent:
                        sent = True
                        yield Climbed(rung, climb.attempt)
                    yield batch
            return
        except (LaneFailed, DoorRefused) as error:
            if sent:
                raise
            await climb.failed(rung, error)
    if climb.failure is None:
        raise PolicyDenied("no lane may answer this request", policies_of(climb.decision.closed))
    raise climb.failure
