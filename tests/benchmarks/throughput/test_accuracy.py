"""Predictions stand beside what was measured, each with its error."""

import pytest
from rich.console import Console

from benchmarks.throughput.accuracy import AIMS, CALIBRATION, HELD_OUT, Row, median_errors, rows_of, table
from cluster.planner.fitted import Predicted
from tests.cluster.planner.test_fitted import TRUTH, measured, profile_of

PROFILE = profile_of((measured(1),), fit=TRUTH)


def test_nothing_that_is_held_out_was_calibrated_on() -> None:
    assert not {*CALIBRATION} & {*HELD_OUT}
    assert [streams for streams, _ in CALIBRATION] == [1, 2, 4, 8, 16, 32]


def test_true_step_times_predict_what_was_measured() -> None:
    point = HELD_OUT[1]

    [row] = rows_of(PROFILE, {point: measured(point[0])})

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
