"""The factors that ship come close to the figures they were fitted to."""

import os
from pathlib import Path

import numpy as np
import pytest

from benchmarks.capacity.fit import error_of, read_published
from cluster.planner.efficiencies import calibration

TABLE = Path(os.environ.get("LANE_DATA", "../shared/data")) / "capacity" / "published_throughput.csv"


@pytest.mark.skipif(not TABLE.exists(), reason="the table of published figures is not here (LANE_DATA)")
def test_half_of_the_published_figures_are_met_within_a_tenth() -> None:
    figures = read_published(TABLE)

    errors = [abs(np.expm1(error_of(one, calibration().factors))) for one in figures]

    assert len(figures) > 100
    assert np.median(errors) < 0.10


def test_pairs_of_model_and_gpu_that_were_held_out_are_met_within_15_percent_at_the_median() -> None:
    assert calibration().median_error <= 0.15
