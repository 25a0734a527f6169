"""What happens when one lane is asked? Its answer is bounded in time, held back as far as it must be, and recorded, however it ends."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Final

from router.contract import AttemptStarted
from router.errors import (
    AnswerWithheld,
    ContractViolated,
    LaneFailed,
    LaneMisbehaved,
    LaneRefused,
    LaneTimeout,
    RouterError,
)
from router.execute.call import answer_contract, lane_call, redactor_of, tools_for
from router.execute.climb import Climb, Step
from router.execute.record import AttemptRecord
from router.execute.release import Outlet, Stopped
from router.execute.run import Batch, Run
from router.lane import Departed, LaneCall, TextDelta
from router.validate import repair_messages

_TIME_IS_UP: Final = "its part of the request's time is up"
_DRAIN_SECONDS: Final = 1.0


@dataclass(slots=True)
class _Time:
    """By when the attempt must have got on. A lane that has not spoken leaves room for the rungs after it; one that has, has it all."""

    until: float
    whole: float

    def spoken(self) -> None:
        self.until = self.whole


async def attempt_on(step: Step, climb: Climb, run: Run, outlet: Outlet) -> AsyncGenerator[Batch, None]:
    """Ask one lane. Records how the attempt began and, whatever happens, how it ended. What goes out, and when, is the outlet's to say.

    Where the rung redacts, the lane gets the redacted call, and all that comes after the lane (the contract's check first) sees the answer
    restored.

    A refusal is an answer, unless the route has a rung for it and nothing was sent yet: then it raises `LaneRefused`.
    """
    plan, reroutes = climb.decision, climb.goes_on_after("refusal")
    tools = tools_for(run.bundle.lanes[step.rung.lane], plan, run)
    record = AttemptRecord(step, run, answer_contract(plan, run), tools)
    run.evidence.append(
        run.trace_id,
        AttemptStarted(
            attempt=step.attempt,
            lane=step.rung.lane,
            model=step.rung.model,
            on=step.cause,
            arguments_of=record.arguments_of,
        ),
    )
    call: LaneCall | None = None
    said: list[str] = []
    try:
        time = _time_of(step, climb, run)
        call, restored = await _call(step, climb, run, time)
        await record.spending.reserve(call, plan.route)
        async with aclosing(_within_time(call, run, time)) as batches:
            async for batch in batches:
                said.extend(event.text for event in batch if isinstance(event, TextDelta))
                events = record.take(restored(batch))
                outlet.spoke_at = record.spoke_at
                if record.stop is not None:
                    if record.refused and reroutes and not outlet.opened:
                        raise LaneRefused(call.lane, "the model refused, and the route has a rung for that")
                    last = outlet.end(events)
                    if outlet.result is not None:
                        record.looked(outlet.result, plan.checks)
                    # INVARIANT: what is recorded of an attempt is recorded before its last event goes on.
                    record.close()
                    yield last
                    # The lane ends its own way: a connection that is read to its end can be used again.
                    await _drain(batches)
                    return
                may_open = record.spoke or (record.refused and not reroutes)
                if ready := outlet.take(events, may_open=may_open):
                    time.spoken()
                    yield ready
        raise LaneMisbehaved(call.lane, "the stream ended without saying why")
    except Stopped as stopped:
        withheld = AnswerWithheld(step.rung.lane, stopped.withheld.check_id, stopped.withheld.because)
        record.failed(withheld)
        record.looked(stopped.withheld, plan.checks)
    except RouterError as error:
        if isinstance(error, ContractViolated) and call is not None:
            told = repair_messages(call, "".join(said), record.breaches or (error.because,))
            climb.could_mend(step, told[len(call.messages) :])
        record.failed(error)
        raise
    finally:
        record.close()


async def _drain(batches: AsyncGenerator[Batch, None]) -> None:
    """Read what comes after the end, which is nothing's and nobody's."""
    with suppress(LaneFailed, TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for _ in batches:
                pass


def _time_of(step: Step, climb: Climb, run: Run) -> _Time:
    total = run.bundle.lanes[step.rung.lane].timeouts.total_seconds
    whole = climb.deadline if total is None else min(climb.deadline, run.clock.monotonic() + total)
    return _Time(min(step.until, whole), whole)


async def _call(step: Step, climb: Climb, run: Run, time: _Time) -> tuple[LaneCall, Callable[[Batch], Batch]]:
    """Return what is sent, and what is done to each batch of its answer."""
    call = lane_call(climb.decision, run, step, time.whole - run.clock.monotonic())
    redactor = redactor_of(step.rung, climb.decision, run)
    if redactor is None:
        return _told(call, step), _as_it_is
    try:
        async with asyncio.timeout(time.until - run.clock.monotonic()):
            redacted = await redactor(call)
    except TimeoutError as error:
        raise LaneTimeout(call.lane, "the prompt could not be redacted in time") from error
    run.evidence.append(call.trace_id, redacted.event)
    return _told(redacted.call, step), redacted.restorer.take


def _told(call: LaneCall, step: Step) -> LaneCall:
    """The call with what the lane is told of its last answer: that is in the lane's own words, so there is nothing to redact."""
    return replace(call, messages=(*call.messages, *step.mend)) if step.mend else call


def _as_it_is(batch: Batch) -> Batch:
    return batch


async def _within_time(call: LaneCall, run: Run, time: _Time) -> AsyncGenerator[Batch, None]:
    """Yield the lane's batches, each within its own deadline and all within the attempt's. Raises `LaneTimeout`."""
    gap = run.bundle.lanes[call.lane].timeouts.gap_seconds
    wait, what = call.first_token_seconds, "first token"
    async with aclosing(run.lanes[call.lane].stream(call)) as batches:  # type: ignore[type-var]
        while True:
            left = time.until - run.clock.monotonic()
            # A lane that never lets go of the event loop would not be interrupted.
            if left <= 0:
                raise LaneTimeout(call.lane, _TIME_IS_UP)
            try:
                async with asyncio.timeout(min(wait, left)):
                    batch = await anext(batches)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise LaneTimeout(call.lane, f"no {what} within {wait:g} s" if wait < left else _TIME_IS_UP) from error
            yield batch
            if not all(isinstance(event, Departed) for event in batch):
                wait, what = gap, "next token"
