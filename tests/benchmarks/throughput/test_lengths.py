"""Lengths come from a seed, and fit the model."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.throughput.lengths import Around, Recorded, Shape, fitted_to


def test_the_same_seed_draws_the_same_lengths_and_another_others() -> None:
    spread = Around(200, 50, 0.5)

    assert spread.draw(20, 1) == spread.draw(20, 1)
    assert spread.draw(20, 1) != spread.draw(20, 2)


def test_no_spread_gives_the_means() -> None:
    assert set(Around(200, 50).draw(5, 0)) == {Shape(200, 50)}


def test_drawn_lengths_stay_within_their_spread() -> None:
    drawn = Around(200, 50, 0.5).draw(500, 0)

    assert min(shape.input_tokens for shape in drawn) >= 100
    assert max(shape.input_tokens for shape in drawn) <= 300
    assert len({shape.output_tokens for shape in drawn}) > 30


def test_a_traces_pairs_are_drawn_as_they_were_recorded_and_scaled(tmp_path: Path) -> None:
    trace = tmp_path / "azure.csv"
    trace.write_text("arrived_at,num_prefill_tokens,num_decode_tokens\n0,400,40\n1,90,15\n2,3,1\n")

    drawn = Recorded.read(trace, scale=0.5).draw(200, 7)

    assert set(drawn) == {Shape(200, 20), Shape(45, 8), Shape(2, 1)}


@given(
    st.lists(st.builds(Shape, st.integers(1, 100_000), st.integers(1, 100_000)), min_size=1, max_size=20),
    st.integers(256, 10_000),
    st.integers(1, 100),
)
def test_clipped_lengths_fit_the_context_and_are_none_too_short(
    shapes: list[Shape], context_tokens: int, fewest: int
) -> None:
    for shape in fitted_to(shapes, context_tokens, fewest):
        assert shape.input_tokens + shape.output_tokens <= context_tokens
        assert shape.input_tokens >= fewest
        assert shape.output_tokens >= 1
