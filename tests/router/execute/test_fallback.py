"""What follows each way to fail: another try, another lane, or the caller's error."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.bundle.files import BreakerSpec, RetrySpec, Timeouts
from router.contract import AttemptEnded, AttemptStarted, Budgets, Cause, Decided, Finding, Skipped, Waited
from router.errors import (
    ContractViolated,
    DoorRefused,
    FoundBeforeLeaving,
    HandedToPerson,
    LaneErrored,
    LaneFailed,
    LaneMisbehaved,
    LaneOverloaded,
    LaneQuotaExhausted,
    LaneRateLimited,
    LaneRefused,
    LaneTimeout,
    LaneUnreachable,
    ReplicaLost,
    RouterError,
)
from router.execute.health import LaneHealth
from router.lane import LaneCall, Refusal, Stop, TextDelta
from tests.router.execute.kit import HELLO, LANES, Bench, decision

PLAN = decision(("far", ("start",)), ("near", ("rate_limit", "connection", "overload", "timeout")))


def once(error: RouterError) -> Any:
    """A lane that fails the first time it is asked, and answers from then on."""
    left = [error]

    def script(_call: LaneCall) -> Iterable[Any]:
        return [left.pop()] if left else HELLO

    return script


def asked(bench: Bench) -> list[str]:
    return [event.lane for event in bench.kept(AttemptStarted)]


def test_a_provider_that_says_when_to_come_back_is_asked_again_then() -> None:
    bench = Bench(PLAN, far=once(LaneRateLimited("far", "429", 3.0)), near=HELLO).play()

    assert asked(bench) == ["far", "far"]
    assert bench.slept == [3.0 + 0.5 * 0.25]
    assert [(event.lane, event.seconds) for event in bench.kept(Waited)] == [("far", 3.125)]


def test_one_that_asks_for_more_time_than_there_is_is_left() -> None:
    bench = Bench(PLAN, far=[LaneRateLimited("far", "429", 3600.0)], near=HELLO).play()

    assert asked(bench) == ["far", "near"]
    assert bench.slept == []


def test_time_for_the_rungs_after_it_is_not_waited_away() -> None:
    plan = PLAN.model_copy(update={"budgets": Budgets(latency_seconds=10)})

    bench = Bench(plan, far=[LaneRateLimited("far", "429", 4.5)], near=HELLO).play()

    assert asked(bench) == ["far", "near"]


def test_a_quota_that_is_used_up_is_never_asked_again() -> None:
    bench = Bench(PLAN, far=[LaneQuotaExhausted("far", "insufficient_quota", 1.0)], near=HELLO).play()

    assert asked(bench) == ["far", "near"]


@pytest.mark.parametrize("error", [LaneErrored("far", "500"), LaneOverloaded("far", "529")])
def test_an_error_that_may_pass_is_met_with_one_more_try_a_random_moment_later(error: LaneFailed) -> None:
    bench = Bench(PLAN, far=[error], near=HELLO).play()

    assert asked(bench) == ["far", "far", "near"]
    assert bench.slept == [0.5 * 0.25]


@pytest.mark.parametrize(
    "error",
    [
        LaneTimeout("far", "no first token"),
        LaneUnreachable("far", "connection refused"),
        LaneMisbehaved("far", "the stream was cut"),
    ],
)
def test_what_came_too_late_or_in_pieces_or_not_at_all_is_not_asked_for_again(error: LaneFailed) -> None:
    bench = Bench(PLAN, far=[error], near=HELLO).play()

    assert asked(bench) == ["far", "near"]


def test_a_private_lane_that_is_full_has_its_own_queue_and_is_not_asked_again() -> None:
    plan = decision(("near", ("start",)), ("slow", ("overload",)))

    bench = Bench(plan, near=[LaneOverloaded("near", "full", 1.0)], slow=HELLO).play()

    assert asked(bench) == ["near", "slow"]


def test_a_bundle_can_say_that_nothing_is_asked_again() -> None:
    bench = Bench(PLAN, far=[LaneErrored("far", "500")], near=HELLO)
    bench.run.bundle.lanes["far"] = LANES["far"].model_copy(update={"retry": RetrySpec(attempts=0)})

    assert asked(bench.play()) == ["far", "near"]


def test_a_ladder_that_names_the_same_lane_again_asks_it_again() -> None:
    plan = decision(("near", ("start",)), ("near", ("timeout",)), ("far", ("timeout",)))

    bench = Bench(plan, near=once(LaneTimeout("near", "late")), far=HELLO).play()

    assert asked(bench) == ["near", "near"]


def test_a_herd_makes_a_tenth_more_calls_and_no_more_and_every_rung_left_out_is_on_record() -> None:
    plan = decision(("near", ("start",)), ("near", ("timeout",)), ("far", ("timeout",)))
    health, attempts, skipped = LaneHealth(), 0, 0
    lane = LANES["near"].model_copy(update={"breaker": BreakerSpec(failures=10_000)})

    for _ in range(200):
        bench = Bench(plan, run={"health": health}, near=[LaneTimeout("near", "late")], far=HELLO)
        bench.run.bundle.lanes["near"] = lane
        bench.play()
        attempts += len(bench.lanes["near"].calls)
        skipped += len(bench.kept(Skipped))

    assert attempts == 220
    assert skipped == 180


def test_a_lane_that_failed_again_and_again_is_left_alone_by_the_next_request() -> None:
    health = LaneHealth()
    for _ in range(5):
        Bench(PLAN, run={"health": health}, far=[LaneUnreachable("far", "gone")], near=HELLO).play()

    bench = Bench(PLAN, run={"health": health}, far=HELLO, near=HELLO).play()

    assert asked(bench) == ["near"]
    assert health.off(LANES.values(), 0.0) == {
        "far": "it failed 5 times within 30 s, and is asked again in 15 s",
    }
    assert [(event.stage, event.name) for event in bench.kept(Skipped)] == [("rung", "far")]


def test_replicas_that_go_while_others_answer_close_no_lane() -> None:
    health = LaneHealth()
    for _ in range(20):
        Bench(PLAN, run={"health": health}, far=[ReplicaLost("far", "its engine hung")], near=HELLO).play()

    assert health.off(LANES.values(), 0.0) == {}


def test_with_nothing_left_the_caller_is_told_that_the_lane_is_left_alone_for_now() -> None:
    plan, health = decision(("far", ("start",))), LaneHealth()
    for _ in range(5):
        with pytest.raises(LaneUnreachable):
            Bench(plan, run={"health": health}, far=[LaneUnreachable("far", "gone")]).play()

    with pytest.raises(LaneOverloaded, match="is asked again in 15 s"):
        Bench(plan, run={"health": health}, far=HELLO).play()


def test_one_that_is_well_again_is_found_so_within_one_period() -> None:
    health = LaneHealth()
    for _ in range(5):
        Bench(PLAN, run={"health": health}, far=[LaneUnreachable("far", "gone")], near=HELLO).play()
    later = [Bench(PLAN, run={"health": health}, far=HELLO, near=HELLO) for _ in range(2)]
    for bench in later:
        bench.clock.now = 15.0
        bench.play()

    assert [asked(bench) for bench in later] == [["far"], ["far"]]
    assert health.off(LANES.values(), 15.0) == {}


@pytest.mark.parametrize(
    "answer",
    [
        [(Refusal("No."),), (Stop("stop"),)],
        [FoundBeforeLeaving("far", ())],
        [DoorRefused("a card number")],
        [LaneRateLimited("far", "429")],
    ],
)
def test_refusals_and_what_is_kept_in_say_nothing_against_a_lane(answer: list[Any]) -> None:
    health = LaneHealth()
    plan = decision(("far", ("start",)), ("near", ("boundary", "rate_limit")))
    for _ in range(20):
        Bench(plan, run={"health": health}, far=answer, near=HELLO).play()

    assert health.off(LANES.values(), 0.0) == {}


def test_a_caller_who_gives_a_lane_no_time_does_not_close_it_to_others() -> None:
    health = LaneHealth()
    for _ in range(20):
        bench = Bench(PLAN, run={"health": health}, far=lambda _: _late(), near=HELLO)
        limits = bench.run.request.limits.model_copy(update={"deadline_seconds": 1.0})
        hasty = bench.run.request.model_copy(update={"limits": limits})
        bench.plan = PLAN.model_copy(update={"budgets": Budgets(latency_seconds=1)})
        object.__setattr__(bench.run, "request", hasty)

        def _late() -> Iterable[Any]:
            bench.clock.advance(2.0)  # noqa: B023
            yield ()
            yield (TextDelta("late"),)

        with pytest.raises(LaneTimeout):
            bench.play()

    assert health.off(LANES.values(), 0.0) == {}


def test_a_silent_lane_leaves_time_for_the_rungs_after_it() -> None:
    plan = decision(("far", ("start",)), ("near", ("timeout",)), budgets=Budgets(latency_seconds=20))

    def silent(_call: LaneCall) -> Iterable[Any]:
        bench.clock.advance(15.5)
        yield ()
        yield (TextDelta("late"),)

    bench = Bench(plan, far=silent, near=HELLO)
    bench.play()

    assert bench.text == "Hello"
    assert bench.lanes["near"].calls[0].deadline_seconds == 4.5


def test_one_that_has_begun_to_speak_has_all_the_time_there_is() -> None:
    plan = decision(("far", ("start",)), ("near", ("timeout",)), budgets=Budgets(latency_seconds=20))

    def slow(_call: LaneCall) -> Iterable[Any]:
        yield (TextDelta("Hel"),)
        bench.clock.advance(16.0)
        yield (TextDelta("lo"),)
        yield (Stop("stop"),)

    bench = Bench(plan, far=slow, near=HELLO)
    bench.play()

    assert bench.text == "Hello"


def test_a_lanes_own_bound_for_the_whole_answer_holds_even_while_it_speaks() -> None:
    def endless(_call: LaneCall) -> Iterable[Any]:
        while True:
            bench.clock.advance(1.0)
            yield (TextDelta("la"),)

    bench = Bench(decision(("far", ("start",))), far=endless)
    bench.run.bundle.lanes["far"] = LANES["far"].model_copy(update={"timeouts": Timeouts(total_seconds=7)})

    with pytest.raises(LaneTimeout, match="time is up"):
        bench.play()

    assert bench.clock.now == 7.0


CAUSES: tuple[Cause, ...] = ("timeout", "connection", "overload", "rate_limit", "refusal", "boundary", "schema_failure")
ERRORS = st.sampled_from(
    (
        LaneTimeout("l", "late"),
        LaneUnreachable("l", "gone"),
        LaneOverloaded("l", "full", 1.0),
        LaneErrored("l", "500"),
        LaneRateLimited("l", "429", 2.0),
        LaneRateLimited("l", "429", 500.0),
        LaneMisbehaved("l", "garbage"),
        ContractViolated("l", "no JSON"),
        LaneRefused("l", "no"),
        DoorRefused("a card number"),
        FoundBeforeLeaving("l", (Finding(entity="P", category="pii", start=0, end=1, score=1, detector="d"),)),
    )
)
ITEMS = st.one_of(st.just("text"), st.just("text"), st.just("refusal"), st.just("stop"), ERRORS)
SCRIPTS = st.lists(st.tuples(ITEMS, st.floats(0, 1)), max_size=5)
RUNGS = st.lists(
    st.tuples(st.sampled_from(("near", "far", "exact", "slow")), st.sets(st.sampled_from(CAUSES), min_size=1)),
    min_size=1,
    max_size=5,
)


@given(
    RUNGS,
    st.dictionaries(st.sampled_from(("near", "far", "exact", "slow")), st.lists(SCRIPTS, min_size=1, max_size=3)),
    st.booleans(),
    st.floats(0.5, 30),
    st.booleans(),
)
def test_whatever_fails_the_laws_of_execution_hold(
    rungs: list[tuple[str, set[Cause]]], scripts: dict[str, list[Any]], hold: bool, latency: float, keeps_in: bool
) -> None:
    """LAWS: one lane alone is heard; no lane is asked that the plan of then did not hold; each attempt has one end; an answer that is whole
    ends with its stop and an error leaves none; lanes are asked a bounded number of times; nothing outlives its deadline by over a second.
    """
    rungs = [(rungs[0][0], {"start", *rungs[0][1]}), *rungs[1:]]  # type: ignore[list-item]
    plan = decision(*((lane, tuple(on)) for lane, on in rungs), budgets=Budgets(latency_seconds=latency))
    later = decision(*((lane, tuple(on)) for lane, on in rungs if lane != "far"), budgets=plan.budgets)

    def script_of(lane: str) -> Any:
        turns = iter(scripts.get(lane, []))

        def script(call: LaneCall) -> Iterable[Any]:
            for item, seconds in next(turns, [("text", 0.0), ("stop", 0.0)]):
                bench.clock.advance(seconds)
                match item:
                    case "text":
                        yield (TextDelta(f"{lane}{call.attempt};"),)
                    case "refusal":
                        yield (Refusal(f"{lane}{call.attempt};"),)
                    case "stop":
                        yield (Stop("stop"),)
                        return
                    case _:
                        yield item

        return script

    bench = Bench(
        plan,
        hold=hold,
        later=later if keeps_in else plan,
        **{lane: script_of(lane) for lane in ("near", "far", "exact", "slow")},
    )
    failed: RouterError | None = None
    try:
        bench.play()
    except RouterError as error:
        failed = error

    heard = [event.text for event in bench.events if isinstance(event, TextDelta | Refusal)]
    assert len(set(heard)) <= 1
    assert len(bench.climbed) <= 1
    assert all(f"{one.rung.lane}{one.attempt};" in heard for one in bench.climbed if heard)
    ends = [event.attempt for event in bench.kept(AttemptEnded)]
    assert ends == [event.attempt for event in bench.kept(AttemptStarted)]
    stops = [event for event in bench.events if isinstance(event, Stop)]
    assert len(stops) == (failed is None)
    assert not hold or failed is None or not bench.events
    for lane, spec in LANES.items():
        if lane == "desk":
            continue
        planned = sum(one == lane for one, _ in rungs)
        assert len(bench.lanes[lane].calls) <= 2 * planned + spec.is_hosted
        assert bench.lanes[lane].closed == len(bench.lanes[lane].calls)
    assert bench.clock.now <= latency + 1.0
    if keeps_in and (decided := bench.kept(Decided)):
        after = [kind for _, kind in bench.evidence.events][bench.evidence.events.index(("ab" * 16, decided[0])) :]
        assert not any(isinstance(event, AttemptStarted) and event.lane == "far" for event in after)


def test_a_rung_that_is_people_hands_the_request_over_and_says_why() -> None:
    plan = decision(("near", ("start",)), ("desk", ("check", "timeout")))

    with pytest.raises(HandedToPerson, match="lane near: no first token") as handed:
        Bench(plan, near=[LaneTimeout("near", "no first token")]).play()

    assert handed.value.lane == "desk"
