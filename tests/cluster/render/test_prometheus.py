import dataclasses
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster.nodes.inventory import Node
from cluster.nodes.units import NODE_METRICS_PORT, RAY_METRICS_PORT
from cluster.render.alerts import alerts
from cluster.render.prometheus import prometheus_files
from router.bundle import Bundle

ROOT = Path(__file__).parents[3]


def scraped(files: Mapping[str, str]) -> dict[str, list[str]]:
    jobs = yaml.safe_load(files["prometheus/prometheus.yaml"])["scrape_configs"]
    return {job["job_name"]: [one for group in job["static_configs"] for one in group["targets"]] for job in jobs}


def test_each_machine_is_asked_for_what_it_has_and_no_engine_twice(files: Mapping[str, str]) -> None:
    assert scraped(files) == {
        "lane": ["10.20.0.11:8000"],
        "lane-engines": [f"10.20.0.12:{NODE_METRICS_PORT}", f"10.20.0.13:{NODE_METRICS_PORT}"],
        "lane-ray": [f"10.20.0.{last}:{RAY_METRICS_PORT}" for last in (11, 12, 13)],
        "lane-gpu": [f"10.20.0.{last}:9400" for last in (11, 12, 13)],
        "lane-entry": ["10.20.0.31:8404", "10.20.0.32:8404"],
    }


def test_machines_without_gpus_get_neither_targets_nor_alerts_for_them(starter: Bundle) -> None:
    node = Node(name="box", head=True, memory_gib=8, cpus=4, site="here", jurisdiction="de")

    files = prometheus_files(starter, [node])

    assert "lane-gpu" not in scraped(files)
    assert "LaneGpu" not in files["prometheus/lane-rules.yaml"]


def test_a_bundle_from_which_nothing_leaves_has_no_alert_on_the_deep_scan(starter: Bundle, machines: Any) -> None:
    private = {name: lane for name, lane in starter.lanes.items() if not lane.is_hosted}

    found = alerts(dataclasses.replace(starter, lanes=private), machines)

    assert "LaneDeepScanMiss" not in {alert.name for alert in found}


def test_a_lane_is_slow_by_its_own_patience(starter: Bundle, machines: Any) -> None:
    slow = {alert.told_apart_by["lane"]: alert.expr for alert in alerts(starter, machines) if alert.told_apart_by}

    assert slow["premium"].endswith("> 10")
    assert slow["private"].endswith("> 45")


def test_every_alert_says_what_to_do_and_asks_for_metrics_that_exist(starter: Bundle, machines: Any) -> None:
    page = (ROOT / "docs" / "metrics.md").read_text()

    for alert in alerts(starter, machines):
        assert alert.summary
        assert len(alert.action) > 20
        for name in re.findall(r"\b(?:lane|ray)_\w+", alert.expr):
            assert f"`{name.removesuffix('_bucket')}`" in page


@pytest.mark.slow
def test_promtool_takes_the_files_and_every_alert_is_raised_and_stays_quiet_as_it_should(
    files: Mapping[str, str], tmp_path: Path, debian_tool: Any
) -> None:
    promtool = debian_tool("promtool", "prometheus", os.environ.get("LANE_PROMTOOL"))
    for name, text in files.items():
        if name.startswith("prometheus/"):
            (tmp_path / Path(name).name).write_text(text)

    for command in (["check", "config", "prometheus.yaml"], ["test", "rules", "lane-rules.test.yaml"]):
        done = subprocess.run([promtool, *command], cwd=tmp_path, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "lint error" not in done.stdout + done.stderr
