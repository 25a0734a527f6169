"""A load test's figures are those of its steady part."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.planner.steady import Sample, steady_part


def a_sample(started: float = 0.0, output_tokens: int = 11, ttft: float = 0.5, end_to_end: float = 1.5) -> Sample:
    return Sample(started, 100, output_tokens, ttft, end_to_end)


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
