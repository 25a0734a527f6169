"""Amounts add up exactly, a day ends where the tenant lives, and what an attempt took is what it said, or all that was set aside."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from router.budgets import (
    KINDS,
    NANOS,
    Account,
    Amounts,
    Kind,
    Limits,
    cost_of,
    day_of,
    in_its_unit,
    lacking,
    limits_of,
    millis_of,
    most_of_attempt,
    seconds_to_the_days_end,
    used_by,
)
from router.bundle.files import DailyBudget, Price
from router.contract import AttemptEnded

PRICE = Price(input_usd=2.5, output_usd=10.0)


def ended(**fields: object) -> AttemptEnded:
    return AttemptEnded(attempt=1, lane="premium", model="m", ended="stop", seconds=1.0).model_copy(update=fields)


def test_a_price_is_counted_in_billionths_of_a_dollar() -> None:
    assert cost_of(PRICE, 1_000_000, 0) == int(2.5 * NANOS)
    assert cost_of(PRICE, 3, 1) == 17_500


def test_a_part_of_a_billionth_counts_as_a_whole_one() -> None:
    assert cost_of(Price(input_usd=0.0001), 1, 0) == 1


def test_cached_tokens_have_their_own_price_where_there_is_one() -> None:
    assert cost_of(Price(input_usd=2.0, cached_input_usd=0.5), 10, 0, cached_tokens=10) == 5_000
    assert cost_of(Price(input_usd=2.0), 10, 0, cached_tokens=10) == 20_000


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(-10, 20_000), st.floats(0, 2.5))
def test_whatever_a_provider_says_it_had_cached_the_reservation_stays_the_upper_bound(
    asked: int, said: int, cached: int, cached_usd: float
) -> None:
    price = Price(input_usd=2.5, cached_input_usd=cached_usd, output_usd=10.0)

    assert 0 <= cost_of(price, asked, said, cached) <= most_of_attempt(price, asked, said, 1.0).cost


def test_cached_input_that_costs_more_than_other_input_is_refused() -> None:
    with pytest.raises(ValidationError, match="may not cost more"):
        Price(input_usd=1.0, cached_input_usd=1.5)


@given(st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, 100_000)), max_size=30))
def test_the_parts_of_a_sum_never_cost_less_than_the_sum(parts: list[tuple[int, int]]) -> None:
    apart = sum(cost_of(PRICE, asked, said) for asked, said in parts)
    together = cost_of(PRICE, sum(asked for asked, _ in parts), sum(said for _, said in parts))

    assert together <= apart <= together + len(parts)


def test_what_is_not_limited_is_never_lacking() -> None:
    account = Account(org="acme", limits=Limits(tool_calls=1))

    assert lacking(account, Amounts(cost=10**12), Amounts(cost=10**12, tool_calls=1)) is None


def test_what_is_lacking_is_named_with_what_is_left() -> None:
    account = Account(org="acme", request_class="support", limits=Limits(cost=NANOS))

    short = lacking(account, Amounts(cost=NANOS // 2), Amounts(cost=NANOS))

    assert short is not None
    assert short.says() == "the day's budget of acme/support has $0.5000 of cost left, $1.0000 may be needed"


def test_a_step_that_takes_nothing_of_a_kind_goes_on_when_that_kind_is_overdrawn() -> None:
    account = Account(org="acme", limits=Limits(cost=1))

    assert lacking(account, Amounts(cost=5), Amounts(output_tokens=10)) is None


def test_limits_are_the_bundle_s_in_whole_numbers() -> None:
    daily = DailyBudget(cost_usd=0.25, latency_seconds=1.5, tool_calls=3)

    assert limits_of(daily) == Limits(cost=NANOS // 4, latency=1500, tool_calls=3)


def test_lane_time_that_is_lacking_is_told_in_seconds() -> None:
    account = Account(org="acme", limits=Limits(latency=60_000))

    short = lacking(account, Amounts(latency=15_000), most_of_attempt(PRICE, 0, 0, 120.0))

    assert short is not None
    assert short.says() == "the day's budget of acme has 45.0 s of lane time left, 120.0 s may be needed"


@given(st.lists(st.floats(0, 1000), max_size=20))
def test_the_times_of_the_parts_are_never_less_than_the_whole(parts: list[float]) -> None:
    assert sum(map(millis_of, parts)) >= sum(parts) * 1000 - 0.001


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_shown_in_the_unit_that_the_bundle_limits_it_in(kind: Kind) -> None:
    name, amount = in_its_unit(kind, limits_of(DailyBudget.model_validate({in_its_unit(kind, 0)[0]: 3})).of(kind) or 0)

    assert name in DailyBudget.model_fields
    assert amount == 3


def test_an_attempt_takes_what_its_usage_says() -> None:
    reserved = most_of_attempt(PRICE, 100, 500, 120.0)

    used = used_by(ended(input_tokens=80, output_tokens=20, cost_usd=0.0004), reserved, reached=True)

    assert used == Amounts(cost=400_000, latency=1000, input_tokens=80, output_tokens=20)


def test_an_attempt_that_broke_before_it_said_takes_all_that_was_reserved_and_the_time_that_it_took() -> None:
    reserved = most_of_attempt(PRICE, 100, 500, 120.0)

    used = used_by(ended(ended="connection", seconds=7.0004), reserved, reached=True)

    assert used == reserved.model_copy(update={"latency": 7001})


def test_an_attempt_that_reached_nobody_takes_nothing() -> None:
    assert used_by(ended(ended="connection"), most_of_attempt(PRICE, 100, 500, 120.0), reached=False) == Amounts()


@pytest.mark.parametrize(
    ("moment", "zone", "day", "seconds"),
    [
        (datetime(2026, 11, 30, 23, 30, tzinfo=UTC), "UTC", "2026-11-30", 1800),
        (datetime(2026, 11, 30, 23, 30, tzinfo=UTC), "Europe/Berlin", "2026-12-01", 23.5 * 3600),
        (datetime(2026, 10, 24, 22, 0, tzinfo=UTC), "Europe/Berlin", "2026-10-25", 25 * 3600),
        (datetime(2026, 3, 28, 23, 0, tzinfo=UTC), "Europe/Berlin", "2026-03-29", 23 * 3600),
    ],
)
def test_a_day_ends_at_the_tenant_s_own_midnight(moment: datetime, zone: str, day: str, seconds: float) -> None:
    assert day_of(moment, zone) == day
    assert seconds_to_the_days_end(moment, zone) == seconds
