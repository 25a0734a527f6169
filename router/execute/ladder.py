"""In what order are lanes asked? From rung to rung, until one answers or none is left."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from router.contract import Decision
from router.errors import DoorRefused, LaneFailed
from router.execute.attempt import attempt_on
from router.execute.climb import Climb
from router.execute.run import Batch, Climbed, Run


async def execute(decision: Decision, run: Run) -> AsyncGenerator[Batch | Climbed, None]:
    """Carry out a decision with a ladder; yield `Climbed`, then batches of events, the last of which ends with `Stop`.

    Raises what the last attempt raised when no rung is left, `PolicyDenied` when the boundary closed the rest meanwhile, `HandedToPerson`
    when the next rung is people, and whatever is the caller's own fault (`ContextTooLong`, `SchemaRefused`) at once.
    """
    climb = Climb(decision, run)
    while step := await climb.next():
        sent = False
        try:
            async with aclosing(attempt_on(step, climb, run)) as batches:
                async for batch in batches:
                    if not sent:
                        sent = True
                        yield Climbed(step.rung, step.attempt)
                    yield batch
            return
        except (LaneFailed, DoorRefused) as error:
            if sent:
                raise
            await climb.failed(step, error)
    raise climb.end()
