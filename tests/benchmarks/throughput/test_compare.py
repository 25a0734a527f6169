"""A difference counts when it is more than chance and large enough to matter."""

import random
from itertools import pairwise

import numpy as np
import pytest

from benchmarks.throughput.compare import compare, holm, mann_whitney, ratio_of_medians
from cluster.planner.steady import Sample
from router.errors import BadRequest
from tests.benchmarks.throughput.runs import a_report, a_sample


def requests(count: int, factor: float = 1.0, seed: int = 0) -> list[Sample]:
    """Requests with times that vary by a tenth."""
    chance = random.Random(seed)
    return [
        a_sample(float(n), ttft=0.5 * factor * (wobble := chance.uniform(0.9, 1.1)), end_to_end=1.5 * factor * wobble)
        for n in range(count)
    ]


def test_the_test_gives_the_textbook_p_value() -> None:
    # Every value of B is above every one of A: of the 70 ways to split eight ranks, the 2 most extreme.
    assert mann_whitney(np.array([1.0, 2, 3, 4]), np.array([5.0, 6, 7, 8])) == pytest.approx(2 / 70)
    assert mann_whitney(np.ones(5), np.ones(5)) == 1.0


def test_p_values_are_held_together_by_holm() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.9, 0.8]) == (1.0, 1.0)


def test_the_ratios_interval_holds_the_true_ratio() -> None:
    chance = np.random.default_rng(3)
    a, b = chance.normal(1.0, 0.1, 400), chance.normal(1.2, 0.1, 400)

    ratio, low, high = ratio_of_medians(a, b, chance)

    assert low < 1.2 < high
    assert low < ratio < high
    assert high - low < 0.05


def test_a_run_that_is_a_fifth_slower_is_worse_everywhere() -> None:
    comparison = compare(a_report({4: requests(60)}), a_report({4: requests(60, 1.2, seed=1)}))

    assert {row.verdict for row in comparison.rows} == {"worse"}
    assert comparison.worse
    assert {row.measure: row.ratio for row in comparison.rows}["e2e"] == pytest.approx(1.2, rel=0.05)


def test_a_faster_run_is_better_and_not_worse() -> None:
    comparison = compare(a_report({4: requests(60)}), a_report({4: requests(60, 0.8, seed=1)}))

    assert {row.verdict for row in comparison.rows} == {"better"}
    assert not comparison.worse


def test_chance_alone_is_no_difference() -> None:
    runs = [a_report({1: requests(40, seed=seed), 8: requests(60, seed=seed + 50)}) for seed in range(8)]

    verdicts = [row.verdict for left, right in pairwise(runs) for row in compare(left, right).rows]

    assert set(verdicts) == {"same"}


def test_a_sure_but_small_difference_does_not_count() -> None:
    a, b = a_report({4: requests(600)}), a_report({4: requests(600, 1.03, seed=1)})

    small = compare(a, b)

    assert max(row.p for row in small.rows) < 0.01
    assert not small.worse
    assert compare(a, b, least=0.01).worse


def test_runs_without_a_common_level_or_with_other_lengths_are_refused() -> None:
    with pytest.raises(BadRequest, match="no level in common"):
        compare(a_report({1: requests(9)}), a_report({2: requests(9)}))

    longer = a_report({1: requests(9)})
    points = tuple(point.model_copy(update={"input_tokens": 500.0}) for point in longer.profile.points)
    longer = longer.model_copy(update={"profile": longer.profile.model_copy(update={"points": points})})
    with pytest.raises(BadRequest, match="prompts of 100 and 500 tokens"):
        compare(a_report({1: requests(9)}), longer)


def test_in_what_the_runs_differ_is_said() -> None:
    b = a_report({4: requests(20)}, dtype="float32", engine={"block_size": 16, "enforce_eager": True})

    assert compare(a_report({4: requests(20)}), b).differences == (
        "number format: bfloat16 and float32",
        "engine setting block_size: 32 and 16",
    )
