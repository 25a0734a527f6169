"""Where patterns find no arguments, a route may have its lane read them out of the caller's words: one call, and only what was said."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from router.budgets import Limits
from router.bundle.files import ToolFile
from router.contract import (
    AttemptEnded,
    AttemptStarted,
    Message,
    RouteRequest,
    Skipped,
    TextPart,
    ToolCalled,
    ToolPlan,
    Validated,
)
from router.errors import LaneUnreachable, SchemaRefused
from router.exact import canonical_json
from router.execute import Run, with_tools
from router.lane import LaneCall, Stop, TextDelta, Usage
from router.testing import MemoryPurse, ScriptedTools
from tests.router.execute.kit import HELLO, Bench, FakeBundle, decision
from tests.router.execute.test_tools import TICKET

_PARAMETERS = {
    "type": "object",
    "properties": {"ticket_id": {"type": "string", "maxLength": 40}},
    "required": ["ticket_id"],
    "additionalProperties": False,
}
NAMED = TICKET.model_copy(update={"parameters": _PARAMETERS})
READ = ToolPlan(name="ticket_lookup", required=True, arguments="model")
WORDS = "It is about ticket “parcel lost 7”, where is it?"


def answers(text: str, ended: str = "stop") -> Any:
    return (TextDelta(text),), (Usage(30, 9), Stop(ended, "w1"))  # type: ignore[arg-type]


class Asked:
    """What came of a plan with the tool, over one scripted lane."""

    def __init__(
        self,
        script: Any,
        *,
        plan: ToolPlan = READ,
        text: str = WORDS,
        lane: str = "near",
        run: Any = None,
        tool: ToolFile = NAMED,
        **changes: Any,
    ) -> None:
        self.tools = ScriptedTools(lambda _: '{"status":"open"}')
        budgets = decision().budgets.model_copy(update={"tool_calls": 4})
        planned = decision((lane, ("start",)), tools=(plan,), **{"budgets": budgets, **changes})
        self.bench = Bench(planned, run={"toolbox": self.tools, **(run or {})}, **{lane: script})
        bundle = FakeBundle()
        bundle.tools = {"ticket_lookup": tool}
        request = self.bench.run.request.model_copy(update={"messages": (said(text),)})
        self.decision, self.run = asyncio.run(with_tools(planned, self._run(bundle, request)))

    def _run(self, bundle: Any, request: RouteRequest) -> Run:
        return replace(self.bench.run, bundle=bundle, request=request)

    @property
    def called(self) -> list[str]:
        return [use.arguments_json for use in self.tools.calls]

    @property
    def calls(self) -> list[LaneCall]:
        return next(iter(self.bench.lanes.values())).calls


def said(text: str, **changes: Any) -> Message:
    return Message(role="user", content=(TextPart(text=text),), **changes)


def test_the_lane_reads_the_argument_and_the_tool_is_called_with_it() -> None:
    asked = Asked(answers('{"ticket_id": "parcel lost 7"}'))

    assert asked.called == ['{"ticket_id":"parcel lost 7"}']
    assert asked.decision.action == "answer"
    assert [message.origin for message in asked.run.request.messages] == ["tool", "caller"]


def test_it_is_one_short_call_held_to_the_tool_s_schema() -> None:
    asked = Asked(answers('{"ticket_id": "parcel lost 7"}'))

    (call,) = asked.calls
    assert call.json_schema == canonical_json(dict(NAMED.parameters))
    assert call.schema_name == "ticket_lookup"
    assert call.max_tokens == 160
    assert call.deadline_seconds == pytest.approx(24.0)
    assert call.sampling.temperature == 0.0
    assert call.client_tools == ()


def test_all_of_it_is_on_record() -> None:
    bench = Asked(answers('{"ticket_id": "parcel lost 7"}')).bench

    assert [one.arguments_of for one in bench.kept(AttemptStarted)] == ["ticket_lookup"]
    assert [(one.arguments_of, one.ended) for one in bench.kept(AttemptEnded)] == [("ticket_lookup", "stop")]
    assert [(one.contract, one.valid) for one in bench.kept(Validated)] == [
        ("ticket_lookup", True),
        ("arguments_said", True),
    ]
    assert [one.arguments_by for one in bench.kept(ToolCalled)] == ["reading"]


def test_an_identifier_that_nobody_named_is_refused_and_asked_for() -> None:
    asked = Asked(answers('{"ticket_id": "TCK-9999"}'))

    assert asked.called == []
    assert asked.decision.message == "To answer this, please tell me the ticket id."
    refused = asked.bench.kept(Validated)[-1]
    assert refused.errors == ("at /ticket_id: it does not stand in the caller's text",)
    assert "9999" not in str(refused)


def test_or_the_answer_does_without_where_the_route_says_so() -> None:
    plan = READ.model_copy(update={"on_missing": "answer"})
    asked = Asked(answers('{"ticket_id": "TCK-9999"}'), plan=plan)

    assert asked.called == []
    assert asked.decision.action == "answer"
    assert [one.name for one in asked.bench.kept(Skipped)] == ["ticket_lookup"]


@pytest.mark.parametrize(
    "script",
    [
        answers('"parcel lost 7"'),
        answers('{"ticket_id": "parcel lost 7", "drop": true}'),
        answers('{"ticket_id": "parcel lo', "length"),
        (LaneUnreachable("near", "nothing answers"),),
        (SchemaRefused("no engine can hold that"),),
    ],
)
def test_whatever_goes_wrong_the_lane_is_asked_once_and_the_tool_s_rule_applies(script: Any) -> None:
    asked = Asked(script)

    assert len(asked.calls) == 1
    assert asked.called == []
    assert asked.decision.action == "clarify"


def test_where_a_pattern_finds_the_argument_no_lane_is_asked() -> None:
    asked = Asked(answers("{}"), text="Where is ticket TCK-1042?", tool=TICKET)

    assert asked.calls == []
    assert asked.called == ['{"ticket_id":"TCK-1042"}']


def test_without_the_route_s_word_no_lane_is_asked() -> None:
    asked = Asked(answers('{"ticket_id": "parcel lost 7"}'), plan=ToolPlan(name="ticket_lookup", required=True))

    assert asked.calls == []
    assert asked.decision.action == "clarify"


def test_what_it_takes_is_taken_from_the_day() -> None:
    purse = MemoryPurse(Limits(input_tokens=10_000, output_tokens=1_000, tool_calls=1))
    Asked(answers('{"ticket_id": "parcel lost 7"}'), run={"purse": purse})

    assert (purse.spent.input_tokens, purse.spent.output_tokens, purse.spent.tool_calls) == (30, 9, 1)
    assert purse.held == {}


def test_with_nothing_left_for_the_day_the_lane_is_not_asked() -> None:
    purse = MemoryPurse(Limits(output_tokens=10))
    asked = Asked(answers('{"ticket_id": "parcel lost 7"}'), run={"purse": purse})

    assert asked.calls == []
    assert asked.decision.action == "clarify"


def test_the_lane_is_shown_the_caller_s_words_alone_under_the_request_s_label() -> None:
    plan = decision(
        ("near", ("start",)), tools=(READ,), budgets=decision().budgets.model_copy(update={"tool_calls": 4})
    )
    secret = plan.label.model_copy(update={"level": "restricted"})
    asked = Asked(answers('{"ticket_id": "parcel lost 7"}'), label=secret)

    (call,) = asked.calls
    assert call.label == secret
    assert [message.role for message in call.messages] == ["system", "user"]
    assert call.messages[1].text == WORDS


def test_a_hosted_lane_is_asked_in_its_own_structured_output_and_without_a_temperature() -> None:
    asked = Asked(answers('{"ticket_id": "parcel lost 7"}'), lane="far")

    (call,) = asked.calls
    assert (call.lane, call.sampling.temperature) == ("far", None)
    assert call.json_schema is not None
    assert asked.called == ['{"ticket_id":"parcel lost 7"}']


def test_people_are_not_asked_for_arguments() -> None:
    asked = Asked(HELLO, lane="desk")

    assert asked.calls == []
    assert asked.decision.action == "clarify"
