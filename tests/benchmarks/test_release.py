"""What a stream rule costs: more, the more it holds back."""

import asyncio
from pathlib import Path

import pytest

from benchmarks.release import Paced, measure, rules_of
from router.bundle import load_bundle


def test_each_rule_that_the_bundle_demands_is_tried_from_the_loosest_to_the_strictest() -> None:
    rules = rules_of(load_bundle(Path("config/starter")))

    assert [rule.release for rule in rules] == ["live", "window", "window", "hold"]
    assert [rule.window_tokens for rule in rules if rule.release == "window"] == [32, 64]


@pytest.mark.slow
def test_the_first_piece_comes_with_the_token_that_lets_it_go() -> None:
    lane = Paced(tokens=120, first_seconds=0.02, gap_seconds=0.004)

    rows = [cost.row() for cost in asyncio.run(measure(load_bundle(Path("config/starter")), lane, 2))]

    shares = [row["share_of_whole"] for row in rows]
    assert shares == sorted(shares)
    assert rows[0]["times_the_lanes"] == pytest.approx(1.0, abs=0.05)
    assert shares[-1] == pytest.approx(1.0, abs=0.02)
