from collections.abc import Iterable
from typing import Any

import pytest

from router.contract import (
    AttemptEnded,
    Budgets,
    ClosedRung,
    OutputContract,
    Validated,
)
from router.errors import (
    ContextTooLong,
    DoorRefused,
    LaneMisbehaved,
    LaneOverloaded,
    LaneTimeout,
    PolicyDenied,
)
from router.lane import Stop, TextDelta
from tests.router.execute.kit import HELLO, Bench, decision


def test_the_first_rung_answers_and_the_attempt_is_recorded() -> None:
    bench = Bench(decision(("near", ("start",))), near=HELLO).play()

    assert bench.text == "Hello"
    assert [(one.rung.lane, one.attempt) for one in bench.climbed] == [("near", 1)]
    (end,) = bench.kept(AttemptEnded)
    assert (end.ended, end.input_tokens, end.output_tokens, end.model_version) == ("stop", 3, 1, "w1")


def test_a_failure_before_content_goes_to_the_rung_for_that_cause() -> None:
    plan = decision(("near", ("start",)), ("slow", ("timeout",)), ("far", ("overload",)))

    bench = Bench(plan, near=[LaneOverloaded("near", "full")], slow=HELLO, far=HELLO).play()

    assert [one.rung.lane for one in bench.climbed] == ["far"]
    assert bench.lanes["slow"].calls == []
    assert [end.ended for end in bench.kept(AttemptEnded)] == ["overload", "stop"]


def test_a_failure_after_content_is_raised_and_no_other_lane_is_asked() -> None:
    plan = decision(("near", ("start",)), ("far", ("connection",)))
    bench = Bench(plan, near=[(TextDelta("Hal"),), LaneMisbehaved("near", "cut")], far=HELLO)

    with pytest.raises(LaneMisbehaved):
        bench.play()

    assert bench.text == "Hal"
    assert bench.lanes["far"].calls == []


def test_a_held_answer_changes_lanes_even_after_content() -> None:
    plan = decision(("near", ("start",)), ("far", ("connection",)))

    bench = Bench(plan, hold=True, near=[(TextDelta("Hal"),), LaneMisbehaved("near", "cut")], far=HELLO).play()

    assert bench.text == "Hello"


def test_a_cause_without_a_rung_raises_what_happened() -> None:
    plan = decision(("near", ("start",)), ("far", ("timeout",)))

    with pytest.raises(LaneOverloaded):
        Bench(plan, near=[LaneOverloaded("near", "full")], far=HELLO).play()


def test_no_time_left_means_no_further_attempt() -> None:
    plan = decision(("near", ("start",)), ("far", ("overload",)), budgets=Budgets(latency_seconds=10))
    bench = Bench(plan, near=lambda _: _late(), far=HELLO)

    def _late() -> Iterable[Any]:
        bench.run.clock.advance(11)  # type: ignore[attr-defined]
        yield LaneOverloaded("near", "full")

    with pytest.raises(LaneTimeout, match="no time is left"):
        bench.play()

    assert bench.lanes["far"].calls == []


def test_an_empty_ladder_denies_with_the_policies_that_closed_it() -> None:
    closed = (ClosedRung(lane="far", model="big", because="pii", policies=("pii-stays",)),)

    with pytest.raises(PolicyDenied) as denial:
        Bench(decision(closed=closed)).play()

    assert denial.value.policies == ("pii-stays",)


def test_the_callers_own_fault_is_not_tried_elsewhere() -> None:
    plan = decision(("near", ("start",)), ("far", ("connection", "timeout", "overload")))
    bench = Bench(plan, near=[ContextTooLong("too long")], far=HELLO)

    with pytest.raises(ContextTooLong):
        bench.play()

    assert bench.lanes["far"].calls == []
    assert [end.ended for end in bench.kept(AttemptEnded)] == ["context_length_exceeded"]


def test_the_doors_refusal_turns_back_to_the_boundarys_rung() -> None:
    plan = decision(("far", ("start",)), ("near", ("boundary",)))

    bench = Bench(plan, far=[DoorRefused("a card number")], near=HELLO).play()

    assert [one.rung.lane for one in bench.climbed] == ["near"]


def test_a_held_answer_that_breaks_its_contract_twice_goes_to_the_next_rung() -> None:
    contract = OutputContract(type="json", schema_name="Person")
    plan = decision(("near", ("start",)), ("far", ("schema_failure",)), output_contract=contract)
    good = [(TextDelta('{"name": "x"}'),), (Stop("stop"),)]

    bench = Bench(plan, hold=True, near=[(TextDelta("{}"),), (Stop("stop"),)], far=good).play()

    assert bench.text == '{"name": "x"}'
    assert [one.valid for one in bench.kept(Validated)] == [False, False, True]
