from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.planner.load import Request, Trace, poisson
from cluster.planner.replica import EngineLimits
from cluster.planner.simulate import Fleet, closed_loop, load_test, simulate
from cluster.planner.testing import PlainSteps

TIMES = PlainSteps()


@st.composite
def traces(draw: st.DrawFn) -> Trace:
    requests = st.builds(
        Request,
        arrived_seconds=st.floats(0, 5),
        prompt_tokens=st.integers(1, 1500),
        output_tokens=st.integers(1, 200),
        prefix=st.just(()),
        priority=st.sampled_from((0, 0, 1)),
    )
    drawn = sorted(draw(st.lists(requests, min_size=1, max_size=40)), key=lambda one: one.arrived_seconds)
    first = drawn[0].arrived_seconds
    beginnings = draw(st.lists(st.integers(0, 3), min_size=len(drawn), max_size=len(drawn)))
    return Trace(
        tuple(
            replace(
                one,
                arrived_seconds=one.arrived_seconds - first,
                # Chains: a block's name stands for everything up to its end.
                prefix=tuple(beginning * 100 + place for place in range(one.prompt_tokens // 512)),
            )
            for one, beginning in zip(drawn, beginnings, strict=True)
        ),
        "drawn",
    )


def small(blocks: int) -> PlainSteps:
    """An engine whose cache is always short: 1,700 tokens are the longest request."""
    return replace(TIMES, kv_capacity_tokens=1712 + 16 * blocks)


@settings(max_examples=30)
@given(traces(), st.integers(0, 200), st.integers(1, 3), st.sampled_from(("balanced", "prefix")))
def test_every_request_is_answered_in_full_and_no_cache_is_overdrawn(
    trace: Trace, blocks: int, replicas: int, routing: str
) -> None:
    outcome = simulate(Fleet(small(blocks), replicas, EngineLimits(max_batched_tokens=512), routing), trace)  # type: ignore[arg-type]

    assert len(outcome.served) == len(trace.requests)
    assert outcome.refused == 0
    assert sorted((one.prompt_tokens, one.output_tokens) for one in outcome.served) == sorted(
        (one.prompt_tokens, one.output_tokens) for one in trace.requests
    )
    assert outcome.output_tokens_per_second * outcome.seconds == pytest.approx(
        sum(one.output_tokens for one in trace.requests)
    )
    assert 0 < outcome.kv_peak_share <= 1
    for one in outcome.served:
        assert one.arrived_seconds <= one.admitted_seconds < one.first_token_seconds <= one.ended_seconds
        assert one.cached_tokens < one.prompt_tokens


@settings(max_examples=30)
@given(traces(), st.integers(0, 200))
def test_within_a_priority_who_comes_first_is_admitted_first(trace: Trace, blocks: int) -> None:
    outcome = simulate(Fleet(small(blocks), 1, EngineLimits(max_batched_tokens=512)), trace)

    for priority in (0, 1):
        served = [one for one in outcome.served if one.priority == priority]
        in_turn = sorted(served, key=lambda one: (one.arrived_seconds, one.admitted_seconds))
        admitted = [one.admitted_seconds for one in in_turn]
        assert admitted == sorted(admitted)


def test_a_single_request_takes_its_prompt_and_its_steps() -> None:
    outcome = simulate(Fleet(TIMES), Trace((Request(0, 100, 3),), "one"))

    (one,) = outcome.served
    assert one.ttft_seconds == pytest.approx(TIMES.prefill_seconds(100, 0))
    assert one.tpot_seconds == pytest.approx((TIMES.decode_seconds(1, 100) + TIMES.decode_seconds(1, 101)) / 2)


def test_a_span_is_the_sum_of_its_steps() -> None:
    """Steps are taken together only for speed: the time is that of each step with its own contexts."""
    output = 300
    outcome = simulate(Fleet(TIMES), Trace((Request(0, 16, output), Request(0, 16, output)), "two"))

    last = max(one.ended_seconds for one in outcome.served)
    first = TIMES.prefill_seconds(16, 0)
    both = first + TIMES.decode_seconds(1, 16) + TIMES.prefill_seconds(16, 0)
    together = sum(TIMES.decode_seconds(2, 33 + 2 * step) for step in range(output - 2))
    alone = TIMES.decode_seconds(1, 16 + output - 2)
    assert last == pytest.approx(both + together + alone)


def test_long_prompts_are_read_in_chunks_and_decodes_go_on_between_them() -> None:
    limits = EngineLimits(max_batched_tokens=256)
    trace = Trace((Request(0, 16, 100), Request(0.05, 2560, 2)), "a long one comes")

    outcome = simulate(Fleet(TIMES, limits=limits), trace)

    assert outcome.at("itl", 100) < TIMES.prefill_seconds(256, 2560) + TIMES.decode_seconds(2, 3000)


@settings(max_examples=25)
@given(traces(), st.floats(0.3, 0.95))
def test_a_faster_engine_serves_a_queue_no_later(trace: Trace, faster: float) -> None:
    """For one request at a time: with a batch, an earlier arrival in it can rightly delay another."""
    quick = replace(
        TIMES,
        max_batch=1,
        step_seconds=TIMES.step_seconds * faster,
        prompt_token_seconds=TIMES.prompt_token_seconds * faster,
        pair_seconds=TIMES.pair_seconds * faster,
    )
    plain = Trace(tuple(replace(one, prefix=(), priority=0) for one in trace.requests), "plain")

    slow, fast = simulate(Fleet(replace(TIMES, max_batch=1)), plain), simulate(Fleet(quick), plain)

    for before, after in zip(slow.served, fast.served, strict=True):
        assert after.ended_seconds <= before.ended_seconds + 1e-9


def test_more_clients_bring_more_throughput_until_the_plateau() -> None:
    trace = poisson(1, 1000, 200, 64)
    rates = [closed_loop(Fleet(TIMES), trace, clients).output_tokens_per_second for clients in (1, 2, 4, 8, 16, 32)]

    assert rates == sorted(rates)
    assert rates[1] > 1.8 * rates[0]


def test_a_closed_loop_keeps_its_clients_busy() -> None:
    outcome = closed_loop(Fleet(TIMES), poisson(1, 500, 100, 10), 8)

    assert outcome.at("queue", 99) < 0.1
    assert outcome.batch_mean == pytest.approx(8, rel=0.1)


def test_a_load_test_sends_each_request_once_and_measures_from_the_first_to_the_last() -> None:
    trace = poisson(1, 500, 100, 50)

    outcome = load_test(Fleet(TIMES), trace, 8)

    assert len(outcome.served) == 50
    assert outcome.output_tokens_per_second * outcome.seconds == pytest.approx(50 * 100)
    assert outcome.seconds == max(one.ended_seconds for one in outcome.served)


def test_a_request_that_no_cache_holds_is_refused_and_the_others_served() -> None:
    outcome = simulate(
        Fleet(replace(TIMES, kv_capacity_tokens=1000)), Trace((Request(0, 2000, 10), Request(1, 100, 10)), "two")
    )

    assert outcome.refused == 1
    assert len(outcome.served) == 1


def test_what_prompts_begin_with_alike_is_read_once() -> None:
    alike = Trace(tuple(Request(second, 1100, 10, (1, 2)) for second in range(4)), "alike")
    apart = Trace(tuple(replace(one, prefix=()) for one in alike.requests), "apart")

    shared, unshared = simulate(Fleet(TIMES), alike), simulate(Fleet(TIMES), apart)

    assert [one.cached_tokens for one in shared.served] == [0, 1024, 1024, 1024]
    assert shared.at("ttft", 100) == pytest.approx(unshared.at("ttft", 100))
    assert shared.at("ttft", 50) < 0.2 * unshared.at("ttft", 50)


def test_routing_by_beginnings_hits_where_balancing_misses() -> None:
    requests = tuple(Request(number * 0.2, 1100, 5, (number % 3 * 10, number % 3 * 10 + 1)) for number in range(60))
    trace = Trace(requests, "three beginnings in turn over two replicas")
    tight = replace(TIMES, kv_capacity_tokens=2600)

    balanced = simulate(Fleet(tight, 2), trace)
    by_prefix = simulate(Fleet(tight, 2, routing="prefix"), trace)

    assert by_prefix.prefix_hit_share > balanced.prefix_hit_share


def test_a_cache_that_runs_out_has_the_latest_start_over() -> None:
    times = replace(TIMES, kv_capacity_tokens=16 * 40)
    trace = Trace((Request(0, 300, 200), Request(0.001, 300, 200)), "two that grow")

    outcome = simulate(Fleet(times), trace)

    assert [one.preemptions for one in sorted(outcome.served, key=lambda one: one.arrived_seconds)] == [0, 1]


@pytest.mark.parametrize("metric", ["ttft", "tpot", "itl", "e2e", "queue"])
def test_a_load_of_nothing_that_fits_has_no_waits(metric: str) -> None:
    outcome = simulate(Fleet(replace(TIMES, kv_capacity_tokens=16)), Trace((Request(0, 100, 1),), "too large"))

    assert outcome.at(metric, 95) == 0  # type: ignore[arg-type]


def test_three_thousand_requests_take_seconds_at_most() -> None:
    outcome = simulate(Fleet(TIMES, 4), poisson(40, 800, 150, 3000))

    assert len(outcome.served) == 3000
