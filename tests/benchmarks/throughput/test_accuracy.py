"""Predictions stand beside what was measured, each with its error."""

from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks.throughput.accuracy import (
    AIMS,
    CALIBRATION,
    HELD_OUT,
    ROUNDS,
    SECONDS,
    Row,
    measure_all,
    median_errors,
    median_of,
    orders,
    rows_of,
    table,
)
from benchmarks.throughput.power import Power
from benchmarks.throughput.sweep import Measured
from cluster.planner.fitted import Predicted
from tests.cluster.planner.test_fitted import TRUTH, measured, profile_of

PROFILE = profile_of((measured(1),), fit=TRUTH)


def test_nothing_that_is_held_out_was_calibrated_on() -> None:
    assert not {*CALIBRATION} & {*HELD_OUT}
    assert [streams for streams, _ in CALIBRATION] == [1, 2, 4, 8, 16, 32]


def test_true_step_times_predict_what_was_measured() -> None:
    point = HELD_OUT[1]

    [row] = rows_of(PROFILE, {point: [measured(point[0])]})

    assert row.concurrency == 6
    assert all(row.error(measure) < 1e-9 for measure in AIMS)


def test_errors_are_relative_and_their_median_counts() -> None:
    rows = [Row(1, "", Predicted(90, 0.11, 2.0), Predicted(100, 0.1, 1.0)), Row(2, "", *(Predicted(1, 1, 1),) * 2)]
    rows.append(Row(3, "", Predicted(300, 0.05, 0.5), Predicted(100, 0.1, 1.0)))

    assert median_errors(rows) == pytest.approx({"throughput": 0.1, "tpot": 0.1, "ttft": 0.5})


def test_the_table_ends_with_the_medians_beside_their_aims() -> None:
    console = Console(width=170)

    with console.capture() as capture:
        console.print(table([Row(6, "64 in", Predicted(90, 0.11, 2.0), Predicted(100, 0.1, 1.0))], PROFILE))

    shown = capture.get()
    assert "100.0%" in shown
    assert "median (aim 20%)" in shown


class Clock:
    """A machine on which each point takes so many seconds."""

    def __init__(self, seconds_a_point: float) -> None:
        self.now, self.each = 0.0, seconds_a_point
        self.seeds: list[int] = []

    def measure(self, level: Any, _lengths: Any, seed: int) -> Measured:
        self.now += self.each
        self.seeds.append(seed)
        return Measured(measured(level.concurrency), (), Power())


def test_every_round_has_all_points_in_an_order_of_its_own() -> None:
    rounds: dict[int, list[Any]] = {}
    for number, where in orders(0):
        rounds.setdefault(number, []).append(where)

    assert len(rounds) == ROUNDS
    assert all({*one} == {*CALIBRATION, *HELD_OUT} for one in rounds.values())
    assert rounds[0] != rounds[1] != rounds[2]


@pytest.mark.parametrize(("seconds_a_point", "fewest", "most"), [(1.0, ROUNDS, ROUNDS), (24.0, 1, 2), (60.0, 1, 1)])
def test_points_are_measured_again_while_there_is_time_and_once_in_any_case(
    seconds_a_point: float, fewest: int, most: int, tmp_path: Path
) -> None:
    clock = Clock(seconds_a_point)

    done = measure_all(clock.measure, 0, tmp_path / "points.jsonl", lambda: clock.now)

    counts = {len(rounds) for rounds in done.values()}
    assert (min(counts), max(counts)) == (fewest, most)
    assert len({*clock.seeds}) == len(clock.seeds), "no prompt twice"
    assert len((tmp_path / "points.jsonl").read_text().splitlines()) == len(clock.seeds)
    assert clock.now <= max(SECONDS + seconds_a_point, seconds_a_point * len(done))


def test_a_round_that_was_disturbed_moves_nothing_where_two_others_agree() -> None:
    quiet, disturbed = Predicted(100, 0.1, 1.0), Predicted(20, 0.5, 9.0)

    found = median_of([quiet, disturbed, quiet])

    assert (found.throughput, found.tpot, found.ttft) == pytest.approx((100, 0.1, 1.0))
