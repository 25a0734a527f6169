from hypothesis import given
from hypothesis import strategies as st

from router.context.fusion import best_first, reciprocal_ranks, spread, weighted_sum
from router.context.packing import estimate_tokens, pack, without_repetitions

LONG = "one two three four five six seven eight nine ten eleven twelve"
texts = st.lists(st.text(max_size=30), max_size=12)


def same(text: str) -> str:
    return text


def test_what_both_rankings_hold_comes_first() -> None:
    assert list(reciprocal_ranks([["a", "b", "c"], ["c", "d", "b"]])) == ["c", "b", "a", "d"]


def test_a_weight_lets_one_ranking_count_for_more() -> None:
    assert next(iter(reciprocal_ranks([["a", "b"], ["b", "a"]], [1.0, 2.0]))) == "b"


@given(st.lists(st.lists(st.integers(0, 9), unique=True), min_size=1, max_size=3))
def test_fusing_loses_nothing_and_falls(rankings: list[list[int]]) -> None:
    fused = reciprocal_ranks(rankings)

    assert set(fused) == {key for ranking in rankings for key in ranking}
    assert list(fused.values()) == sorted(fused.values(), reverse=True)


def test_scores_of_two_scales_are_brought_onto_one() -> None:
    assert spread({"a": 10.0, "b": 20.0, "c": 15.0}) == {"a": 0.0, "b": 1.0, "c": 0.5}
    assert spread({"a": 3.0}) == {"a": 1.0}
    assert spread({}) == {}
    assert best_first({"a": 1.0, "b": 2.0}) == {"b": 2.0, "a": 1.0}
    assert weighted_sum([({"a": 1.0}, 1.0), ({"a": 1.0, "b": 1.0}, 0.5)]) == {"a": 1.5, "b": 0.5}


def test_a_passage_that_repeats_a_better_one_is_left_out() -> None:
    quoted = f"as we said: {LONG}"

    assert without_repetitions([LONG, quoted, "something else"], same, most=9) == [LONG, "something else"]
    assert without_repetitions([LONG, LONG.upper()], same, most=9) == [LONG]


def test_passages_that_share_a_phrase_both_stay() -> None:
    other = "one two three four five and then it goes on about something that is quite different"

    assert without_repetitions([LONG, other], same, most=9) == [LONG, other]


def test_one_that_does_not_fit_lets_the_next_one_in() -> None:
    assert pack(["a" * 9, "b" * 90, "c" * 9], same, most=9, budget_tokens=6) == ["a" * 9, "c" * 9]


@given(texts, st.integers(0, 60), st.integers(0, 12))
def test_the_budget_is_never_exceeded_and_the_order_kept(ranked: list[str], budget: int, most: int) -> None:
    packed = pack(ranked, same, most, budget)

    assert sum(map(estimate_tokens, packed)) <= budget
    assert len(packed) <= most
    left = iter(ranked)
    assert all(text in left for text in packed)
    assert pack(ranked, same, most, None) == ranked[:most]
