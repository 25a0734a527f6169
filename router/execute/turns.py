"""Which of our tools does the model call itself, and when is it enough? Turn by turn: it calls, the tool answers, the plan is made again.

A turn in which our tools are offered is held until it has ended: what is a call of ours is not the caller's to see. Every loop ends: each
turn takes a call out of a bounded number, of time, of tokens, and equal calls are counted too (`router.tools.loop`).
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from router.bundle.files import ToolFile
from router.context import spotlight
from router.contract import Chunk, Decision, Message, Skipped, TextPart, ToolCall, ToolPlan, ToolSpec
from router.decide import refusal_of
from router.errors import PolicyDenied
from router.exact import canonical_json
from router.execute.context import decided_again
from router.execute.first_content import FirstContent
from router.execute.ladder import from_ladder
from router.execute.run import Batch, Climbed, Run
from router.execute.tools import ToolLoop, loop_of
from router.lane import Stop, TextDelta, ToolCallDelta, Usage
from router.tools import ToolResult
from router.tools.loop import LoopState

_FAILED = "The tool gave no answer. Answer without it."


async def execute(decision: Decision, run: Run) -> AsyncGenerator[Batch | Climbed, None]:
    """Carry out a decision; yield `Climbed`, then batches of events, the last of which ends with `Stop`.

    Raises what `from_ladder` raises, `ToolLoop` when the model would call tools without an end, and a tool's own `ToolError` where nothing
    can be done without it (`ApprovalNeeded` when a person has to say yes first).
    """
    loop, first = loop_of(decision, run), FirstContent(run)
    loop.state = LoopState(calls=sum(one.origin == "tool" and one.role != "assistant" for one in run.request.messages))
    while offered := offers_of(decision, run):
        turn = _Turn(frozenset(tool.name for tool in offered))
        async with aclosing(from_ladder(decision, replace(run, hold=True, offered=offered))) as steps:
            async for step in steps:
                turn.take(step)
        if turn.is_last:
            for step in turn.for_the_caller(run):
                first.note(step, decision)
                yield step
            return
        decision, run = await _called(turn, loop, decision, run)
    async with aclosing(from_ladder(decision, run)) as steps:
        async for step in steps:
            first.note(step, decision)
            yield step


def offers_of(decision: Decision, run: Run) -> tuple[ToolSpec, ...]:
    """Return what a model may call of the plan's tools: those that it need not, as OpenAI's clients describe tools.

    None under a JSON contract: an engine that is held to a schema can't call a tool.
    """
    if run.toolbox is None or decision.budgets.tool_calls <= 0 or decision.output_contract.type != "text":
        return ()
    own = {tool.name for tool in run.request.client_tools}
    return tuple(
        ToolSpec(name=tool.name, description=tool.description, parameters_json=canonical_json(dict(tool.parameters)))
        for tool in (run.bundle.tools[plan.name] for plan in decision.tools if not plan.required)
        if tool.name not in own
    )


@dataclass(slots=True)
class _Turn:
    """What a model said in one turn. `ours` are the names of the tools that are not the caller's."""

    ours: frozenset[str]
    steps: list[Batch | Climbed] = field(default_factory=list)
    calls: dict[int, ToolCall] = field(default_factory=dict)
    text: list[str] = field(default_factory=list)
    tokens: int = 0

    def take(self, step: Batch | Climbed) -> None:
        """Note what comes."""
        self.steps.append(step)
        for event in step if not isinstance(step, Climbed) else ():
            match event:
                case TextDelta(text):
                    self.text.append(text)
                case ToolCallDelta(index, arguments, call, name):
                    so_far = self.calls.get(index) or ToolCall(
                        id=call or f"call_{index}", name=name or "", arguments=""
                    )
                    self.calls[index] = so_far.model_copy(update={"arguments": so_far.arguments + arguments})
                case Usage():
                    self.tokens = event.input_tokens + event.output_tokens
                case _:
                    pass

    @property
    def is_last(self) -> bool:
        """Whether the caller is to have it: it calls none of ours, or one of the caller's own too, or was cut off."""
        names = {call.name for call in self.calls.values()}
        last = self.steps[-1] if self.steps else ()
        ended = (
            isinstance(last, tuple) and bool(last) and isinstance(last[-1], Stop) and last[-1].reason == "tool_calls"
        )
        return not ended or not names or not names <= self.ours

    def for_the_caller(self, run: Run) -> list[Batch | Climbed]:
        """Return the turn without calls of ours, which are left out and noted."""
        hidden = {index for index, call in self.calls.items() if call.name in self.ours}
        for index in sorted(hidden):
            because = "the model called it in one turn with the caller's own tools"
            run.evidence.append(run.trace_id, Skipped(stage="tool", name=self.calls[index].name, because=because))
        kept = [step if isinstance(step, Climbed) else _without(step, hidden) for step in self.steps]
        return [step for step in kept if step]


def _without(batch: Batch, hidden: set[int]) -> Batch:
    return tuple(event for event in batch if not (isinstance(event, ToolCallDelta) and event.index in hidden))


async def _called(turn: _Turn, loop: ToolLoop, decision: Decision, run: Run) -> tuple[Decision, Run]:
    """Call what the model called, one after another; return plan and run with its words and the results in the conversation."""
    calls = tuple(turn.calls[index] for index in sorted(turn.calls))
    said = tuple([TextPart(text="".join(turn.text))] if turn.text else [])
    asked = Message(role="assistant", origin="tool", content=said, tool_calls=calls, label=decision.label)
    grown, tokens = run.request.model_copy(update={"messages": (*run.request.messages, asked)}), turn.tokens
    for call in calls:
        plan = _plan_of(call.name, decision)
        tool = run.bundle.tools[call.name]
        result = await loop.call(plan, tool, call.arguments or "{}", decision, tokens)
        grown = grown.model_copy(update={"messages": (*grown.messages, _answer(call, tool, result, decision))})
        tokens, run = 0, replace(run, request=grown)
        decision = await decided_again(decision, run, f"the model called tool {call.name}")
        if decision.action != "answer" or not decision.ladder:
            raise refusal_of(decision) or PolicyDenied("with what a tool answered, no lane may go on with this request")
    return decision, run


def _plan_of(name: str, decision: Decision) -> ToolPlan:
    """Return the plan for a tool. Raises `PolicyDenied` where what another one answered has closed it meanwhile."""
    plan = next((plan for plan in decision.tools if plan.name == name), None)
    if plan is None:
        raise PolicyDenied(f"tool {name} may not be called any more: the plan no longer holds it")
    return plan


def _answer(call: ToolCall, tool: ToolFile, result: ToolResult | None, decision: Decision) -> Message:
    """A tool's answer to a call, as data under its own label."""
    if result is None:
        text, label = _FAILED, decision.label
    else:
        said = Chunk(id=f"tool:{tool.name}", index="tools", doc=tool.name, text=result.text, sha256=result.sha256)
        text, label = spotlight((said,), cite=False), result.label
    return Message(role="tool", origin="tool", tool_call_id=call.id, content=(TextPart(text=text),), label=label)
