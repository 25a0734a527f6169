from collections.abc import Sequence

import pytest

from router.contract import (
    AttemptStarted,
    Sampling,
)
from router.errors import ContractViolated, LaneSaturated, LaneUnreachable
from router.lane import LaneCall, LaneEvent
from tests.router.execute.kit import HELLO, LANES, TRACE, Bench, decision


@pytest.mark.parametrize(
    ("rung", "may_leave"),
    [
        (("far", ("overload",)), True),
        (("far", ("timeout",)), False),
        (("slow", ("overload",)), False),
    ],
)
def test_a_call_says_whether_a_full_lane_can_be_gone_round_by_a_hosted_one(
    rung: tuple[str, tuple[str, ...]], may_leave: bool
) -> None:
    bench = Bench(decision(("near", ("start",)), rung), near=HELLO).play()

    assert [call.may_leave for call in bench.lanes["near"].calls] == [may_leave]


def test_a_way_round_that_is_behind_it_is_none_for_a_later_rung() -> None:
    gone = LaneUnreachable("far", "nothing answers")
    plan = decision(("slow", ("start",)), ("far", ("overload",)), ("near", ("connection", "overload")))

    bench = Bench(plan, slow=[LaneSaturated("slow", "full")], far=[gone], near=HELLO).play()

    assert [(call.may_leave, call.goes_on) for call in bench.lanes["slow"].calls] == [(True, True)]
    assert [(call.may_leave, call.goes_on) for call in bench.lanes["near"].calls] == [(False, False)]


def test_a_lane_whose_breaker_is_open_is_no_way_round() -> None:
    bench = Bench(decision(("near", ("start",)), ("far", ("overload",))), near=HELLO)
    far, health = LANES["far"], bench.run.health
    for _ in range(far.breaker.failures):
        given = health.admit(far, 0.0)
        assert given is not None
        health.settle(far, given, "failed", 0.0)

    bench.play()

    assert [call.may_leave for call in bench.lanes["near"].calls] == [False]


def test_an_exact_lanes_call_without_a_seed_gets_its_traces_so_that_it_can_be_asked_again() -> None:
    chance = Sampling(temperature=0.8)

    exact = Bench(decision(("exact", ("start",)), sampling=chance), exact=HELLO).play()
    own = Bench(decision(("exact", ("start",)), sampling=Sampling(seed=7)), exact=HELLO).play()
    other = Bench(decision(("near", ("start",)), sampling=chance), near=HELLO).play()

    assert exact.lanes["exact"].calls[0].sampling == Sampling(temperature=0.8, seed=int(TRACE[:15], 16))
    assert own.lanes["exact"].calls[0].sampling.seed == 7
    assert other.lanes["near"].calls[0].sampling.seed is None


def full_unless_it_waits(call: LaneCall) -> Sequence[tuple[LaneEvent, ...] | BaseException]:
    return [LaneSaturated(call.lane, "full")] if call.goes_on else HELLO


def test_who_was_sent_on_by_a_full_lane_comes_back_to_it_where_the_ways_round_are_dark() -> None:
    dark = [LaneUnreachable("far", "nothing answers")]
    plan = decision(("near", ("start",)), ("near", ("timeout", "overload")), ("far", ("overload",)))

    bench = Bench(plan, near=full_unless_it_waits, far=dark).play()

    assert bench.text == "Hello"
    assert [call.may_leave for call in bench.lanes["near"].calls] == [True, False]
    assert [event.on for event in bench.kept(AttemptStarted)] == ["start", "overload", "connection"]


def test_who_got_a_bad_answer_elsewhere_does_not_come_back() -> None:
    plan = decision(("near", ("start",)), ("far", ("overload",)))

    with pytest.raises(ContractViolated):
        Bench(plan, near=full_unless_it_waits, far=[ContractViolated("far", "no name")]).play()


def test_a_lane_that_is_full_is_not_asked_again_at_once() -> None:
    bench = Bench(decision(("near", ("start",)), ("near", ("overload",))), near=[LaneSaturated("near", "full")])

    with pytest.raises(LaneSaturated):
        bench.play()
    assert len(bench.lanes["near"].calls) == 1
