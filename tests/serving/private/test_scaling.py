from hypothesis import given
from hypothesis import strategies as st

from models.spec import Scaling
from serving.private.scaling import Load, replicas_wanted

counts = st.floats(0, 500)
loads = st.builds(Load, open_requests=counts, waiting=counts, private_waiting=counts, kv_use=st.floats(0, 1))
replicas = st.integers(0, 12)


@st.composite
def scalings(draw: st.DrawFn) -> Scaling:
    spare = draw(st.integers(0, 2))
    least = draw(st.integers(spare + 1 if spare else 0, 6))
    return Scaling(
        min_replicas=least,
        max_replicas=draw(st.integers(max(least, 1), 12)),
        spare_replicas=spare,
        target_ongoing_requests=draw(st.floats(1, 64)),
        kv_use=draw(st.floats(0.5, 1)),
    )


def wanted(load: Load, scaling: Scaling, *, up: int = 1, target: int = 1) -> int:
    return replicas_wanted(load, up=up, target=target, scaling=scaling).replicas


@given(loads, loads, scalings(), replicas, replicas)
def test_more_load_never_wants_fewer_replicas(a: Load, b: Load, scaling: Scaling, up: int, target: int) -> None:
    more = Load(
        max(a.open_requests, b.open_requests),
        max(a.waiting, b.waiting),
        max(a.private_waiting, b.private_waiting),
        max(a.kv_use, b.kv_use),
    )

    assert wanted(more, scaling, up=up, target=target) >= wanted(a, scaling, up=up, target=target)


@given(loads, scalings(), replicas, replicas)
def test_the_answer_is_within_its_bounds(load: Load, scaling: Scaling, up: int, target: int) -> None:
    assert scaling.min_replicas <= wanted(load, scaling, up=up, target=target) <= scaling.max_replicas


@given(loads, scalings(), replicas, replicas)
def test_what_was_wanted_once_is_wanted_again(load: Load, scaling: Scaling, up: int, target: int) -> None:
    first = wanted(load, scaling, up=up, target=target)

    assert wanted(load, scaling, up=up, target=first) == first


@given(st.floats(0, 100), st.floats(0.81, 1), scalings(), replicas)
def test_load_that_wavers_by_less_than_a_fifth_never_takes_away_what_it_brought(
    high: float, share: float, scaling: Scaling, up: int
) -> None:
    brought = wanted(Load(high), scaling, up=up, target=0)

    assert wanted(Load(high * share), scaling, up=up, target=brought) == brought


@given(counts, counts, scalings())
def test_what_may_not_leave_scales_up_no_later_than_what_may(
    open_requests: float, waiting: float, scaling: Scaling
) -> None:
    waiting = min(waiting, open_requests)
    may_leave = Load(open_requests, waiting)
    must_stay = Load(open_requests, waiting, private_waiting=waiting)

    assert wanted(must_stay, scaling) >= wanted(may_leave, scaling)


def test_private_requests_that_wait_bring_the_next_replica_where_others_do_not_yet() -> None:
    scaling = Scaling(max_replicas=4, target_ongoing_requests=16)

    assert wanted(Load(15, waiting=6), scaling) == 1
    assert wanted(Load(15, waiting=6, private_waiting=6), scaling) == 2


def test_full_caches_bring_another_replica_whatever_is_open() -> None:
    scaling = Scaling(max_replicas=4, target_ongoing_requests=16, kv_use=0.9)

    decided = replicas_wanted(Load(3, kv_use=0.97), up=1, target=1, scaling=scaling)

    assert decided.replicas == 2
    assert decided.because == "KV caches 97% full (limit 90%)"


def test_a_spare_replica_is_on_top_of_what_the_load_needs() -> None:
    scaling = Scaling(min_replicas=2, max_replicas=8, spare_replicas=1, target_ongoing_requests=10)

    assert wanted(Load(25), scaling, up=3, target=3) == 4


def test_nothing_to_do_means_the_minimum_be_it_nothing() -> None:
    assert wanted(Load(0), Scaling(min_replicas=0, max_replicas=2)) == 0
    assert wanted(Load(0), Scaling(min_replicas=2, max_replicas=3), target=3) == 2


def test_the_reason_says_what_was_open_and_what_the_bounds_made_of_it() -> None:
    scaling = Scaling(max_replicas=2, target_ongoing_requests=4)

    decided = replicas_wanted(Load(18.2, waiting=6, private_waiting=2), up=2, target=2, scaling=scaling)

    assert decided.because == (
        "18.2 requests open at 4 a replica, 6.0 waiting, of which 2.0 may not leave: 6 wanted, 2 is the most"
    )
