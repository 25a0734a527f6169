"""What is looked up before a model is asked, and what does it change? The passages join the prompt, and the plan is made again for it."""

from dataclasses import replace
from typing import Final

from router.budgets import Amounts
from router.context import label_of_chunks, spotlight
from router.context.packing import estimate_tokens, pack
from router.contract import (
    Chunk,
    ContextUsed,
    Decided,
    Decision,
    Message,
    RetrievalPlan,
    Retrieved,
    RouteRequest,
    Skipped,
    TextPart,
)
from router.decide import narrow
from router.errors import RetrievalUnavailable
from router.execute.run import Run
from router.execute.spending import count, set_aside

_FRAME_TOKENS: Final = 256
"""What stands around the passages: marks, and the instruction that they are none."""


async def with_context(decision: Decision, run: Run) -> tuple[Decision, Run]:
    """Return plan and run with the context that the plan asks for in the prompt; what is planned narrows by what was found in it.

    Raises `RetrievalUnavailable` where the answer has to cite what could not be looked up; else the answer does without, and that is on
    record.
    """
    plan = decision.retrieval
    if plan is None or decision.action != "answer" or not decision.ladder:
        return decision, run
    began = run.clock.monotonic()
    most = decision.budgets.context_chunks or plan.top_k
    held = await set_aside(run, decision.route, plan.index, Amounts(context_chunks=most), _LOOK_UP_SECONDS)
    used: list[Chunk] = []
    try:
        found = await _looked_up(plan, run)
        used = pack(found, lambda chunk: chunk.text, most, _room(decision, run))
    except RetrievalUnavailable as error:
        if decision.output_contract.citations:
            raise
        run.evidence.append(run.trace_id, Skipped(stage="retrieval", name=plan.index, because=str(error)))
        return decision, run
    finally:
        count(run, held, Amounts(context_chunks=len(used)))
    _record(plan, found, used, run.clock.monotonic() - began, run)
    if not used:
        return decision, run
    grown = replace(
        run, request=_grown(run.request, used, cite=decision.output_contract.citations), context=tuple(used)
    )
    return await decided_again(decision, grown, "context was looked up"), grown


async def decided_again(decision: Decision, run: Run, because: str) -> Decision:
    """Decide for what the request has become, record it, and return what both decisions allow."""
    later, microseconds = await run.replan(run.request, ())
    narrowed = narrow(decision, later)
    run.evidence.append(run.trace_id, Decided(decision=narrowed, because=because, decide_microseconds=microseconds))
    return narrowed


async def _looked_up(plan: RetrievalPlan, run: Run) -> tuple[Chunk, ...]:
    if run.retriever is None:
        raise RetrievalUnavailable(f"index {plan.index}: no retriever runs here")
    return await run.retriever.retrieve(_question(run.request), plan, run.request.org)


def _question(request: RouteRequest) -> str:
    """The user's last word: what passages are held against."""
    said = [message.text for message in request.messages if message.role == "user" and message.origin == "caller"]
    return said[-1] if said else request.messages[-1].text


def _room(decision: Decision, run: Run) -> int | None:
    """How many tokens of passages the first rung still has room for; None where that is not known."""
    if not decision.budgets.input_tokens:
        return None
    taken = sum(estimate_tokens(message.text) for message in run.request.messages)
    return max(0, decision.budgets.input_tokens - taken - _FRAME_TOKENS)


_LOOK_UP_SECONDS = 60.0
"""By then a look-up has ended, or nobody will say what it took."""


def _grown(request: RouteRequest, chunks: list[Chunk], *, cite: bool) -> RouteRequest:
    """Return the request with the passages before the user's last word, under their own label."""
    context = Message(
        role="user",
        origin="context",
        content=(TextPart(text=spotlight(chunks, cite=cite)),),
        label=label_of_chunks(chunks),
    )
    last = max((index for index, message in enumerate(request.messages) if message.role == "user"), default=0)
    messages = (*request.messages[:last], context, *request.messages[last:])
    return request.model_copy(update={"messages": messages})


def _record(plan: RetrievalPlan, found: tuple[Chunk, ...], used: list[Chunk], seconds: float, run: Run) -> None:
    run.evidence.append(
        run.trace_id,
        Retrieved(index=plan.index, depth=plan.depth, chunks=len(found), used=len(used), seconds=seconds),
    )
    for chunk in used:
        run.evidence.append(
            run.trace_id,
            ContextUsed(
                chunk_id=chunk.id,
                chunk_sha256=chunk.sha256,
                index=chunk.index,
                doc=chunk.doc,
                score=chunk.score,
                label=chunk.label,
            ),
        )
