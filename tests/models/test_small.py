"""The small model is the one that was meant, fetched once, and never half there."""

from pathlib import Path

import pytest
from rich.console import Console

from models.errors import FolderUnfit, UnknownModelSource
from models.fetch import fetch, main
from models.manifest import sha256_of, write_manifest
from models.small import NAME, SOURCE_SHA256, fetch_small, source_file


def _ignore(stage: str, done: int, total: int) -> None:
    """A progress report that nobody reads."""


def _ready_folder(models: Path) -> Path:
    folder = models / NAME
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights" * 1000)
    (folder / "config.json").write_text("{}")
    write_manifest(folder)
    return folder


def test_the_installed_distribution_carries_the_pinned_file() -> None:
    assert sha256_of(source_file()) == SOURCE_SHA256


def test_a_whole_folder_is_verified_and_kept(tmp_path: Path) -> None:
    folder = _ready_folder(tmp_path)
    before = (folder / "model.safetensors").stat().st_mtime_ns
    stages: list[tuple[str, int, int]] = []

    fetched, _ = fetch_small(tmp_path, lambda *stage: stages.append(stage))

    assert fetched == folder
    assert (folder / "model.safetensors").stat().st_mtime_ns == before
    assert {stage for stage, _, _ in stages} == {"verify"}
    assert stages[-1][1] == stages[-1][2] == 7002


def test_an_altered_folder_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    folder = _ready_folder(tmp_path)
    (folder / "config.json").write_text("[]")

    with pytest.raises(FolderUnfit, match=r"config\.json"):
        fetch_small(tmp_path, _ignore)
    assert (folder / "config.json").read_text() == "[]"


def test_the_command_exits_with_1_and_names_the_altered_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = _ready_folder(tmp_path)
    (folder / "config.json").write_text("[]")

    code = main([NAME, "--into", str(tmp_path)])

    assert code == 1
    assert "config.json: its bytes" in capfd.readouterr().err


def test_a_model_without_a_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelSource, match="giant-9b"):
        fetch("giant-9b", tmp_path, Console(stderr=True))


@pytest.mark.exam
@pytest.mark.filterwarnings("ignore")
def test_the_fetched_folder_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    first, digest = fetch_small(tmp_path / "a", _ignore)
    _, again = fetch_small(tmp_path / "b", _ignore)

    assert digest == again
    assert {path.name for path in first.parent.iterdir()} == {NAME}
