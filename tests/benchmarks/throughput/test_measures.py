"""A level's figures are those of its steady part."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.throughput.measures import Sample, goodput, holds, quantiles, samples_of, steady_part
from benchmarks.throughput.orders import Answered
from benchmarks.throughput.slo import parse_slo
from tests.benchmarks.throughput.runs import a_sample


def streams(count: int, rounds: int, seconds: float = 1.5) -> list[Sample]:
    """So many streams, each asking again as soon as it is answered."""
    return [a_sample(float(turn) * seconds) for turn in range(rounds) for _ in range(count)]


def test_the_first_request_of_each_stream_and_the_emptying_count_for_nothing() -> None:
    steady = steady_part(streams(count=4, rounds=4), streams=4)

    assert len(steady.samples) == 12
    assert steady.seconds == pytest.approx(3.0)
    assert steady.output_tokens_per_second == pytest.approx(4 * 11 / 1.5)
    assert steady.requests_per_second == pytest.approx(4 / 1.5)


def test_a_level_of_one_round_is_counted_from_its_first_start_to_its_last_end() -> None:
    steady = steady_part(streams(count=4, rounds=1), streams=4)

    assert len(steady.samples) == 4
    assert steady.output_tokens_per_second == pytest.approx(44 / 1.5)


@given(
    st.floats(0.01, 5),
    st.floats(0.001, 5),
    st.integers(1, 500),
    st.lists(st.floats(0, 12), min_size=2, max_size=8).map(sorted),
)
def test_an_answers_tokens_only_grow_up_to_its_length(
    ttft: float, rest: float, tokens: int, moments: list[float]
) -> None:
    sample = Sample(0.0, 10, tokens, ttft, ttft + rest)

    seen = [sample.tokens_by(moment) for moment in moments]

    assert seen == sorted(seen)
    assert seen[0] >= 0
    assert seen[-1] <= tokens
    assert sample.tokens_by(ttft + rest) == tokens


def test_time_per_token_leaves_the_first_token_out() -> None:
    assert a_sample(output_tokens=11, ttft=0.5, end_to_end=1.5).tpot == pytest.approx(0.1)
    assert a_sample(output_tokens=1).tpot == 0.0


def test_failed_requests_are_no_samples_and_the_others_stand_in_the_order_they_started() -> None:
    answered = Answered(
        duration=9.0,
        input_lens=(10, 11, 12),
        output_lens=(5, 0, 6),
        ttfts=(0.1, 0.0, 0.2),
        itls=((0.1, 0.1), (), (0.3,)),
        latencies=(1.0, 0.0, 2.0),
        start_times=(5.0, 2.0, 1.0),
        errors=("", "Too Many Requests", ""),
    )

    samples = samples_of(answered)

    assert [sample.input_tokens for sample in samples] == [12, 10]
    assert samples[0].itl == (0.3,)


def test_quantiles_are_those_of_the_values() -> None:
    figures = quantiles([float(value) for value in range(101)])

    assert (figures.p50, figures.p95, figures.p99, figures.mean) == (50, 95, 99, 50)


def test_goodput_counts_the_requests_within_every_bound() -> None:
    slow = [a_sample(float(number), ttft=3.0, end_to_end=4.0) for number in range(10, 20)]
    steady = steady_part([a_sample(float(number)) for number in range(10)] + slow, streams=0)

    assert goodput(steady, parse_slo("ttft_p95=1s")) == pytest.approx(steady.requests_per_second / 2)
    assert goodput(steady, parse_slo("ttft_p95=1s,tpot_p50=1ms")) == 0


def test_a_level_holds_when_each_bounds_percentile_is_within_its_time() -> None:
    steady = steady_part([a_sample(float(number)) for number in range(10)], streams=0)

    assert holds(steady, parse_slo("ttft_p95=600ms,tpot_p95=110ms,e2e_p99=2s"))
    assert not holds(steady, parse_slo("ttft_p95=600ms,tpot_p95=90ms"))
