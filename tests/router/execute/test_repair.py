"""An answer that breaks its contract is asked for once more, with what is wrong with it."""

from collections.abc import Iterable
from typing import Any

import pytest

from router.contract import AttemptStarted, OutputContract, ToolSpec, Validated
from router.errors import ContractViolated
from router.lane import LaneCall, Stop, TextDelta, ToolCallDelta
from tests.router.execute.kit import Bench, decision

CONTRACT = OutputContract(type="json", schema_name="Person")
BAD, GOOD = ((TextDelta("{}"),), (Stop("stop"),)), ((TextDelta('{"name": "x"}'),), (Stop("stop"),))
LOOK = ToolSpec(name="look", parameters_json='{"type":"object","properties":{"q":{"type":"string"}},"required":["q"]}')


def mends(call: LaneCall) -> Iterable[Any]:
    return GOOD if call.attempt > 1 else BAD


def test_the_same_lane_is_told_what_is_wrong_and_asked_again() -> None:
    bench = Bench(decision(("near", ("start",)), output_contract=CONTRACT), hold=True, near=mends).play()

    assert bench.text == '{"name": "x"}'
    first, second = bench.lanes["near"].calls
    assert second.messages[: len(first.messages)] == first.messages
    assert [message.role for message in second.messages[len(first.messages) :]] == ["user"]
    assert "name" in second.messages[-1].text
    assert [(one.valid, one.repair) for one in bench.kept(Validated)] == [(False, False), (True, True)]


def test_it_is_asked_once_and_then_the_next_rung_and_then_the_caller_reads_the_errors() -> None:
    plan = decision(("near", ("start",)), ("far", ("schema_failure",)), output_contract=CONTRACT)
    bench = Bench(plan, hold=True, near=BAD, far=BAD)

    with pytest.raises(ContractViolated, match="name") as violated:
        bench.play()

    assert [event.lane for event in bench.kept(AttemptStarted)] == ["near", "near", "far", "far"]
    assert violated.value.status == 422


def test_a_stream_that_can_not_become_valid_any_more_ends_at_once() -> None:
    broken = (TextDelta('{"name": '),), (TextDelta("oops"),), (TextDelta("never read"),), (Stop("stop"),)
    bench = Bench(decision(("near", ("start",)), output_contract=CONTRACT), near=broken)

    with pytest.raises(ContractViolated):
        bench.play()

    assert bench.text == '{"name": '
    assert len(bench.lanes["near"].calls) == 1


@pytest.mark.parametrize("arguments", ['"gabenwelter"', '{"p": 1}', "{"])
def test_arguments_that_break_a_tools_schema_are_mended_in_every_lane(arguments: str) -> None:
    def calls(call: LaneCall) -> Iterable[Any]:
        said = '{"q": "x"}' if call.attempt > 1 else arguments
        return [(ToolCallDelta(0, "", "c1", "look"),), (ToolCallDelta(0, said),), (Stop("tool_calls"),)]

    bench = Bench(decision(("far", ("start",))), hold=True, far=calls)
    object.__setattr__(bench.run, "request", bench.run.request.model_copy(update={"client_tools": (LOOK,)}))
    bench.play()

    assert [event.arguments for event in bench.events if isinstance(event, ToolCallDelta)] == ["", '{"q": "x"}']
    assert [(one.contract, one.valid) for one in bench.kept(Validated)] == [("tool_arguments", False)]
