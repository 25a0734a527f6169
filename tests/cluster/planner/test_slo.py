import pytest

from cluster.planner.load import poisson
from cluster.planner.simulate import Fleet, simulate
from cluster.planner.slo import Level, Term, parse_slo, shown_seconds
from cluster.planner.testing import PlainSteps
from router.errors import BadRequest


def test_a_level_is_read_term_by_term() -> None:
    assert parse_slo("ttft_p95=1s, tpot_mean=40ms") == Level((Term("ttft", 95, 1.0), Term("tpot", None, 0.04)))
    assert parse_slo("") == Level()


@pytest.mark.parametrize(
    "text", ["ttft=1s", "ttft_p95=1", "speed_p95=1s", "ttft_p95=-1s", "ttft_p95=0s", "ttft_p95>1s"]
)
def test_what_is_no_level_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(BadRequest, match=r"ttft_p95=1s|no time"):
        parse_slo(text)


def test_a_broken_level_says_what_was_waited() -> None:
    outcome = simulate(Fleet(PlainSteps()), poisson(1, 100, 20, 20))

    assert parse_slo("tpot_p95=1ms,ttft_p95=10s").broken_by(outcome) == ("tpot_p95 is 10.1 ms where 1 ms are allowed",)
    assert not parse_slo("tpot_p95=20ms").broken_by(outcome)


def test_durations_are_written_for_people() -> None:
    assert [shown_seconds(each) for each in (0.0381, 1.254, 210.4)] == ["38.1 ms", "1.25 s", "210 s"]
