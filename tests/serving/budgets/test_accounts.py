"""Whatever comes in whatever order, and whoever dies in between: a day's budget is never overdrawn, and nothing that was taken is forgotten."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.budgets import Account, Amounts, Limits
from serving.budgets.accounts import KEPT_SECONDS, BudgetAccounts
from serving.budgets.wire import Lacks, Reserve, Reserved, Settle

DAY = "2026-11-30"
TRACE = "0" * 32
ACME = Account(org="acme", limits=Limits(output_tokens=100))
SUPPORT = Account(org="acme", request_class="support", limits=Limits(output_tokens=60))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def budgets(tmp_path: Path, clock: Clock) -> Iterator[BudgetAccounts]:
    opened = BudgetAccounts(tmp_path / "state.sqlite", clock)
    yield opened
    opened.close()


def of(name: str, tokens: int, *accounts: Account, lapse: float = 60.0) -> Reserve:
    return Reserve(
        id=name,
        trace_id=TRACE,
        accounts=accounts or (ACME,),
        day=DAY,
        amounts=Amounts(output_tokens=tokens),
        lapse_seconds=lapse,
    )


def spent_and_reserved(budgets: BudgetAccounts, account: str = "acme", day: str = DAY) -> tuple[int, int]:
    (taken,) = budgets.taken([account], day)
    return taken.spent.output_tokens, taken.reserved.output_tokens


def test_what_is_reserved_is_gone_until_it_is_settled(budgets: BudgetAccounts) -> None:
    assert isinstance(budgets.reserve(of("a", 70)), Reserved)
    assert isinstance(budgets.reserve(of("b", 40)), Lacks)

    budgets.settle(Settle(id="a", used=Amounts(output_tokens=10)))

    assert isinstance(budgets.reserve(of("b", 40)), Reserved)
    assert spent_and_reserved(budgets) == (10, 40)


def test_what_is_refused_says_what_is_left(budgets: BudgetAccounts) -> None:
    budgets.reserve(of("a", 70))

    answer = budgets.reserve(of("b", 40))

    assert isinstance(answer, Lacks)
    assert (answer.account, answer.lacks, answer.left, answer.wanted) == ("acme", "output_tokens", 30, 40)


def test_a_route_s_own_budget_and_the_tenant_s_both_hold_or_nothing_is_taken(budgets: BudgetAccounts) -> None:
    budgets.reserve(of("a", 50, ACME, SUPPORT))

    refused = budgets.reserve(of("b", 20, ACME, SUPPORT))

    assert isinstance(refused, Lacks)
    assert refused.account == "acme/support"
    assert spent_and_reserved(budgets) == (0, 50)
    assert isinstance(budgets.reserve(of("c", 50, ACME)), Reserved)


def test_asking_or_settling_twice_counts_once(budgets: BudgetAccounts) -> None:
    budgets.reserve(of("a", 70))
    budgets.reserve(of("a", 70))
    budgets.settle(Settle(id="a", used=Amounts(output_tokens=30)))
    budgets.settle(Settle(id="a", used=Amounts(output_tokens=30)))

    assert spent_and_reserved(budgets) == (30, 0)


def test_another_day_begins_anew_and_a_late_settlement_counts_for_its_own(budgets: BudgetAccounts) -> None:
    budgets.reserve(of("a", 100))
    tomorrow = of("b", 100).model_copy(update={"day": "2026-12-01"})
    assert isinstance(budgets.reserve(tomorrow), Reserved)

    budgets.settle(Settle(id="a", used=Amounts(output_tokens=5)))

    assert spent_and_reserved(budgets) == (5, 0)
    assert spent_and_reserved(budgets, day="2026-12-01") == (0, 100)


def test_what_a_crash_leaves_behind_is_spent_after_its_time_and_put_right_by_whoever_knows_better(
    budgets: BudgetAccounts, clock: Clock
) -> None:
    budgets.reserve(of("a", 70, lapse=60))

    clock.now += 60
    budgets.purge()
    assert spent_and_reserved(budgets) == (70, 0)

    budgets.settle(Settle(id="a", used=Amounts(output_tokens=20)))
    assert spent_and_reserved(budgets) == (20, 0)


def test_a_step_that_took_more_than_was_set_aside_is_counted_in_full(budgets: BudgetAccounts) -> None:
    budgets.reserve(of("a", 70))
    budgets.settle(Settle(id="a", used=Amounts(output_tokens=130)))

    assert spent_and_reserved(budgets) == (130, 0)
    assert isinstance(budgets.reserve(of("b", 1)), Lacks)


def test_reservations_survive_a_restart(tmp_path: Path, clock: Clock) -> None:
    first = BudgetAccounts(tmp_path / "state.sqlite", clock)
    first.reserve(of("a", 70))
    first.close()

    again = BudgetAccounts(tmp_path / "state.sqlite", clock)

    assert isinstance(again.reserve(of("b", 40)), Lacks)
    again.close()


def test_old_days_are_forgotten(budgets: BudgetAccounts, clock: Clock) -> None:
    budgets.reserve(of("a", 70))
    budgets.settle(Settle(id="a", used=Amounts(output_tokens=70)))
    clock.now += KEPT_SECONDS + 1
    budgets.purge()

    assert spent_and_reserved(budgets) == (0, 0)


def test_many_at_once_never_overdraw(tmp_path: Path, clock: Clock) -> None:
    """Connections of their own, as two keepers would have for a moment while one replaces the other."""
    granted: list[str] = []
    BudgetAccounts(tmp_path / "state.sqlite", clock).close()

    def one(number: int) -> None:
        mine = BudgetAccounts(tmp_path / "state.sqlite", clock)
        names = [f"{number}-{turn}" for turn in range(5)]
        granted.extend(name for name in names if isinstance(mine.reserve(of(name, 7)), Reserved))
        mine.close()

    threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(granted) == 14


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), st.integers(0, 9), st.integers(1, 60)),
        st.tuples(st.just("settle"), st.integers(0, 9), st.integers(0, 60)),
        st.tuples(st.just("time"), st.integers(0, 0), st.integers(1, 90)),
        st.tuples(st.just("restart"), st.integers(0, 0), st.integers(0, 0)),
    ),
    max_size=40,
)


@given(steps=STEPS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_spent_and_reserved_never_exceed_the_limit(
    steps: list[tuple[str, int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("budgets") / "state.sqlite"
    clock = Clock()
    replicas = [BudgetAccounts(path, clock), BudgetAccounts(path, clock)]
    reserved: dict[str, int] = {}
    used: dict[str, int] = {}
    for turn, (what, number, amount) in enumerate(steps):
        one, name = replicas[turn % 2], str(number)
        if what == "reserve" and name not in reserved:
            if isinstance(one.reserve(of(name, amount, ACME, SUPPORT)), Reserved):
                reserved[name] = amount
        elif what == "settle" and name in reserved:
            # INVARIANT of the callers: a step takes no more than was set aside for it.
            took = min(amount, reserved[name])
            one.settle(Settle(id=name, used=Amounts(output_tokens=took)))
            used.setdefault(name, took)
        elif what == "time":
            clock.now += amount
        elif what == "restart":
            one.close()
            replicas[turn % 2] = BudgetAccounts(path, clock)
        for account, limit in (("acme", 100), ("acme/support", 60)):
            assert sum(spent_and_reserved(replicas[0], account)) <= limit
        assert sum(spent_and_reserved(replicas[1])) == sum(used.get(one, most) for one, most in reserved.items())
    for replica in replicas:
        replica.close()
