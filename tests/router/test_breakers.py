from hypothesis import given
from hypothesis import strategies as st

from router.breakers import Breaker, Pass, Verdict
from router.bundle.files import BreakerSpec

SPEC = BreakerSpec(failures=3, window_seconds=10, open_seconds=5, probes=1)
VERDICTS: tuple[Verdict, ...] = ("succeeded", "failed", "neither")


def after(*verdicts: Verdict, breaker: Breaker | None = None, at: float = 0.0, spec: BreakerSpec = SPEC) -> Breaker:
    made = breaker or Breaker()
    for verdict in verdicts:
        made, leave = made.admit(spec, at)
        assert leave is not None
        made = made.settle(leave, verdict, spec, at)
    return made


def test_it_opens_after_so_many_failures_and_says_for_how_long() -> None:
    breaker = after("failed", "failed", "failed")

    assert breaker.shut(SPEC, 1.0) == "it failed 3 times within 10 s, and is asked again in 4 s"
    assert breaker.admit(SPEC, 1.0) == (breaker, None)


def test_failures_that_are_far_apart_open_nothing() -> None:
    breaker = after("failed", "failed")

    assert after("failed", breaker=breaker, at=30.0).shut(SPEC, 30.0) is None


def test_a_busy_lanes_few_failures_open_nothing() -> None:
    breaker = after(*["succeeded"] * 20, *["failed"] * 5)

    assert breaker.shut(SPEC, 0.0) is None


def test_refusals_callers_mistakes_and_callers_that_leave_say_nothing_of_the_lane() -> None:
    assert after(*["neither"] * 100) == Breaker()


def test_when_its_time_is_up_one_probe_asks_and_nobody_else() -> None:
    breaker = after("failed", "failed", "failed")

    probing, leave = breaker.admit(SPEC, 5.0)
    again, other = probing.admit(SPEC, 5.0)

    assert leave == Pass(era=1, probe=True)
    assert other is None
    assert again.shut(SPEC, 5.0) == "it failed, and somebody is finding out whether it works again"


def test_a_probe_that_succeeds_closes_it_and_one_that_fails_opens_it_anew() -> None:
    probing, leave = after("failed", "failed", "failed").admit(SPEC, 5.0)
    assert leave is not None

    well = probing.settle(leave, "succeeded", SPEC, 6.0)
    ill = probing.settle(leave, "failed", SPEC, 6.0)

    assert well.shut(SPEC, 6.0) is None
    assert ill.shut(SPEC, 10.9) is not None
    assert ill.shut(SPEC, 11.0) is None


def test_a_probe_that_says_nothing_makes_way_for_another() -> None:
    probing, leave = after("failed", "failed", "failed").admit(SPEC, 5.0)
    assert leave is not None

    assert probing.settle(leave, "neither", SPEC, 6.0).shut(SPEC, 6.0) is None


def test_what_was_asked_before_it_opened_is_not_taken_for_a_probe() -> None:
    started, early = Breaker().admit(SPEC, 0.0)
    assert early is not None
    opened = after("failed", "failed", "failed", breaker=started)

    assert opened.settle(early, "succeeded", SPEC, 1.0) == opened
    assert opened.settle(early, "failed", SPEC, 4.0) == opened


def test_as_many_probes_as_the_bundle_asks_for_have_to_succeed() -> None:
    spec = BreakerSpec(failures=1, window_seconds=10, open_seconds=5, probes=2)
    breaker, first = after("failed", spec=spec).admit(spec, 5.0)
    breaker, second = breaker.admit(spec, 5.0)
    assert first is not None
    assert second is not None

    one = breaker.settle(first, "succeeded", spec, 6.0)
    both = one.settle(second, "succeeded", spec, 6.0)

    assert one.opened_at is not None
    assert both.opened_at is None


@given(st.lists(st.tuples(st.floats(0, 3), st.sampled_from(VERDICTS), st.booleans()), max_size=200))
def test_whatever_happens_probes_are_bounded_an_open_lane_is_not_asked_and_it_is_asked_again_in_time(
    steps: list[tuple[float, Verdict, bool]],
) -> None:
    """LAW: an open breaker lets nobody through for its time and a probe through after it, so a lane that is well is found so."""
    breaker, now = Breaker(), 0.0
    under_way: list[Pass] = []
    for wait, verdict, settles in steps:
        now += wait
        opened = breaker.opened_at
        breaker, leave = breaker.admit(SPEC, now)
        if opened is not None and now < opened + SPEC.open_seconds:
            assert leave is None
        if leave is not None:
            under_way.append(leave)
        if under_way and settles:
            breaker = breaker.settle(under_way.pop(0), verdict, SPEC, now)
        assert sum(one.probe and one.era == breaker.era for one in under_way) == breaker.probing <= SPEC.probes
        assert len(breaker.slices) <= 10
    for leave in under_way:
        breaker = breaker.settle(leave, "neither", SPEC, now)
    assert breaker.shut(SPEC, now + SPEC.open_seconds) is None
