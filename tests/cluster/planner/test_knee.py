import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.planner.knee import PLATEAU_SHARE, CurvePoint, knee, knee_within, throughput_at

CURVE = [CurvePoint(1, 10), CurvePoint(2, 20), CurvePoint(4, 36), CurvePoint(8, 40), CurvePoint(16, 39)]


@st.composite
def curves(draw: st.DrawFn) -> list[CurvePoint]:
    at = draw(st.lists(st.integers(1, 500), min_size=1, max_size=9, unique=True))
    positive = st.floats(0.1, 1e4)
    return [CurvePoint(each, draw(positive), (draw(positive), draw(positive))) for each in at]


def test_the_knee_is_where_95_percent_of_the_plateau_is_reached() -> None:
    found = knee(CURVE)

    assert found.plateau == 40
    assert found.throughput == pytest.approx(38)
    assert found.concurrency == pytest.approx(6)
    assert found.flattens


def test_a_curve_that_still_rises_at_its_end_says_so() -> None:
    assert not knee(CURVE[:3]).flattens


def test_a_flat_curve_has_its_knee_at_its_first_point() -> None:
    assert knee([CurvePoint(4, 100), CurvePoint(8, 100)]).concurrency == 4


@settings(max_examples=50)
@given(curves())
def test_no_smaller_concurrency_reaches_what_the_knee_reaches(curve: list[CurvePoint]) -> None:
    found = knee(curve)

    assert throughput_at(curve, found.concurrency) == pytest.approx(
        max(found.throughput, PLATEAU_SHARE * found.plateau)
    )
    assert all(
        point.throughput < PLATEAU_SHARE * found.plateau
        for point in curve
        if point.concurrency < found.concurrency * 0.999
    )


@settings(max_examples=50)
@given(curves(), st.floats(0.01, 100))
def test_the_unit_of_throughput_moves_no_knee(curve: list[CurvePoint], unit: float) -> None:
    scaled = [CurvePoint(point.concurrency, point.throughput * unit) for point in curve]

    assert knee(scaled).concurrency == pytest.approx(knee(curve).concurrency)


@settings(max_examples=50)
@given(curves(), st.randoms())
def test_the_order_of_the_points_is_nothing(curve: list[CurvePoint], chance: object) -> None:
    shuffled = sorted(curve, key=lambda _: chance.random())  # type: ignore[attr-defined]

    assert knee(shuffled) == knee(curve)


@settings(max_examples=50)
@given(curves(), st.floats(0.1, 1e4), st.floats(0.1, 1e4), st.floats(0, 1))
def test_a_tighter_level_never_raises_the_knee(
    curve: list[CurvePoint], first: float, second: float, tighter: float
) -> None:
    loose = knee_within(curve, (first, second))

    assert knee_within(curve, (first * tighter, second)) <= loose
    assert knee_within(curve, (first, second * tighter)) <= loose
    assert loose <= knee(curve).concurrency


def test_a_level_that_not_even_one_request_keeps_has_no_knee() -> None:
    curve = [CurvePoint(1, 10, (0.5,)), CurvePoint(2, 20, (1.0,))]

    assert knee_within(curve, (0.4,)) == 0
    assert knee_within(curve, (0.75,)) == pytest.approx(1.5)


def test_two_points_at_one_concurrency_are_refused() -> None:
    with pytest.raises(ValueError, match="two points"):
        knee([CurvePoint(1, 1), CurvePoint(1, 2)])
