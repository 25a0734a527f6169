import pytest

from benchmarks.overload.clients import Client, Got
from benchmarks.overload.measures import jain, measures

CLIENTS = (Client("urgent", 0.5, priority=1), Client("heavy", 2.0, weight=2.0), Client("light", 2.0))


def of(org: str, status: int, count: int, seconds: float = 1.0, retry_after: int | None = None) -> list[Got]:
    return [Got(org, status, 1.0 + number / 100, seconds, retry_after) for number in range(count)]


def test_jains_index_is_one_for_all_alike_and_a_share_of_one_for_all_to_one() -> None:
    assert jain([3.0, 3.0, 3.0]) == pytest.approx(1.0)
    assert jain([9.0, 0.0, 0.0]) == pytest.approx(1 / 3)
    assert jain([0.0, 0.0]) == 0.0


def test_a_load_that_went_well_keeps_to_every_bound() -> None:
    got = [
        *of("urgent", 200, 10),
        *of("heavy", 200, 20),
        *of("light", 200, 10),
        *of("light", 429, 30, seconds=0.02, retry_after=3),
    ]

    rows = {row.name: row for row in measures(got, CLIENTS, capacity=4.0, since=0.0, until=10.0)}

    assert all(row.holds for row in rows.values())
    assert rows["goodput_ratio"].value == pytest.approx(1.0)
    assert rows["fairness"].value == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("got", "breaks"),
    [
        (of("urgent", 200, 4), "goodput_ratio"),
        ([*of("heavy", 200, 40), *of("light", 200, 1)], "fairness"),
        ([*of("urgent", 200, 5), *of("urgent", 429, 5, 0.01, 1)], "urgent_answered_ratio"),
        (of("light", 429, 5, seconds=0.5, retry_after=1), "prompt_refusals_ratio"),
        (of("light", 429, 5, seconds=0.01), "retry_after_ratio"),
        (of("light", 0, 1), "broken_ratio"),
    ],
)
def test_what_goes_wrong_breaks_its_bound(got: list[Got], breaks: str) -> None:
    rows = {row.name: row for row in measures(got, CLIENTS, capacity=4.0, since=0.0, until=10.0)}

    assert not rows[breaks].holds
