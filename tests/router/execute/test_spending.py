"""An attempt is paid for before it is sent and counted when it ends; when the money is gone, what costs nothing goes on."""

from typing import Any

import pytest

from router.budgets import NANOS, Amounts, Limits
from router.bundle.files import Price
from router.contract import AttemptEnded, BudgetSettled, Decided
from router.errors import BudgetExhausted, LaneUnreachable
from router.lane import Departed, Stop, TextDelta, Usage
from router.testing import MemoryPurse
from tests.router.execute.kit import HELLO, Bench, decision

PRICE = Price(input_usd=1000.0, output_usd=1000.0)
LEFT = Departed("p", "0" * 64, 10, "nonce", "entry")
SAID = [(LEFT,), (TextDelta("Hello"), Usage(3, 1), Stop("stop", "w1"))]
START = ("start",)


def bench(purse: MemoryPurse, *rungs: Any, later: Any = None, **scripts: Any) -> Bench:
    made = Bench(decision(*rungs), later=later, run={"purse": purse}, **scripts)
    lanes = made.run.bundle.lanes
    lanes["far"] = lanes["far"].model_copy(update={"price": PRICE})  # type: ignore[index]
    return made


def test_an_answer_takes_what_its_usage_says() -> None:
    purse = MemoryPurse(Limits(cost=10 * NANOS))

    played = bench(purse, ("far", START), far=SAID).play()

    (held, used) = purse.settled[0]
    assert held.step.lane == "far"
    assert held.step.request_class == "r"
    assert used == Amounts(cost=4 * NANOS // 1000, input_tokens=3, output_tokens=1)
    assert held.amounts.output_tokens == 512
    assert purse.held == {}
    (settled,) = played.kept(BudgetSettled)
    assert (settled.cost_usd, settled.output_tokens) == (0.004, 1)


def test_what_the_provider_had_cached_is_settled_at_its_own_price_and_reserved_at_the_full_one() -> None:
    purse = MemoryPurse(Limits(cost=10 * NANOS))
    made = Bench(
        decision(("far", START)),
        run={"purse": purse},
        far=[(LEFT,), (TextDelta("Hello"), Usage(3, 1, cached_tokens=2), Stop("stop", "w1"))],
    )
    price = PRICE.model_copy(update={"cached_input_usd": 100.0})
    lanes = made.run.bundle.lanes
    lanes["far"] = lanes["far"].model_copy(update={"price": price})  # type: ignore[index]

    played = made.play()

    ((held, used),) = purse.settled
    assert used.cost == NANOS // 1000 * 2 + NANOS // 10_000 * 2
    assert held.amounts.cost == (held.amounts.input_tokens + 512) * NANOS // 1000
    (ended,) = played.kept(AttemptEnded)
    assert (ended.cached_tokens, ended.cost_usd) == (2, pytest.approx(0.0022))


def test_a_stream_that_broke_takes_all_that_was_reserved() -> None:
    purse = MemoryPurse(Limits(cost=10 * NANOS))

    with pytest.raises(LaneUnreachable):
        bench(purse, ("far", START), far=[(LEFT,), (TextDelta("Hel"),), LaneUnreachable("far", "cut")]).play()

    (held, used) = purse.settled[0]
    assert held.amounts.latency == 120_000
    assert used == held.amounts.model_copy(update={"latency": 0})


def test_the_time_that_a_lane_took_is_counted_whatever_it_said() -> None:
    purse = MemoryPurse(Limits(latency=300_000))

    def slow(_: Any) -> Any:
        played.clock.advance(2.5)
        yield from SAID

    played = bench(purse, ("far", START), far=slow)
    played.play()

    assert purse.spent.latency == 2500
    assert [one.latency_seconds for one in played.kept(BudgetSettled)] == [2.5]


def test_when_the_lanes_time_of_the_day_is_gone_no_lane_answers() -> None:
    purse = MemoryPurse(Limits(latency=60_000))

    with pytest.raises(BudgetExhausted, match=r"60\.0 s of lane time left, 120\.0 s may be needed"):
        bench(purse, ("far", START), ("near", ("timeout",)), far=SAID, near=HELLO).play()

    assert purse.settled == []


def test_what_never_left_takes_nothing() -> None:
    purse = MemoryPurse(Limits(cost=10 * NANOS))

    bench(purse, ("far", START), ("near", ("connection",)), far=[LaneUnreachable("far", "no")], near=HELLO).play()

    assert [used.cost for _, used in purse.settled] == [0, 0]
    assert purse.spent == Amounts(input_tokens=3, output_tokens=1)


def test_when_the_money_is_gone_a_private_lane_answers_and_nothing_was_sent() -> None:
    purse = MemoryPurse(Limits(cost=1))

    played = bench(purse, ("far", START), ("near", ("timeout",)), far=SAID, near=HELLO).play()

    assert played.text == "Hello"
    assert [one.rung.lane for one in played.climbed] == ["near"]
    assert played.lanes["far"].calls == []
    assert "day's budget" in played.kept(Decided)[-1].because


def test_without_a_lane_that_costs_nothing_the_request_ends_with_the_budget() -> None:
    purse = MemoryPurse(Limits(cost=1))

    with pytest.raises(BudgetExhausted):
        bench(purse, ("far", START), far=SAID).play()


def test_when_the_tokens_are_gone_no_lane_answers() -> None:
    purse = MemoryPurse(Limits(output_tokens=100))

    with pytest.raises(BudgetExhausted):
        bench(purse, ("far", START), ("near", ("timeout",)), far=SAID, near=HELLO).play()

    assert purse.settled == []


def test_a_tenant_without_a_budget_reserves_nothing() -> None:
    purse = MemoryPurse()

    played = bench(purse, ("far", START), far=SAID).play()

    assert purse.settled == []
    assert played.kept(BudgetSettled) == []
