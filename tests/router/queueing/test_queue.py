"""The queue's laws, on whatever hypothesis makes of offers, services and departures."""

from collections import Counter
from itertools import count, pairwise

from hypothesis import given
from hypothesis import strategies as st

from router.queueing import Entry, FairQueue
from router.queueing.queue import URGENCY_RATIO

FOREVER = 1e9
clock = count()


def an_entry(
    tenant: str = "a", *, urgency: int = 0, weight: float = 1.0, cost: float = 1.0, until: float = FOREVER
) -> Entry:
    return Entry(tenant, urgency, weight, cost, since=float(next(clock)), until=until)


entries = st.builds(
    an_entry,
    tenant=st.sampled_from("abc"),
    urgency=st.integers(0, 2),
    cost=st.floats(1, 100),
    until=st.sampled_from([5.0, FOREVER]),
)
steps = st.lists(st.one_of(entries, st.just("take"), st.integers(0, 50)), max_size=80)


@given(steps=steps, most=st.integers(1, 8))
def test_it_never_holds_more_than_its_bound_and_never_serves_what_left_or_is_overdue(
    steps: list[Entry | str | int], most: int
) -> None:
    queue, inside, now = FairQueue(most), list[Entry](), 0.0
    for step in steps:
        match step:
            case Entry():
                away = queue.offer(step)
                inside.append(step)
                if away is not None:
                    inside.remove(away)
            case int(number):
                if inside:
                    gone = inside.pop(number % len(inside))
                    assert queue.remove(gone)
                    assert not queue.remove(gone)
            case _:
                now += 1.0
                served = queue.take(now)
                assert served in inside if served else all(entry.until <= now for entry in inside)
                if served:
                    assert served.until > now
                    inside.remove(served)
                inside = [entry for entry in inside if queue.remove(entry) and queue.offer(entry) is None]
        assert len(queue) <= most
        assert len(queue) == len(inside)


@given(offered=st.lists(entries, min_size=1, max_size=40), most=st.integers(1, 8))
def test_nobody_is_turned_away_for_somebody_less_urgent(offered: list[Entry], most: int) -> None:
    queue = FairQueue(most)
    for entry in offered:
        away = queue.offer(entry)
        assert away is None or away.urgency <= entry.urgency


@given(
    weights=st.tuples(st.floats(0.2, 5), st.floats(0.2, 5)),
    costs=st.lists(st.tuples(st.floats(1, 50), st.floats(1, 50)), min_size=5, max_size=40),
)
def test_what_two_waiting_tenants_were_served_by_their_weights_differs_by_their_largest_costs(
    weights: tuple[float, float], costs: list[tuple[float, float]]
) -> None:
    queue = FairQueue(1000)
    for of_a, of_b in costs:
        queue.offer(an_entry("a", weight=weights[0], cost=of_a))
        queue.offer(an_entry("b", weight=weights[1], cost=of_b))
    served, left = Counter[str](), Counter({"a": len(costs), "b": len(costs)})
    bound = max(one for one, _ in costs) / weights[0] + max(other for _, other in costs) / weights[1]

    while (entry := queue.take(0.0)) and all(left.values()):
        served[entry.tenant] += entry.cost / entry.weight  # type: ignore[assignment]
        left[entry.tenant] -= 1
        assert abs(served["a"] - served["b"]) <= bound + 1e-6


@given(levels=st.integers(2, 4), rounds=st.integers(1, 300))
def test_each_urgency_gets_its_part_of_every_stretch_so_none_starves(levels: int, rounds: int) -> None:
    queue = FairQueue(10_000)
    for urgency in range(levels):
        for _ in range(rounds):
            queue.offer(an_entry(urgency=urgency))
    every = sum(URGENCY_RATIO**urgency for urgency in range(levels))

    served = Counter(entry.urgency for _ in range(rounds) if (entry := queue.take(0.0)))

    for urgency in range(levels):
        assert served[urgency] >= int(rounds * URGENCY_RATIO**urgency / every) - levels


def test_a_tenant_that_comes_back_is_owed_nothing_for_its_absence() -> None:
    queue = FairQueue(1000)
    for _ in range(100):
        queue.offer(an_entry("steady"))
    for _ in range(50):
        queue.take(0.0)
    for _ in range(50):
        queue.offer(an_entry("back"))

    served = [entry.tenant for _ in range(20) if (entry := queue.take(0.0))]

    assert Counter(served) == {"steady": 10, "back": 10}
    assert all(one != other for one, other in pairwise(served))


def test_one_that_floods_is_turned_away_before_one_that_asks_little() -> None:
    queue = FairQueue(4)
    flood = [an_entry("flood") for _ in range(4)]
    for entry in flood:
        queue.offer(entry)

    assert queue.offer(newest := an_entry("flood")) is newest
    assert queue.offer(an_entry("quiet")) is flood[3]
    assert queue.offer(an_entry("urgent", urgency=1)) is flood[2]
    assert queue.depth(0) == 3
    assert queue.depth(1) == 1


def test_a_weight_counts_where_room_is_short_too() -> None:
    queue = FairQueue(3)
    for _ in range(2):
        queue.offer(an_entry("heavy", weight=4.0))
    queue.offer(light := an_entry("light"))

    assert queue.offer(an_entry("heavy", weight=4.0)) is light


@given(waiting=st.lists(entries, max_size=30), newcomer=entries)
def test_what_is_served_before_a_newcomer_is_never_more_than_what_waits(waiting: list[Entry], newcomer: Entry) -> None:
    queue = FairQueue(100)
    for entry in waiting:
        queue.offer(entry)

    work = queue.work_before(newcomer)

    assert 0.0 <= work <= sum(entry.cost for entry in waiting) + 1e-6


def test_the_work_before_a_newcomer_is_what_it_sees_served_first() -> None:
    queue = FairQueue(1000)
    for _ in range(60):
        queue.offer(an_entry("flood"))
    for _ in range(5):
        queue.offer(an_entry("quiet"))
    newcomer = an_entry("quiet")

    expected = queue.work_before(newcomer)
    queue.offer(newcomer)
    seen = 0
    while queue.take(0.0) is not newcomer:
        seen += 1

    assert abs(seen - expected) <= 2
