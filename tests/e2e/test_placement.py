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
    stands = {name: seen["stands"][name] for name in ("small", "large", "staged")}
    assert stands == {"small": "three", "large": "two", "staged": "three"}


def test_stages_have_a_bundle_for_each_rank_and_nothing_else_needs_one(seen: dict[str, Any]) -> None:
    assert seen["groups"] == {"4": ["three"] * 4}


def test_replicas_of_a_tensor_parallel_model_stand_on_different_nodes_though_each_has_room_for_both(
    seen: dict[str, Any],
) -> None:
    assert seen["spread"]["pair"] == ["one", "two"]


def test_no_replica_stands_under_a_law_that_its_lanes_do_not_claim(seen: dict[str, Any]) -> None:
    assert seen["spread"]["lawful"] == ["three"] * 3
    assert "no node has room for bound (0.1 CPU and 2 GPU of class l40s under the law of eu)" in seen["no_room_there"]


def test_a_model_that_no_node_holds_whole_is_refused_though_there_are_gpus_enough_in_all(seen: dict[str, Any]) -> None:
    assert "no node has room for huge" in seen["no_room"]


def test_a_replica_that_finds_no_node_says_what_it_asks_for(seen: dict[str, Any]) -> None:
    assert seen["lacks"] == {"huge": "0.1 CPU and 4 GPU of class h100 under the law of us", "small": None}


def test_other_numbers_start_no_engine_again_and_cut_no_request(seen: dict[str, Any]) -> None:
    assert seen["same_application"]
    assert seen["went_on"]
    assert seen["held_by_the_first"]
    assert seen["replicas"] == 2
