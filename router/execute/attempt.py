"""What happens when one lane is asked? Its answer is bounded in time, held back as far as it must be, and recorded, however it ends."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from router.contract import AttemptStarted, Cause
from router.errors import LaneMisbehaved, LaneRefused, LaneTimeout, RouterError
from router.execute.record import AttemptRecord
from router.execute.run import Batch, Run
from router.lane import Departed, LaneCall, LaneEvent
from router.redacting import RedactedCall


async def attempt_on(
    call: LaneCall,
    cause: Cause,
    run: Run,
    redactor: Callable[[LaneCall], Awaitable[RedactedCall]] | None,
    *,
    goes_on_after_refusal: bool,
) -> AsyncGenerator[Batch, None]:
    """Ask one lane. Records how the attempt began and, whatever happens, how it ended.

    Where the rung redacts, the lane gets the redacted call, and all that comes after the lane (the contract's check first) sees the answer
    restored.

    A refusal is an answer, unless the route has a rung for it and nothing was sent yet: then it raises `LaneRefused`.
    """
    record = AttemptRecord(call, run)
    run.evidence.append(call.trace_id, AttemptStarted(attempt=call.attempt, lane=call.lane, model=call.model, on=cause))
    held: list[LaneEvent] = []
    try:
        sent, restored = call, _as_it_is
        if redactor is not None:
            redacted = await redactor(call)
            run.evidence.append(call.trace_id, redacted.event)
            sent, restored = redacted.call, redacted.restorer.take
        async with aclosing(_within_time(sent, run)) as batches:
            async for batch in batches:
                held.extend(record.take(restored(batch)))
                if record.stop is not None:
                    if record.refused and goes_on_after_refusal and held:
                        raise LaneRefused(call.lane, "the model refused, and the route has a rung for that")
                    # INVARIANT: what is recorded of an attempt is recorded before its last event goes on.
                    record.close()
                elif run.hold or not (record.spoke or (record.refused and not goes_on_after_refusal)):
                    continue
                if held:
                    yield tuple(held)
                    held.clear()
        if record.stop is None:
            raise LaneMisbehaved(call.lane, "the stream ended without saying why")
    except RouterError as error:
        record.failed(error)
        raise
    finally:
        record.close()


def _as_it_is(batch: Batch) -> Batch:
    return batch


async def _within_time(call: LaneCall, run: Run) -> AsyncGenerator[Batch, None]:
    """Yield the lane's batches, each within its own deadline and all within the request's. Raises `LaneTimeout`."""
    gap = run.bundle.lanes[call.lane].timeouts.gap_seconds
    deadline = run.clock.monotonic() + call.deadline_seconds
    wait, what = call.first_token_seconds, "first token"
    async with aclosing(run.lanes[call.lane].stream(call)) as batches:  # type: ignore[type-var]
        while True:
            left = deadline - run.clock.monotonic()
            try:
                async with asyncio.timeout(min(wait, left)):
                    batch = await anext(batches)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                because = f"no {what} within {wait:g} s" if wait < left else "the request's time is up"
                raise LaneTimeout(call.lane, because) from error
            yield batch
            if not all(isinstance(event, Departed) for event in batch):
                wait, what = gap, "next token"
