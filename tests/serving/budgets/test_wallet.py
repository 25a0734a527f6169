"""A step with a budget asks once before and once after, one without asks nobody, and who can't be asked sets nothing aside."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from router.budgets import NANOS, Amounts, Step
from router.bundle.files import DailyBudget, TenantSpec
from router.errors import BudgetExhausted, StateUnavailable
from router.testing import ManualClock
from serving.budgets.wallet import Wallet
from tests.serving.people.kit import Owner

pytestmark = pytest.mark.anyio
NOON = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
STEP = Step(org="acme", request_class="support", trace_id="a" * 32, lane="premium", seconds=60)
ACME = TenantSpec(
    org="acme",
    daily=DailyBudget(cost_usd=1.0, zone="Europe/Berlin"),
    daily_by_route={"support": DailyBudget(tool_calls=2)},
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Owner]:
    made = Owner(tmp_path)
    yield made
    made.close()


def wallet(owner: Owner, clock: ManualClock | None = None, now: datetime = NOON) -> Wallet:
    tenants = (ACME, TenantSpec(org="free"))
    return Wallet(owner, tenants, lambda: now, (clock or ManualClock()).monotonic)


def dollars(amount: float) -> Amounts:
    return Amounts(cost=int(amount * NANOS))


async def test_a_step_asks_once_before_and_once_after(owner: Owner) -> None:
    purse = wallet(owner)

    held = await purse.reserve(STEP, dollars(0.5))
    assert held is not None
    purse.settle(held, dollars(0.125))
    await purse.settled()

    assert len(owner.asked) == 2
    assert purse.usd_left("acme") == 0.875


async def test_a_tenant_without_a_budget_asks_nobody(owner: Owner) -> None:
    purse = wallet(owner)

    assert await purse.reserve(STEP.__class__("free", "support", "a" * 32, "premium", 60), dollars(9)) is None
    assert purse.usd_left("free") is None
    assert owner.asked == []


async def test_what_does_not_fit_is_refused_until_the_tenant_s_own_midnight(owner: Owner) -> None:
    purse = wallet(owner)
    await purse.reserve(STEP, dollars(0.9))

    with pytest.raises(BudgetExhausted, match="of acme has") as refused:
        await purse.reserve(STEP, dollars(0.2))

    assert refused.value.retry_after_seconds == 11 * 3600
    assert (refused.value.status, refused.value.cause) == (429, "budget")


async def test_a_private_step_goes_on_when_the_money_is_gone(owner: Owner) -> None:
    purse = wallet(owner)
    await purse.reserve(STEP, dollars(1.0))

    assert await purse.reserve(STEP, Amounts(input_tokens=100, output_tokens=100)) is not None


async def test_a_route_s_own_budget_holds_beside_the_tenant_s(owner: Owner) -> None:
    purse = wallet(owner)
    await purse.reserve(STEP, Amounts(tool_calls=2))

    with pytest.raises(BudgetExhausted, match="acme/support"):
        await purse.reserve(STEP, Amounts(tool_calls=1))


async def test_two_replicas_share_one_day(owner: Owner) -> None:
    one, other = wallet(owner), wallet(owner)
    await one.reserve(STEP, dollars(0.7))

    with pytest.raises(BudgetExhausted):
        await other.reserve(STEP, dollars(0.7))
    assert other.usd_left("acme") == pytest.approx(0.3)


async def test_what_was_seen_is_forgotten_soon_and_with_the_day(owner: Owner) -> None:
    clock = ManualClock()
    purse = wallet(owner, clock)
    await purse.reserve(STEP, dollars(0.7))
    assert purse.usd_left("acme") == pytest.approx(0.3)

    clock.advance(2.5)

    assert purse.usd_left("acme") is None


async def test_without_its_owner_nothing_is_set_aside(owner: Owner) -> None:
    purse = wallet(owner)
    owner.gone = True

    with pytest.raises(StateUnavailable):
        await purse.reserve(STEP, dollars(0.1))
    await purse.settled()


async def test_what_could_not_be_settled_counts_as_reserved(owner: Owner) -> None:
    purse = wallet(owner)
    held = await purse.reserve(STEP, dollars(0.9))
    assert held is not None
    owner.gone = True
    purse.settle(held, dollars(0.0))
    await purse.settled()
    owner.gone = False

    with pytest.raises(BudgetExhausted):
        await purse.reserve(STEP, dollars(0.2))
