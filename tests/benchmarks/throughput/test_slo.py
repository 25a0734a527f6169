"""Requests are held against what was promised; what can't be told of a request is refused."""

import pytest

from benchmarks.throughput.slo import goodput, holds, parse_terms
from cluster.planner.steady import steady_part
from router.errors import BadRequest
from tests.benchmarks.throughput.runs import a_sample


def test_goodput_counts_the_requests_within_every_bound() -> None:
    slow = [a_sample(float(number), ttft=3.0, end_to_end=4.0) for number in range(10, 20)]
    steady = steady_part([a_sample(float(number)) for number in range(10)] + slow, streams=0)

    assert goodput(steady, parse_terms("ttft_p95=1s")) == pytest.approx(steady.requests_per_second / 2)
    assert goodput(steady, parse_terms("ttft_p95=1s,tpot_p50=1ms")) == 0


def test_a_level_holds_when_each_bounds_percentile_is_within_its_time() -> None:
    steady = steady_part([a_sample(float(number)) for number in range(10)], streams=0)

    assert holds(steady, parse_terms("ttft_p95=600ms,tpot_p95=110ms,e2e_p99=2s"))
    assert not holds(steady, parse_terms("ttft_p95=600ms,tpot_p95=90ms"))


@pytest.mark.parametrize("text", ["itl_p95=40ms", "queue_p50=1s", "speed_p95=1s"])
def test_waits_that_no_client_can_tell_of_a_request_are_refused(text: str) -> None:
    with pytest.raises(BadRequest, match=text.partition("=")[0]):
        parse_terms(f"tpot_p95=40ms,{text}")
