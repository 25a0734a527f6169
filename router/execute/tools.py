"""Which tools are called before a model is asked, and what does each change? Their results join the prompt, and the plan is made again.

The router calls what the route plans and the request's own words hold the arguments for (`arguments`: where a model reads them out of
those); `turns` has what a model calls itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from router.budgets import Amounts, most_of_call
from router.bundle.files import ToolFile
from router.context import spotlight
from router.contract import (
    ArgumentsBy,
    Chunk,
    Decided,
    Decision,
    Message,
    RouteRequest,
    Skipped,
    TextPart,
    ToolCalled,
    ToolPlan,
)
from router.errors import ApprovalNeeded, ToolError, ToolFailed
from router.execute.arguments import read_arguments
from router.execute.context import decided_again
from router.execute.run import Run
from router.execute.spending import NEVER_CALLED, count, set_aside
from router.tools import ToolResult, ToolUse
from router.tools.loop import LoopBounds, LoopState, Step
from router.tools.slots import Slots, fill_slots

_LOOP_SHARE: Final = 0.5
"""The part of the request's time that tools may take: a model still has to answer."""


async def with_tools(decision: Decision, run: Run) -> tuple[Decision, Run]:
    """Return plan and run with the results of the planned tools in the prompt.

    A required tool whose arguments are missing turns the plan into a question, where the route says so. Raises a `ToolError` when a
    required tool fails (`ApprovalNeeded` when a person has to say yes first), and for any tool that may have changed something.
    """
    loop = loop_of(decision, run)
    for plan in sorted(decision.tools, key=lambda tool: not tool.required):
        if decision.action != "answer" or not decision.ladder:
            break
        if plan not in decision.tools:
            continue
        if _was_called(plan.name, run.request):
            continue
        tool = run.bundle.tools[plan.name]
        slots = fill_slots(tool, _known_text(run.request))
        found = _Found(slots.arguments_json, "pattern")
        if found.arguments_json is None and plan.required and plan.arguments == "model":
            read = await read_arguments(tool, decision, run)
            found = _Found(read.arguments_json, "reading", read.tokens)
        if found.arguments_json is None:
            if plan.required and plan.on_missing == "clarify":
                return _asking(decision, tool, slots, run), run
            _skip(tool, f"the request does not say {_named(slots)}", run)
            continue
        result = await loop.call(plan, tool, found.arguments_json, decision, found.tokens, by=found.by)
        if result is not None:
            run = replace(run, request=with_result(run.request, tool.name, result))
            decision = await decided_again(decision, run, f"tool {tool.name} was called")
    return decision, run


@dataclass(frozen=True, slots=True)
class _Found:
    """A tool's arguments, who found them, and what tokens that took."""

    arguments_json: str | None
    by: ArgumentsBy
    tokens: int = 0


def loop_of(decision: Decision, run: Run) -> "ToolLoop":
    """Return a loop without a call yet, bounded as the plan says."""
    return ToolLoop(run, LoopBounds(decision.budgets.tool_calls, decision.budgets.latency_seconds * _LOOP_SHARE))


