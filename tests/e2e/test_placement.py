"""On a real Ray of three nodes: each model stands where its class and site say, and one whose numbers alone change goes on meanwhile."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 400

pytestmark = [pytest.mark.e2e, pytest.mark.exam]


@pytest.fixture(scope="module")
def seen() -> Iterator[dict[str, Any]]:
    # A socket's path is short: not below pytest's own folder.
    folder = Path(tempfile.mkdtemp(prefix="lane-"))
    environment = dict(os.environ) | {
        "LANE_HOME": str(folder / "home"),
        "RAY_TMPDIR": str(folder),
        "PYTHONPATH": str(ROOT),
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tests.e2e.placing"],
            cwd=ROOT,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        # The nodes of Ray speak on stdout as they end.
        yield next(orjson.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_each_model_stands_on_a_node_of_its_class_and_site(seen: dict[str, Any]) -> None:
    assert seen["stands"] == {"small": "three", "large": "two", "staged": "three"}


def test_ranks_of_one_group_share_a_bundle_and_stages_have_one_for_each_rank(seen: dict[str, Any]) -> None:
    assert seen["groups"] == {"1": ["two"], "4": ["three"] * 4}


def test_a_model_that_no_node_holds_whole_is_refused_though_there_are_gpus_enough_in_all(seen: dict[str, Any]) -> None:
    assert "no node has room for huge" in seen["no_room"]


def test_other_numbers_start_no_engine_again_and_cut_no_request(seen: dict[str, Any]) -> None:
    assert seen["same_application"]
    assert seen["went_on"]
    assert seen["held_by_the_first"]
    assert seen["replicas"] == 2
