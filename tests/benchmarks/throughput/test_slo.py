"""What was promised is read as it was written, or refused by name."""

import pytest

from benchmarks.throughput.slo import parse_slo
from router.errors import BadRequest


def test_bounds_are_read_with_their_percentile_and_unit() -> None:
    ttft, tpot, whole = parse_slo("ttft_p95=1s, tpot_p99.9=40ms,e2e_p50=2.5s")

    assert (ttft.measure, ttft.share, ttft.seconds) == ("ttft", 0.95, 1.0)
    assert (tpot.measure, tpot.share, tpot.seconds) == ("tpot", pytest.approx(0.999), 0.04)
    assert str(whole) == "e2e_p50=2500ms"


@pytest.mark.parametrize(
    "text", ["ttft=1s", "ttft_p95=1", "speed_p95=1s", "ttft_p0=1s", "ttft_p95=0ms", "ttft_p100=1s"]
)
def test_what_is_no_bound_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadRequest, match=text):
        parse_slo(f"tpot_p95=40ms,{text}")
