from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from serving.leaks.report import Rate, rates, to_judge
from serving.leaks.verdicts import Verdict, read_verdicts, record, settled
from tests.serving.leaks.kit import a_stratum, a_verdict, counted


def by_name(found: list[Rate]) -> dict[tuple[str, str], Rate]:
    return {(rate.measure, rate.category): rate for rate in found}


def test_leaks_are_weighted_by_what_each_sample_stands_for_and_told_by_category() -> None:
    strata = [counted(a_stratum(org="big"), 900, "a", "b", "c"), counted(a_stratum(org="small"), 100, "d", "e")]
    verdicts = settled(
        [
            a_verdict("a", False),
            a_verdict("b", False),
            a_verdict("c", False),
            a_verdict("d", True, "health"),
            a_verdict("e", True, "pii"),
        ]
    )

    found = by_name(rates(strata, verdicts))

    assert found["leak", "any"].estimate.rate == 0.1
    assert found["leak", "health"].estimate.rate == 0.05
    assert found["leak", "pii"].estimate.rate == 0.05
    assert found["false_block", "any"].estimate.rate is None


def test_a_false_block_counts_for_every_category_that_kept_it() -> None:
    strata = [
        counted(a_stratum("stayed", categories=("health", "pii")), 10, "a"),
        counted(a_stratum("stayed", categories=("pii",)), 30, "b"),
    ]
    verdicts = settled([a_verdict("a", True, "health"), a_verdict("b", False)])

    found = by_name(rates(strata, verdicts))

    assert found["false_block", "any"].estimate.rate == 0.75
    assert found["false_block", "pii"].estimate.rate == 0.75
    assert found["false_block", "health"].estimate.rate == 0.0


def test_what_can_not_be_told_is_no_verdict_and_is_counted() -> None:
    strata = [counted(a_stratum(), 10, "a", "b", too_large=10)]

    found = by_name(rates(strata, settled([a_verdict("a", None), a_verdict("b", False)])))["leak", "any"]

    assert (found.undecided, found.estimate.judged, found.estimate.covered) == (1, 1, 0.5)


def test_the_verdict_on_a_sample_that_a_later_one_drove_out_counts_no_more() -> None:
    strata = [counted(a_stratum(), 100, "kept")]

    found = rates(strata, settled([a_verdict("kept", False), a_verdict("driven out", True, "pii")]))

    assert [(one.category, one.estimate.rate) for one in found if one.measure == "leak"] == [("any", 0.0)]


def test_a_person_outweighs_a_model_and_the_later_word_the_earlier() -> None:
    model = a_verdict("a", True, judge="private", kind="model", at=9.0)

    assert settled([a_verdict("a", False, at=1.0), model])["a"].stays is False
    assert settled([model, a_verdict("a", False, at=10.0)])["a"].stays is False
    assert settled([a_verdict("a", False, at=1.0), a_verdict("a", True, judge="bob", at=2.0)])["a"].judge == "bob"


@given(st.lists(st.integers(0, 6), max_size=6))
def test_whoever_stops_early_has_judged_the_strata_evenly(sizes: list[int]) -> None:
    strata = [
        counted(a_stratum(org=f"org{number}"), 100, *(f"{number}.{turn}" for turn in range(size)))
        for number, size in enumerate(sizes)
    ]

    order = to_judge(strata, {})

    assert len(order) == sum(sizes)
    for stop in range(len(order)):
        judged = [sum(name.startswith(f"{number}.") for name in order[:stop]) for number in range(len(sizes))]
        assert all(
            judged[one] <= judged[other] + 1 or judged[other] == sizes[other]
            for one in range(len(sizes))
            for other in range(len(sizes))
        )


def test_in_a_stratum_the_smallest_draw_is_judged_first_and_none_twice() -> None:
    strata = [counted(a_stratum(), 100, "first", "second", "third")]

    assert to_judge(strata, settled([a_verdict("first", True)])) == ["second", "third"]


def test_a_second_verdict_of_a_judge_takes_the_first_one_s_place(tmp_path: Path) -> None:
    file = tmp_path / "verdicts.sqlite"
    for stays in (True, False):
        record(file, a_verdict("a", stays))
    record(file, a_verdict("a", True, judge="bob"))

    kept: list[Verdict] = read_verdicts(file)
    assert sorted((one.judge, one.stays) for one in kept) == [("ann", False), ("bob", True)]
