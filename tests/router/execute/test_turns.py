"""A model that calls our tools itself: turn by turn, bounded, and never seen by the caller."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from router.bundle.files import ToolFile
from router.contract import (
    AttemptStarted,
    Budgets,
    Decided,
    Label,
    Message,
    Skipped,
    TextPart,
    ToolCalled,
    ToolPlan,
    ToolSpec,
)
from router.errors import ApprovalNeeded, LaneMisbehaved, LaneOverloaded, PolicyDenied, ToolFailed
from router.errors import ToolLoop as LoopEnded
from router.lane import LaneCall, Stop, TextDelta, ToolCallDelta, Usage
from router.tools import ToolResult, ToolUse
from tests.router.execute.kit import HELLO, Bench, decision

PII = Label(level="confidential", categories=("pii",))
LOOKUP = ToolFile(
    name="lookup",
    description="Looks an order up.",
    side_effect="read",
    parameters={"type": "object", "properties": {"order": {"type": "string"}}, "required": ["order"]},
)
OWN = ToolSpec(name="mine", parameters_json='{"type":"object"}')
BUDGETS = Budgets(tool_calls=3)


@dataclass
class Box:
    """A toolbox that answers from a script. Keeps the uses it was asked for."""

    script: Callable[[ToolUse], Any] = lambda use: f"order {use.arguments_json} is on its way"
    label: Label = field(default_factory=Label)
    uses: list[ToolUse] = field(default_factory=list)

    async def call(self, use: ToolUse) -> ToolResult:
        self.uses.append(use)
        said = self.script(use)
        if isinstance(said, Exception):
            raise said
        return ToolResult(said, None, self.label, "answered", 0.1, use.arguments_sha256)


def calling(*names: str, order: str = "A-1") -> list[Any]:
    pieces = [
        event
        for index, name in enumerate(names)
        for event in (ToolCallDelta(index, "", f"c{index}", name), ToolCallDelta(index, f'{{"order": "{order}"}}'))
    ]
    return [(TextDelta("Let me look."),), tuple(pieces), (Usage(20, 10), Stop("tool_calls"))]


def a_bench(box: Box, far: Any, *, later: Any = None, **changes: Any) -> Bench:
    plan = decision(
        ("far", ("start",)), ("near", ("connection",)), tools=(ToolPlan(name="lookup"),), budgets=BUDGETS, **changes
    )
    bench = Bench(plan, later=later, run={"toolbox": box}, far=far, near=HELLO)
    bench.run.bundle.tools["lookup"] = LOOKUP  # type: ignore[index]
    return bench


def once_then_hello(call: LaneCall) -> Iterable[Any]:
    return HELLO if any(message.role == "tool" for message in call.messages) else calling("lookup")


def test_the_tool_is_called_its_answer_joins_the_conversation_and_the_caller_sees_the_answer_alone() -> None:
    bench = a_bench(box := Box(label=PII), once_then_hello).play()

    assert bench.text == "Hello"
    assert not any(isinstance(event, ToolCallDelta) for event in bench.events)
    assert len(bench.climbed) == 1
    assert [use.arguments_json for use in box.uses] == ['{"order": "A-1"}']
    first, second = bench.lanes["far"].calls
    assert [tool.name for tool in first.client_tools] == ["lookup"]
    asked, told = second.messages[-2:]
    assert (asked.role, asked.tool_calls[0].id) == ("assistant", "c0")
    assert (told.role, told.origin, told.tool_call_id, told.label) == ("tool", "tool", "c0", PII)
    assert "is on its way" in told.text
    assert [event.attempt for event in bench.kept(AttemptStarted)] == [1, 2]
    assert [(event.name, event.ended) for event in bench.kept(ToolCalled)] == [("lookup", "ok")]
    assert [event.because for event in bench.kept(Decided)] == ["the model called tool lookup"]


def test_what_the_tool_brought_can_close_the_way_out() -> None:
    later = decision(("near", ("start",)), label=PII, tools=(ToolPlan(name="lookup"),), budgets=BUDGETS)

    bench = a_bench(Box(label=PII), once_then_hello, later=later).play()

    assert bench.text == "Hello"
    assert len(bench.lanes["far"].calls) == 1
    assert bench.lanes["near"].calls[0].label == PII


def test_where_no_lane_may_go_on_the_request_is_denied() -> None:
    bench = a_bench(Box(label=PII), once_then_hello, later=decision(tools=(ToolPlan(name="lookup"),), budgets=BUDGETS))

    with pytest.raises(PolicyDenied):
        bench.play()

    assert bench.events == []


def test_a_model_that_calls_the_same_again_and_again_is_stopped() -> None:
    bench = a_bench(box := Box(), lambda _: calling("lookup"))

    with pytest.raises(LoopEnded, match="already"):
        bench.play()

    assert len(box.uses) == 2


def test_a_model_that_calls_ever_more_is_stopped_at_the_plans_bound() -> None:
    bench = a_bench(box := Box(), lambda call: calling("lookup", order=str(call.attempt)))

    with pytest.raises(LoopEnded, match="3 calls"):
        bench.play()

    assert len(box.uses) == 3
    assert bench.events == []


def test_what_was_called_before_a_model_was_asked_counts_too() -> None:
    bench = a_bench(box := Box(), lambda call: calling("lookup", order=str(call.attempt)))
    result = Message(role="user", origin="tool", content=(TextPart(text="order A-0 is lost"),))
    grown = bench.run.request.model_copy(update={"messages": (result, result, *bench.run.request.messages)})
    bench.run = replace(bench.run, request=grown)

    with pytest.raises(LoopEnded):
        bench.play()

    assert len(box.uses) == 1


def test_a_reading_tool_that_fails_is_done_without() -> None:
    bench = a_bench(Box(lambda use: ToolFailed(use.tool, "broken")), once_then_hello).play()

    assert bench.text == "Hello"
    assert "gave no answer" in bench.lanes["far"].calls[1].messages[-1].text
    assert [event.ended for event in bench.kept(ToolCalled)] == ["tool_failed"]


def test_a_tool_that_changes_something_stops_for_a_person() -> None:
    bench = a_bench(Box(lambda use: ApprovalNeeded(use.tool, "it changes something")), once_then_hello)
    bench.run.bundle.tools["lookup"] = LOOKUP.model_copy(update={"side_effect": "write"})  # type: ignore[index]

    with pytest.raises(ApprovalNeeded):
        bench.play()

    assert bench.events == []


def test_calls_of_the_callers_own_tools_go_to_the_caller_and_ours_beside_them_do_not() -> None:
    bench = a_bench(box := Box(), calling("mine", "lookup"))
    bench.run = replace(bench.run, request=bench.run.request.model_copy(update={"client_tools": (OWN,)}))
    bench.play()

    assert [event.name for event in bench.events if isinstance(event, ToolCallDelta) and event.name] == ["mine"]
    assert bench.events[-1] == Stop("tool_calls")
    assert box.uses == []
    assert [event.name for event in bench.kept(Skipped)] == ["lookup"]


def test_a_lane_that_can_not_call_tools_is_offered_none() -> None:
    bench = a_bench(Box(), [LaneMisbehaved("far", "garbage")])
    bench.play()

    assert bench.lanes["near"].calls[0].client_tools == ()
    assert bench.text == "Hello"


def test_a_turn_that_fails_falls_back_like_any_other() -> None:
    def far(call: LaneCall) -> Iterable[Any]:
        done = any(message.role == "tool" for message in call.messages)
        return [LaneMisbehaved("far", "garbage")] if done else calling("lookup")

    bench = a_bench(Box(), far).play()

    assert bench.text == "Hello"
    assert [one.rung.lane for one in bench.climbed] == ["near"]
    with pytest.raises(LaneOverloaded):
        a_bench(Box(), [LaneOverloaded("far", "full")]).play()
