"""A wrong byte keeps a model from ever being ready and is named, while another model of the same bundle goes on serving under load."""

import json
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from models.weights.starts import read_starts
from models.weights.verify import admit
from serving.settings import read_settings
from tests.e2e.steady_load import Asked, Load, wait_for
from tests.e2e.systems import MODEL, RunningSystem, lane, running_system

pytestmark = pytest.mark.e2e

STARTER = Path(__file__).parents[2] / "config" / "starter"
DAMAGED = "damaged"
WEIGHTS = "model.safetensors"


def _flip_a_byte(folder: Path) -> None:
    """As a bad cable or a careless hand would: one bit of one byte, and the file's own time says nothing."""
    file = folder / WEIGHTS
    before = file.stat()
    file.chmod(0o644)
    with file.open("r+b") as stream:
        stream.seek(before.st_size // 2)
        byte = stream.read(1)[0]
        stream.seek(before.st_size // 2)
        stream.write(bytes([byte ^ 1]))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is on this machine: a copy of the small model, hashed and sealed, of which a byte was changed since. Not the small one itself."""
    folder = tmp_path_factory.mktemp("models")
    shutil.copytree(read_settings(STARTER).models / MODEL, folder / DAMAGED)
    admit(folder / DAMAGED, (), datetime.now(UTC))
    _flip_a_byte(folder / DAMAGED)
    return folder


@pytest.fixture(scope="module")
def system(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """The starter's bundle with a second model, whose lane is `private`. The first is fetched by its replica from the site's mirror."""
    bundle = tmp_path_factory.mktemp("bundle") / "two"
    shutil.copytree(STARTER, bundle)
    healthy = yaml.safe_load((bundle / "models.yaml").read_text())["models"][0]
    second = healthy | {"name": DAMAGED, "folder": DAMAGED}
    (bundle / "models.yaml").write_text(yaml.safe_dump({"models": [healthy, second]}))
    lanes = yaml.safe_load((bundle / "lanes.yaml").read_text())
    lanes["lanes"] = [one for one in lanes["lanes"] if one["name"] != "embedding"]
    next(one for one in lanes["lanes"] if one["name"] == "private")["model"] = DAMAGED
    (bundle / "lanes.yaml").write_text(yaml.safe_dump(lanes, sort_keys=False))
    places = {"LANE_MODELS": str(models), "LANE_MODELS_FROM": str(read_settings(STARTER).models)}
    with running_system(bundle, places, up_code=1) as running:
        yield running


def _status(system: RunningSystem) -> dict[str, Any]:
    return dict(json.loads(lane(system.environment, "status", "--json", code=1))["status"])


def test_the_damaged_model_is_never_ready_and_its_file_is_named_while_the_other_serves_under_load(
    system: RunningSystem, models: Path
) -> None:
    up = json.loads(system.up_said)
    assert up["ready"] is False
    assert f"{WEIGHTS}: its bytes are not those of the manifest" in up["refused"][DAMAGED]
    questions = tuple(Asked(f"client {number}", "fast_small", "Name three clouds.", 16) for number in range(3))
    load = Load(system.address, system.key("local/default"), questions)
    load.start()
    try:
        wait_for(lambda: len(load.answered) >= 3, 60, "an answer to each client")
        # The healthy model's own folder goes bad under it: it has its weights in memory, and the reading names the file.
        _flip_a_byte(models / MODEL)
        (line,) = map(json.loads, lane(system.environment, "models", "verify", MODEL, "--json", code=1).splitlines())
        assert WEIGHTS in line["because"]
        wait_for(lambda: MODEL in _status(system)["altered"], 20, "the status that names the altered folder")
        status = _status(system)
        answered = len(load.answered)
        wait_for(lambda: len(load.answered) >= answered + 3, 60, "answers after that")
    finally:
        load.stop()

    assert WEIGHTS in status["refused"][DAMAGED]
    assert WEIGHTS in status["altered"][MODEL]
    assert not status["replicas"][f"private-{DAMAGED}"].get("RUNNING")
    assert status["replicas"][f"private-{MODEL}"] == {"RUNNING": 1}
    assert load.failed == []
    assert all(one.whole and one.status == 200 for one in load.answered)


def test_readiness_names_the_model_that_is_missing(system: RunningSystem) -> None:
    answer = httpx2.get(f"{system.address}/readyz", timeout=20, trust_env=False)

    assert answer.status_code == 503
    assert list(answer.json()["missing"]) == [DAMAGED]


def test_every_start_was_remembered_cold_and_refused(system: RunningSystem, models: Path) -> None:
    refused, (served,) = read_starts(models, DAMAGED), read_starts(models, MODEL)

    assert refused
    assert all(WEIGHTS in str(start.refused) and start.load_seconds is None for start in refused)
    assert (served.warm, served.refused) == (False, None)
    assert served.fetch_seconds > 0
    assert served.ready_seconds is not None
    assert served.ready_seconds > served.fetch_seconds + served.check_seconds
