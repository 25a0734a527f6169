"""What does an attempt take of its tenant's day? It is set aside before anything is sent, and counted when it ends."""

from typing import Final

from router.budgets import Amounts, Held, Step, most_of_attempt, used_by
from router.contract import AttemptEnded, BudgetSettled
from router.decide import estimate_tokens
from router.errors import (
    ApprovalDenied,
    ApprovalExpired,
    ApprovalMismatch,
    ApprovalNeeded,
    ApprovalPending,
    ApprovalUsed,
    ToolArgumentsInvalid,
    ToolChanged,
    ToolDenied,
    ToolUnknown,
)
from router.execute.run import Run
from router.lane import LaneCall


class Spending:
    """One attempt's part of the budget. Where nothing is limited, nobody is asked."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._held: Held | None = None

    async def reserve(self, call: LaneCall, route: str) -> None:
        """Set aside the prompt, an answer of full length, their price and the time left. Raises `BudgetExhausted`, `StateUnavailable`."""
        run = self._run
        if run.purse is None:
            return
        tokens = estimate_tokens(run.request.model_copy(update={"messages": call.messages}))
        output_tokens = call.max_tokens if run.request.task == "generate" else 0
        most = most_of_attempt(run.bundle.lanes[call.lane].price, tokens, output_tokens, call.deadline_seconds)
        self._held = await set_aside(run, route, call.lane, most, call.deadline_seconds)

    def settle(self, ended: AttemptEnded, *, reached: bool) -> None:
        """Count what it took, and say so. `reached`: the lane got the call."""
        held, self._held = self._held, None
        if held is not None:
            count(self._run, held, used_by(ended, held.amounts, reached=reached))


NEVER_CALLED: Final = (
    ToolUnknown,
    ToolArgumentsInvalid,
    ToolDenied,
    ToolChanged,
    ApprovalNeeded,
    ApprovalMismatch,
    ApprovalPending,
    ApprovalDenied,
    ApprovalExpired,
    ApprovalUsed,
)
"""What says of a tool's call that it was not made. Of any other failure, it may have been."""


async def set_aside(run: Run, route: str, by: str, most: Amounts, seconds: float) -> Held | None:
    """Set aside what a step may take, `by` the lane, tool or index that takes it. Raises `BudgetExhausted`, `StateUnavailable`."""
    if run.purse is None:
        return None
    return await run.purse.reserve(Step(run.request.org, route, run.trace_id, by, seconds), most)


def count(run: Run, held: Held | None, used: Amounts) -> None:
    """Count what a step took, and say so."""
    if held is None or run.purse is None:
        return
    run.purse.settle(held, used)
    run.evidence.append(run.trace_id, settled(held.step.org, used))


def settled(org: str, used: Amounts) -> BudgetSettled:
    """Return the record of what was taken."""
    return BudgetSettled(
        org=org,
        cost_usd=used.cost_usd,
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        tool_calls=used.tool_calls,
        context_chunks=used.context_chunks,
        latency_seconds=used.latency_seconds,
    )
