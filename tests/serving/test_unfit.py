"""A model that was given up is named with its replica's own reason; one whose folder went bad under it is named too."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.errors import FolderUnfit
from models.manifest import write_manifest
from models.spec import ModelSpec
from models.weights.starts import Start, record_start
from models.weights.verify import admit
from serving.in_service import InService
from serving.statuses import ApplicationState, DeploymentState
from serving.unfit import altered_models, refused_models

NOW = datetime(2026, 11, 24, 19, tzinfo=UTC)
VERSION = InService(
    bundle_hash="0" * 64, folder=Path("bundle"), models={"good": "model-good-1", "bad": "model-bad-1"}, hosted=False
)


def _application(status: str, said: str = "") -> ApplicationState:
    return ApplicationState(status, "", {"d": DeploymentState({}, said)})


def _start(model: str, refused: str | None) -> Start:
    return Start(
        model=model,
        weights_hash="",
        at=NOW,
        warm=False,
        fetch_seconds=0,
        check_seconds=0,
        load_seconds=1,
        refused=refused,
    )


def test_a_model_that_serve_gave_up_is_refused_in_its_replica_s_words(tmp_path: Path) -> None:
    applications = {
        "model-good-1": _application("RUNNING"),
        "model-bad-1": _application("DEPLOY_FAILED", "a traceback"),
    }
    assert refused_models(VERSION, applications, tmp_path) == {"bad": "a traceback"}

    record_start(tmp_path, _start("bad", "model.safetensors: its bytes"))

    assert refused_models(VERSION, applications, tmp_path) == {"bad": "model.safetensors: its bytes"}


def test_a_refusal_that_was_mended_is_not_told_again(tmp_path: Path) -> None:
    record_start(tmp_path, _start("bad", "model.safetensors: its bytes"))
    record_start(tmp_path, _start("bad", None))

    assert refused_models(VERSION, {"model-bad-1": _application("DEPLOYING")}, tmp_path) == {}


def test_a_model_that_is_late_is_told_until_it_runs(tmp_path: Path) -> None:
    late = {"model-bad-1"}
    waits, runs = _application("DEPLOYING", "no node has room"), _application("RUNNING")

    assert "no node has room" in refused_models(VERSION, {"model-bad-1": waits}, tmp_path, late)["bad"]
    assert refused_models(VERSION, {"model-bad-1": runs}, tmp_path, late) == {}


def test_a_folder_that_was_found_altered_is_named_with_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    write_manifest(folder)
    admit(folder, (), NOW)
    spec = ModelSpec(name="m", family="llama", source="local", folder="m", licence="-", context_tokens=4096)
    assert altered_models([spec], tmp_path) == {}

    (folder / "model.safetensors").write_bytes(b"weighty")
    with pytest.raises(FolderUnfit):
        admit(folder, (), NOW)

    assert altered_models([spec], tmp_path)["m"].startswith("model.safetensors: its bytes")
