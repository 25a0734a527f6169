import os
import subprocess
import sys
from pathlib import Path

from prometheus_client import REGISTRY

from serving.api import metrics

SET_AND_END = """
from prometheus_client import Counter, Gauge
Gauge("queue", "", multiprocess_mode="livemostrecent").set(7)
Counter("tokens", "").inc(3)
"""


def test_a_process_that_is_gone_takes_its_gauges_with_it_and_leaves_its_counts(tmp_path: Path) -> None:
    environment = dict(os.environ) | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", SET_AND_END], check=True, env=environment)
    assert len(list(tmp_path.glob("gauge_live*.db"))) == 1

    metrics._forget_the_dead(tmp_path)

    assert [file.name.partition("_")[0] for file in tmp_path.iterdir()] == ["counter"]


def test_a_process_that_lives_keeps_them(tmp_path: Path) -> None:
    file = tmp_path / f"gauge_livesum_{os.getpid()}.db"
    file.touch()

    metrics._forget_the_dead(tmp_path)

    assert file.exists()


def test_the_page_lists_every_metric_of_the_ingress() -> None:
    page = Path("docs/metrics.md").read_text()
    families = {family.name: family.type for family in REGISTRY.collect() if family.name.startswith("lane_")}

    assert len(families) > 8
    for name, kind in families.items():
        assert f"`{name}_total`" in page if kind == "counter" else f"`{name}`" in page
