"""The tools of the plan are called with what the request says, before a model is asked; what they say is data."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from router.budgets import Limits
from router.bundle.files import ToolFile
from router.contract import Decided, Decision, Message, Skipped, TextPart, ToolCalled, ToolPlan
from router.errors import ApprovalNeeded, BudgetExhausted, ToolFailed, ToolLoop
from router.execute import Run, with_tools
from router.testing import MemoryPurse, ScriptedTools
from router.tools import ToolUse
from tests.router.execute.kit import HELLO, Bench, FakeBundle, decision

TICKET = ToolFile.model_validate(
    {
        "name": "ticket_lookup",
        "description": "Look a ticket up.",
        "side_effect": "read",
        "parameters": {
            "type": "object",
            "properties": {"ticket_id": {"type": "string", "pattern": "^TCK-[0-9]{1,10}$"}},
            "required": ["ticket_id"],
        },
    }
)
REFUND = ToolFile.model_validate(
    {
        "name": "issue_refund",
        "description": "Refund an order.",
        "side_effect": "irreversible",
        "parameters": {
            "type": "object",
            "properties": {"order_id": {"type": "string", "pattern": "^ORD-[0-9]{3,10}$"}},
            "required": ["order_id"],
        },
    }
)
LOOK = ToolPlan(name="ticket_lookup", required=True)


def called(
    plan: Decision, text: str, tools: ScriptedTools, purse: MemoryPurse | None = None
) -> tuple[Decision, Run, Bench]:
    bench = Bench(plan, near=HELLO, run={"toolbox": tools, "purse": purse})
    bundle = FakeBundle()
    bundle.tools = {"ticket_lookup": TICKET, "issue_refund": REFUND}
    request = bench.run.request.model_copy(update={"messages": (Message(role="user", content=(TextPart(text=text),)),)})
    run: Run = replace(bench.run, bundle=bundle, request=request)  # type: ignore[arg-type]
    return (*asyncio.run(with_tools(plan, run)), bench)


def planned(*tools: ToolPlan, **changes: Any) -> Decision:
    budgets = decision().budgets.model_copy(update={"tool_calls": 4})
    return decision(("near", ("start",)), tools=tools, **{"budgets": budgets, **changes})


def test_a_tool_is_called_with_what_the_request_says_and_its_result_stands_before_the_question() -> None:
    tools = ScriptedTools(lambda use: f'{{"seen":{use.arguments_json}}}')
    narrowed, run, bench = called(planned(LOOK), "Where is TCK-1042?", tools)

    assert [use.arguments_json for use in tools.calls] == ['{"ticket_id":"TCK-1042"}']
    assert [message.origin for message in run.request.messages] == ["tool", "caller"]
    assert '{"seen":{"ticket_id":"TCK-1042"}}' in run.request.messages[0].text
    assert [one.ended for one in bench.kept(ToolCalled)] == ["ok"]
    assert [one.because for one in bench.kept(Decided)] == ["tool ticket_lookup was called"]
    assert narrowed.action == "answer"


def test_a_required_tool_that_lacks_an_argument_asks_for_it() -> None:
    tools = ScriptedTools(lambda _: "{}")
    narrowed, _, bench = called(planned(LOOK), "Where is my parcel?", tools)

    assert narrowed.action == "clarify"
    assert narrowed.message == "To answer this, please tell me the ticket id."
    assert narrowed.ladder == ()
    assert tools.calls == []
    assert len(bench.kept(Decided)) == 1


def test_where_the_route_says_so_the_answer_does_without() -> None:
    plan = LOOK.model_copy(update={"on_missing": "answer"})
    narrowed, _, bench = called(planned(plan), "What is your refund policy?", ScriptedTools(lambda _: "{}"))

    assert narrowed.action == "answer"
    assert [one.because for one in bench.kept(Skipped)] == ["the request does not say the ticket id"]


def test_a_required_tool_that_fails_fails_the_request_and_another_one_does_not() -> None:
    def fails(_: Any) -> str:
        raise ToolFailed("ticket_lookup", "gone")

    optional = ToolPlan(name="ticket_lookup")
    narrowed, _, bench = called(planned(optional), "Where is TCK-1042?", ScriptedTools(fails))

    assert narrowed.action == "answer"
    assert [one.ended for one in bench.kept(ToolCalled)] == ["tool_failed"]
    with pytest.raises(ToolFailed):
        called(planned(LOOK), "Where is TCK-1042?", ScriptedTools(fails))


def test_a_changing_tool_stops_the_request_with_the_exact_arguments_that_need_a_person() -> None:
    def needs(use: Any) -> str:
        raise ApprovalNeeded("issue_refund", "a person has to say yes", use.arguments_json)

    plan = ToolPlan(name="issue_refund", required=True, needs_approval=True)
    tools = ScriptedTools(needs)
    with pytest.raises(ApprovalNeeded) as needed:
        called(planned(plan), "Refund ORD-5567.", tools)

    assert needed.value.arguments == '{"order_id":"ORD-5567"}'
    assert tools.calls[0].needs_approval


def test_a_tool_whose_result_is_in_the_request_is_not_called_again() -> None:
    tools = ScriptedTools(lambda _: "{}")
    _, run, _ = called(planned(LOOK), "Where is TCK-1042?", tools)
    asyncio.run(with_tools(planned(LOOK), run))

    assert len(tools.calls) == 1


def test_no_more_tools_are_called_than_the_budget_allows() -> None:
    budgets = decision().budgets.model_copy(update={"tool_calls": 0})

    with pytest.raises(ToolLoop):
        called(planned(LOOK, budgets=budgets), "Where is TCK-1042?", ScriptedTools(lambda _: "{}"))


def test_a_call_is_taken_from_the_day_s_budget_and_one_that_was_not_made_is_not() -> None:
    def script(use: ToolUse) -> str | BaseException:
        return ApprovalNeeded(use.tool, "a person has to say yes") if use.tool == "issue_refund" else "{}"

    purse = MemoryPurse(Limits(tool_calls=2))
    refund = ToolPlan(name="issue_refund", required=True)

    called(planned(LOOK), "Where is TCK-1042?", ScriptedTools(script), purse)
    with pytest.raises(ApprovalNeeded):
        called(planned(refund), "Refund ORD-1001", ScriptedTools(script), purse)

    assert purse.spent.tool_calls == 1
    assert purse.held == {}


def test_without_a_call_left_for_the_day_no_tool_is_called() -> None:
    tools = ScriptedTools(lambda _: "{}")

    with pytest.raises(BudgetExhausted):
        called(planned(LOOK), "Where is TCK-1042?", tools, MemoryPurse(Limits(tool_calls=0)))

    assert tools.calls == []
