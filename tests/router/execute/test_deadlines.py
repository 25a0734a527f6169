from hypothesis import given
from hypothesis import strategies as st

from router.execute.deadlines import rung_seconds

SECONDS = st.floats(0, 1e4)


def test_the_last_rung_gets_all_that_is_left() -> None:
    assert rung_seconds(42.0, []) == 42.0


def test_a_floor_is_kept_for_each_later_rung() -> None:
    assert rung_seconds(60.0, [30.0, 2.0]) == 53.0


def test_where_time_is_short_it_is_shared_evenly() -> None:
    assert rung_seconds(6.0, [30.0, 30.0]) == 2.0


@given(SECONDS, st.lists(SECONDS, max_size=8))
def test_no_rung_gets_more_than_is_left(left: float, later: list[float]) -> None:
    assert 0 <= rung_seconds(left, later) <= left
