from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from router.contract import (
    AttemptEnded,
    ClosedRung,
    Decided,
    Decision,
    Finding,
    Label,
)
from router.errors import (
    FoundBeforeLeaving,
    LaneOverloaded,
    LaneTimeout,
    PermitOutdated,
    outcome_of,
)
from router.lane import LaneCall
from tests.router.execute.kit import HELLO, Bench, decision


def test_a_rung_that_the_second_decision_closed_is_not_tried() -> None:
    plan = decision(("near", ("start",)), ("far", ("overload",)), ("slow", ("overload",)))
    later = decision(("near", ("start",)), ("slow", ("overload",)))

    bench = Bench(plan, later=later, near=[LaneOverloaded("near", "full")], far=HELLO, slow=HELLO).play()

    assert [one.rung.lane for one in bench.climbed] == ["slow"]
    assert bench.lanes["far"].calls == []
    assert len(bench.kept(Decided)) >= 1


SOMEBODYS = Finding(entity="PERSON", category="pii", start=0, end=3, score=0.9, detector="presidio")
PII = Label(level="confidential", categories=("pii",))
HOSTED_FIRST = (("far", ("start",)), ("slow", ("timeout",)), ("near", ("boundary",)))


def test_what_a_last_look_finds_turns_the_request_back_to_a_private_rung_and_is_on_record() -> None:
    later = decision(("near", ("start",)), label=PII, findings=(SOMEBODYS,))

    bench = Bench(
        decision(*HOSTED_FIRST), later=later, far=[FoundBeforeLeaving("far", (SOMEBODYS,))], near=HELLO
    ).play()

    assert [one.rung.lane for one in bench.climbed] == ["near"]
    assert bench.found == [(SOMEBODYS,)]
    (again,) = bench.kept(Decided)
    assert again.decision.findings == (SOMEBODYS,)
    assert again.decision.label == PII
    assert "deep scan found pii" in again.because
    assert bench.lanes["near"].calls[0].label == PII
    assert [end.ended for end in bench.kept(AttemptEnded)] == ["boundary", "stop"]


def test_where_policy_lets_even_what_was_found_go_the_lane_is_asked_once_more_under_the_higher_label() -> None:
    later = decision(*HOSTED_FIRST, label=PII)

    def far(call: LaneCall) -> Iterable[Any]:
        return HELLO if call.label == PII else [FoundBeforeLeaving("far", (SOMEBODYS,))]

    bench = Bench(decision(*HOSTED_FIRST), later=later, far=far, near=HELLO).play()

    assert [one.rung.lane for one in bench.climbed] == ["far"]
    assert [call.label for call in bench.lanes["far"].calls] == [Label(), PII]


def test_a_lane_that_finds_again_and_again_is_not_asked_for_ever() -> None:
    later = decision(*HOSTED_FIRST, label=PII)

    bench = Bench(
        decision(*HOSTED_FIRST), later=later, far=[FoundBeforeLeaving("far", (SOMEBODYS,))], slow=HELLO, near=HELLO
    )
    bench.play()

    assert len(bench.lanes["far"].calls) == 2
    assert [one.rung.lane for one in bench.climbed] == ["near"]


def test_with_no_private_rung_left_the_caller_is_told_that_something_was_found_and_not_what() -> None:
    later = decision(label=PII, closed=(ClosedRung(lane="far", model="big", because="it is somebody's"),))
    bench = Bench(decision(("far", ("start",))), later=later, far=[FoundBeforeLeaving("far", (SOMEBODYS,))])

    with pytest.raises(FoundBeforeLeaving, match="found pii in what was about to leave"):
        bench.play()

    assert outcome_of(FoundBeforeLeaving("far", (SOMEBODYS,))).status == 403


def test_what_was_found_is_said_again_at_every_later_decision() -> None:
    later = decision(("slow", ("start",)), ("near", ("timeout",)), label=PII)
    plan = decision(("far", ("start",)), ("slow", ("boundary",)), ("near", ("timeout",)))

    bench = Bench(
        plan, later=later, far=[FoundBeforeLeaving("far", (SOMEBODYS,))], slow=[LaneTimeout("slow", "late")], near=HELLO
    ).play()

    assert bench.found == [(SOMEBODYS,), (SOMEBODYS,)]
    assert [one.rung.lane for one in bench.climbed] == ["near"]


NEWER = "f" * 64


def a_superseded(plan: Decision, later: Decision, **scripts: Any) -> Bench:
    """A run during which another bundle came into force, under which `later` was decided."""
    bench = Bench(plan, later=later, **scripts)
    bench.run = replace(bench.run, superseded=lambda decided: decided.bundle_hash != NEWER)
    return bench


def test_before_a_rung_leads_out_the_plan_is_made_anew_by_the_bundle_in_force() -> None:
    later = decision(*HOSTED_FIRST, label=PII, bundle_hash=NEWER)

    bench = a_superseded(decision(*HOSTED_FIRST), later, far=HELLO, near=HELLO).play()

    assert [call.bundle_hash for call in bench.lanes["far"].calls] == [NEWER]
    assert [call.label for call in bench.lanes["far"].calls] == [PII]
    assert [event.because for event in bench.kept(Decided)] == ["another bundle is in force"]


def test_an_exit_that_the_bundle_in_force_closes_is_not_tried_and_the_plan_goes_on_at_home() -> None:
    later = decision(("near", ("start",)), bundle_hash=NEWER)

    bench = a_superseded(decision(*HOSTED_FIRST), later, far=HELLO, near=HELLO).play()

    assert bench.lanes["far"].calls == []
    assert [one.rung.lane for one in bench.climbed] == ["near"]


def test_at_home_nothing_is_decided_again() -> None:
    bench = a_superseded(decision(("near", ("start",))), decision(bundle_hash=NEWER), near=HELLO).play()

    assert bench.found == []
    assert [one.rung.lane for one in bench.climbed] == ["near"]


def test_a_permit_that_a_change_of_bundle_overtook_is_asked_for_once_more() -> None:
    later = decision(*HOSTED_FIRST, bundle_hash=NEWER)

    def far(call: LaneCall) -> Iterable[Any]:
        return HELLO if call.bundle_hash == NEWER else [PermitOutdated("another bundle")]

    bench = Bench(decision(*HOSTED_FIRST), later=later, far=far, near=HELLO).play()

    assert [call.bundle_hash for call in bench.lanes["far"].calls] == ["0" * 64, NEWER]
    assert [one.rung.lane for one in bench.climbed] == ["far"]


def test_a_door_and_a_router_that_never_agree_end_at_home() -> None:
    bench = Bench(decision(*HOSTED_FIRST), far=[PermitOutdated("another bundle")], slow=HELLO, near=HELLO).play()

    assert len(bench.lanes["far"].calls) == 2
    assert [one.rung.lane for one in bench.climbed] == ["near"]
