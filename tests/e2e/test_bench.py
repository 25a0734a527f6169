"""A sweep through the real lane leaves figures, pictures and a profile behind."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.throughput.report import read_report
from cluster.profile import profiles_of
from tests.e2e.systems import MODEL, RunningSystem, lane

pytestmark = pytest.mark.e2e

LEVELS = (1, 2, 4)
SWEEP = ("bench", "run", MODEL, "--levels", "1,2,4", "--isl", "64", "--osl", "8", "--slo", "ttft_p95=60s", "--json")


@pytest.fixture(scope="module")
def run(system: RunningSystem, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """One sweep on the system that all of these tests share; its folder, and the lines that it printed."""
    folder = tmp_path_factory.mktemp("bench") / "run"
    said = lane(system.environment, *SWEEP, "--out", str(folder))
    return folder, [json.loads(line) for line in said.splitlines()]


def test_every_level_is_measured_with_the_lengths_asked_for(run: tuple[Path, list[dict[str, Any]]]) -> None:
    _, (*levels, _) = run

    assert [level["concurrency"] for level in levels] == [*LEVELS]
    for level in levels:
        assert (level["input_tokens"], level["output_tokens"], level["failed"]) == (64, 8, 0)
        assert level["output_tokens_per_second"] > 0
        assert 0 < level["ttft"]["p50"] <= level["ttft"]["p95"] <= level["end_to_end"]["p99"]
        assert level["slo_met"] is True
        assert level["goodput_requests_per_second"] > 0
        assert level["kv_use"] is not None
        assert level["prefix_hits"] < 0.5


def test_the_profile_is_where_the_planner_looks(run: tuple[Path, list[dict[str, Any]]], system: RunningSystem) -> None:
    profile, *_ = profiles_of(system.settings.profiles, MODEL)

    assert run[1][-1]["profile"].startswith(str(system.settings.profiles))
    assert (profile.side, profile.kv_capacity_tokens is not None) == ("lane", True)
    assert profile.machine.cores >= 1
    assert profile.machine.gpu == "cpu"
    assert profile.fit is not None
    assert [point.concurrency for point in profile.points] == [*LEVELS]
    assert {shape for point in profile.points for shape in point.shapes} == {(64, 8)}


def test_the_folder_holds_a_page_pictures_and_every_request(
    run: tuple[Path, list[dict[str, Any]]], system: RunningSystem
) -> None:
    folder, (*_, last) = run
    report = read_report(folder)

    assert "<svg" in Path(last["page"]).read_text()
    assert all(Path(file).read_bytes().startswith(b"\x89PNG") for file in last["pictures"])
    assert len(last["pictures"]) == 2
    assert [len(level.ttft_seconds) for level in report.requests] == [point.requests for point in report.profile.points]
    assert json.loads(
        lane(system.environment, "bench", "compare", str(folder), str(folder), "--json").splitlines()[-1]
    ) == {
        "worse": False,
        "differences": [],
    }
