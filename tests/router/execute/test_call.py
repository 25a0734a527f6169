import pytest

from router.contract import (
    Sampling,
)
from tests.router.execute.kit import HELLO, TRACE, Bench, decision


@pytest.mark.parametrize(
    ("rung", "may_leave"),
    [
        (("far", ("overload",)), True),
        (("far", ("timeout",)), False),
        (("slow", ("overload",)), False),
    ],
)
def test_a_call_says_whether_a_full_lane_can_be_gone_round_by_a_hosted_one(
    rung: tuple[str, tuple[str, ...]], may_leave: bool
) -> None:
    bench = Bench(decision(("near", ("start",)), rung), near=HELLO).play()

    assert [call.may_leave for call in bench.lanes["near"].calls] == [may_leave]


def test_an_exact_lanes_call_without_a_seed_gets_its_traces_so_that_it_can_be_asked_again() -> None:
    chance = Sampling(temperature=0.8)

    exact = Bench(decision(("exact", ("start",)), sampling=chance), exact=HELLO).play()
    own = Bench(decision(("exact", ("start",)), sampling=Sampling(seed=7)), exact=HELLO).play()
    other = Bench(decision(("near", ("start",)), sampling=chance), near=HELLO).play()

    assert exact.lanes["exact"].calls[0].sampling == Sampling(temperature=0.8, seed=int(TRACE[:15], 16))
    assert own.lanes["exact"].calls[0].sampling.seed == 7
    assert other.lanes["near"].calls[0].sampling.seed is None