@dataclass(slots=True)
class ToolLoop:
    """The calls of one request, and their bounds."""

    run: Run
    bounds: LoopBounds
    state: LoopState = field(default_factory=LoopState)

    async def call(
        self,
        plan: ToolPlan,
        tool: ToolFile,
        arguments_json: str,
        decision: Decision,
        tokens: int = 0,
        by: ArgumentsBy = "model",
    ) -> ToolResult | None:
        """Call a tool; None where it failed and the answer may do without. `tokens`: what a model took since the last call.

        `by`: whose the arguments are.
        """
        run, began = self.run, self.run.clock.monotonic()
        use = ToolUse(
            trace_id=run.trace_id,
            attempt=0,
            tool=tool.name,
            arguments_json=arguments_json,
            org=run.request.org,
            label=decision.label,
            needs_approval=plan.needs_approval,
            risk_tier=decision.risk_tier,
            attack=decision.attack,
            harm=decision.harm,
        )
        self.state = self.state.after(Step(tool.name, use.arguments_sha256, tokens), self.bounds, began - run.began)
        most = most_of_call(tool.cost_usd)
        held = await set_aside(run, decision.route, tool.name, most, tool.timeout_seconds)
        used = Amounts()
        try:
            if run.toolbox is None:
                raise ToolFailed(tool.name, "no toolbox runs here")
            used = most
            result = await run.toolbox.call(use)
        except ToolError as error:
            used = Amounts() if isinstance(error, NEVER_CALLED) else used
            self._record(tool, use, None, error.code, began, by)
            if plan.required or tool.side_effect != "read" or isinstance(error, ApprovalNeeded):
                raise
            _skip(tool, str(error), run)
            return None
        finally:
            count(run, held, used)
        self._record(tool, use, result, "ok" if result.ended == "answered" else result.ended, began, by)
        return result

    def _record(
        self, tool: ToolFile, use: ToolUse, result: ToolResult | None, ended: str, began: float, by: ArgumentsBy
    ) -> None:
        run = self.run
        run.evidence.append(
            run.trace_id,
            ToolCalled(
                name=tool.name,
                arguments_sha256=use.arguments_sha256,
                result_sha256=result.sha256 if result else None,
                ended=ended,
                side_effect=tool.side_effect,
                source=tool.source.kind if tool.source is not None else "",
                approval=result.approval if result else use.approval,
                label=result.label if result else use.label,
                cost_usd=tool.cost_usd,
                seconds=run.clock.monotonic() - began,
                arguments_by=by,
            ),
        )


def _known_text(request: RouteRequest) -> str:
    """What arguments may come from: the caller's words, and what our own tools said of them."""
    return "\n".join(_texts(request))


def _texts(request: RouteRequest) -> Iterable[str]:
    for message in request.messages:
        if (message.role == "user" and message.origin == "caller") or message.origin == "tool":
            yield message.text


def _asking(decision: Decision, tool: ToolFile, slots: Slots, run: Run) -> Decision:
    """Turn the plan into the question for what is missing."""
    asks = decision.model_copy(
        update={
            "action": "clarify",
            "message": f"To answer this, please tell me {_named(slots)}.",
            "lane": None,
            "model": None,
            "ladder": (),
        }
    )
    because = f"an argument of the tool {tool.name} is missing"
    run.evidence.append(run.trace_id, Decided(decision=asks, because=because, decide_microseconds=0))
    return asks


def _named(slots: Slots) -> str:
    """Name what is missing or can't be told apart, in words."""
    names = [f"the {name.replace('_', ' ')}" for name in slots.missing]
    names += [f"which {name.replace('_', ' ')} is meant" for name in slots.ambiguous]
    return " and ".join(names)


def _skip(tool: ToolFile, because: str, run: Run) -> None:
    run.evidence.append(run.trace_id, Skipped(stage="tool", name=tool.name, because=because))


def _was_called(tool: str, request: RouteRequest) -> bool:
    return any(message.origin == "tool" and message.tool_call_id == _call_id(tool) for message in request.messages)


def _call_id(tool: str) -> str:
    """What marks the result of a call that the router made itself."""
    return f"router:{tool}"


def with_result(request: RouteRequest, tool: str, result: ToolResult) -> RouteRequest:
    """Return the request with a tool's result before the user's last word: as data, under its own label."""
    said = Chunk(id=f"tool:{tool}", index="tools", doc=tool, text=result.text, sha256=result.sha256)
    message = Message(
        role="user",
        origin="tool",
        content=(TextPart(text=spotlight((said,), cite=False)),),
        label=result.label,
        tool_call_id=_call_id(tool),
    )
    callers = [index for index, one in enumerate(request.messages) if one.role == "user" and one.origin == "caller"]
    last = callers[-1] if callers else len(request.messages)
    return request.model_copy(update={"messages": (*request.messages[:last], message, *request.messages[last:])})
