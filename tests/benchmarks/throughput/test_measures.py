"""The load tool's report is read request by request."""

from benchmarks.throughput.measures import quantiles, samples_of
from benchmarks.throughput.orders import Answered


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
