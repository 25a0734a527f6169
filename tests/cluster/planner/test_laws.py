"""Laws of the plan: they hold by construction (division and minimum over what one replica can take), and are tried here."""

import math
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.planner.capacity import Capacity, Option, capacity_of, max_concurrency
from cluster.planner.load import poisson
from cluster.planner.price import Offer, cost_of
from cluster.planner.replica import EngineLimits
from cluster.planner.simulate import Fleet, simulate
from cluster.planner.sizing import Demand, Size, cheapest, machines_of
from cluster.planner.slo import Level, Term
from cluster.planner.testing import PlainSteps

TRACE = poisson(1, 900, 120, 120, seed=7)
LOOSE = Level((Term("ttft", 95, 2.0), Term("tpot", 95, 0.1)))
WAYS = tuple(
    Option(
        f"TP{gpus}",
        gpus,
        PlainSteps(
            kv_capacity_tokens=int(30_000 * gpus**1.2),
            max_batch=64,
            step_seconds=0.012 / gpus**0.8,
            prompt_token_seconds=3e-5 / gpus**0.7,
        ),
        EngineLimits(),
    )
    for gpus in (1, 2, 4)
)

rates = st.floats(0.05, 300)
shares = st.floats(0, 1)
spares = st.integers(0, 3)


@st.composite
def engines(draw: st.DrawFn) -> PlainSteps:
    return PlainSteps(
        kv_capacity_tokens=draw(st.integers(2_000, 60_000)),
        max_batch=draw(st.integers(1, 64)),
        step_seconds=draw(st.floats(0.002, 0.05)),
        prompt_token_seconds=draw(st.floats(1e-6, 2e-4)),
    )


def capacities(level: Level = LOOSE) -> tuple[Capacity, ...]:
    found = tuple(capacity_of(way, TRACE, level) for way in WAYS)
    return tuple(each for each in found if each is not None)


KNOWN = capacities()


def sized(demand: Demand, known: tuple[Capacity, ...] = KNOWN) -> Size:
    size = cheapest(known, demand)
    assert size is not None
    return size


@settings(max_examples=50)
@given(rates, st.floats(1, 10), shares, spares)
def test_more_traffic_never_needs_fewer_gpus(rate: float, more: float, share: float, spare: int) -> None:
    assert sized(Demand(rate * more, share, spare)).gpus >= sized(Demand(rate, share, spare)).gpus


@settings(max_examples=50)
@given(rates, shares, shares, spares)
def test_more_private_traffic_never_shrinks_the_guaranteed_part(
    rate: float, one: float, other: float, spare: int
) -> None:
    less, more = sorted((one, other))

    assert sized(Demand(rate, more, spare)).guaranteed_gpus >= sized(Demand(rate, less, spare)).guaranteed_gpus


@settings(max_examples=50)
@given(rates, shares, spares)
def test_a_spare_more_never_needs_fewer_gpus(rate: float, share: float, spare: int) -> None:
    with_one_more = sized(Demand(rate, share, spare + 1))

    assert with_one_more.gpus >= sized(Demand(rate, share, spare)).gpus


@settings(max_examples=50)
@given(rates, shares, spares)
def test_without_the_spares_the_private_part_still_keeps_its_level(rate: float, share: float, spare: int) -> None:
    size = sized(Demand(rate, share, spare))

    assert (size.guaranteed - size.spare) * size.capacity.requests_per_second >= rate * share * 0.999999
    assert size.replicas * size.capacity.requests_per_second >= rate * 0.999999


@settings(max_examples=50)
@given(rates, shares, spares, st.sampled_from((4, 8)))
def test_the_machines_hold_all_replicas_and_none_more_of_the_guaranteed_than_may_be_lost(
    rate: float, share: float, spare: int, gpus_of_node: int
) -> None:
    size = sized(Demand(rate, share, spare))

    machines = machines_of(size, gpus_of_node)

    assert math.ceil(size.replicas / machines) * size.capacity.option.gpus <= gpus_of_node
    assert not size.spare or math.ceil(size.guaranteed / machines) <= size.spare


@given(rates, shares, spares)
def test_no_option_would_have_done_with_fewer_gpus(rate: float, share: float, spare: int) -> None:
    demand = Demand(rate, share, spare)

    assert all(sized(demand, (each,)).gpus >= sized(demand).gpus for each in KNOWN)


@settings(max_examples=8)
@given(engines(), st.sampled_from(("ttft", "tpot", "e2e")), st.floats(0.02, 3), st.floats(0.2, 1))
def test_a_tighter_level_never_raises_the_knee_nor_the_rate(
    times: PlainSteps, metric: str, seconds: float, tighter: float
) -> None:
    way = Option("TP1", 1, times, EngineLimits())
    loose = capacity_of(way, TRACE, Level((Term(metric, 95, seconds),)))  # type: ignore[arg-type]
    tight = capacity_of(way, TRACE, Level((Term(metric, 95, seconds * tighter),)))  # type: ignore[arg-type]

    assert loose is not None
    assert tight is not None
    assert tight.knee_within_level <= loose.knee_within_level <= loose.knee.concurrency
    assert tight.requests_per_second <= loose.requests_per_second


@settings(max_examples=20)
@given(engines(), st.floats(0.5, 60), st.integers(1, 4))
def test_the_cache_is_never_overdrawn_however_many_come(times: PlainSteps, rate: float, replicas: int) -> None:
    outcome = simulate(Fleet(times, replicas), TRACE.at_rate(rate))

    assert outcome.kv_peak_share <= 1
    assert len(outcome.served) + outcome.refused == len(TRACE.requests)


@given(st.integers(0, 10_000_000), st.integers(1, 4096))
def test_as_many_at_once_as_memory_holds_and_not_one_more(tokens: int, batch: int) -> None:
    way = replace(WAYS[0], times=PlainSteps(kv_capacity_tokens=tokens, max_batch=batch))

    at_once = max_concurrency(way, TRACE)

    assert at_once * (900 + 120) <= tokens
    assert at_once <= batch


def test_a_cache_too_small_for_one_request_is_no_option() -> None:
    assert capacity_of(replace(WAYS[0], times=PlainSteps(kv_capacity_tokens=500)), TRACE, LOOSE) is None


def test_a_level_below_a_single_step_is_kept_by_no_option() -> None:
    assert cheapest(capacities(Level((Term("tpot", 95, 0.0001),))), Demand(1)) is None


@settings(max_examples=50)
@given(rates, shares, spares, st.floats(0.01, 20), st.floats(0.5, 10))
def test_at_the_break_even_point_both_ways_cost_the_same(
    rate: float, share: float, spare: int, price: float, gpu_hour: float
) -> None:
    size = sized(Demand(rate, share, spare))
    offer = Offer("hosted", "model", price, 4 * price)

    (hosted,) = cost_of(size, rate, share, gpu_hour, (offer,)).hosted

    at = hosted.break_even.requests_per_second
    if at is None:
        assert hosted.break_even.utilisation >= 1
        return
    a_request = offer.usd_per_request(900, 120)
    replicas = round(at / hosted.break_even.replica_requests_per_second)
    assert at * 3600 * a_request * 1.000001 >= replicas * size.capacity.option.gpus * gpu_hour
    assert (replicas - size.spare) * size.capacity.requests_per_second * 1.000001 >= at
