"""A field that one lane has no word for: is there another lane that has?"""

from typing import Any

import pytest

from router.contract import AttemptEnded, AttemptStarted, Skipped
from router.errors import LaneOverloaded, LaneTimeout, UnsupportedField
from router.lane import TextDelta
from tests.router.execute.kit import HELLO, Bench, decision

NO_WORD = [UnsupportedField("seed: Anthropic's Messages API has no word for it", "seed")]


def skipped(bench: Bench) -> list[str]:
    return [one.name for one in bench.kept(Skipped) if one.stage == "rung"]


def test_a_later_rung_that_has_no_word_for_it_is_left_out_and_the_next_for_the_same_cause_is_asked() -> None:
    plan = decision(("near", ("start",)), ("far", ("timeout",)), ("exact", ("overload",)), ("slow", ("timeout",)))

    bench = Bench(plan, near=[LaneTimeout("near", "late")], far=NO_WORD, exact=HELLO, slow=HELLO).play()

    assert [one.rung.lane for one in bench.climbed] == ["slow"]
    assert skipped(bench) == ["far"]
    assert [end.ended for end in bench.kept(AttemptEnded)] == ["timeout", "unsupported_parameter", "stop"]
    assert [start.on for start in bench.kept(AttemptStarted)] == ["start", "timeout", "timeout"]


def test_a_first_rung_that_has_no_word_for_it_leads_to_the_next() -> None:
    plan = decision(("far", ("start",)), ("near", ("timeout",)))

    bench = Bench(plan, far=NO_WORD, near=HELLO).play()

    assert bench.text == "Hello"
    assert skipped(bench) == ["far"]


def test_it_is_the_callers_error_where_no_rung_can_take_it() -> None:
    plan = decision(("far", ("start",)), ("near", ("timeout",)), ("exact", ("overload",)))
    bench = Bench(plan, far=NO_WORD, near=NO_WORD, exact=NO_WORD)

    with pytest.raises(UnsupportedField) as refused:
        bench.play()

    assert refused.value.param == "seed"
    assert skipped(bench) == ["far", "near", "exact"]


@pytest.mark.parametrize("far_first", [True, False])
def test_where_another_lane_could_have_taken_it_its_failure_is_what_is_told(far_first: bool) -> None:
    lanes: dict[str, Any] = {"far": NO_WORD, "near": [LaneTimeout("near", "late")]}
    first, then = ("far", "near") if far_first else ("near", "far")

    with pytest.raises(LaneTimeout):
        Bench(decision((first, ("start",)), (then, ("timeout",))), **lanes).play()


def test_the_same_lane_is_not_asked_again_and_people_are_not_asked_for_a_programs_mistake() -> None:
    plan = decision(("far", ("start",)), ("far", ("timeout", "overload")), ("desk", ("overload",)))
    bench = Bench(plan, far=NO_WORD)

    with pytest.raises(UnsupportedField):
        bench.play()

    assert len(bench.lanes["far"].calls) == 1


def test_a_rung_beyond_the_one_left_out_still_follows_a_failure() -> None:
    plan = decision(("far", ("start",)), ("near", ("timeout", "overload")), ("exact", ("overload",)))

    bench = Bench(plan, far=NO_WORD, near=[LaneOverloaded("near", "full")], exact=HELLO).play()

    assert [one.rung.lane for one in bench.climbed] == ["exact"]


def test_after_the_first_piece_no_other_lane_takes_its_place() -> None:
    bench = Bench(
        decision(("far", ("start",)), ("near", ("timeout",))), far=[(TextDelta("Hal"),), *NO_WORD], near=HELLO
    )

    with pytest.raises(UnsupportedField):
        bench.play()

    assert bench.text == "Hal"
