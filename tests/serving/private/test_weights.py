"""A replica's start: from bytes that are as they were fetched, or not at all; and how long it took is kept."""

import asyncio
from pathlib import Path

import pytest

from models.manifest import write_manifest
from models.spec import ModelSpec
from models.weights.starts import read_starts
from router.errors import LaneUnreachable
from serving.private.weights import Preparation, SlotKeeper, WeightsPolicy


@pytest.fixture
def spec() -> ModelSpec:
    return ModelSpec(name="m", family="llama", source="local", folder="m", licence="-", context_tokens=4096)


def _model_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(bytes(range(256)))
    (folder / "config.json").write_text("{}")
    write_manifest(folder)
    return folder


def _start(spec: ModelSpec, folder: Path, policy: WeightsPolicy | None = None, *adapters: Path) -> None:
    preparation = Preparation(spec, folder, policy or WeightsPolicy())
    asyncio.run(preparation.run(adapters))
    preparation.ready()


def test_the_first_start_hashes_the_second_is_warm_and_both_are_kept(spec: ModelSpec, tmp_path: Path) -> None:
    folder = _model_folder(tmp_path / "m")

    _start(spec, folder)
    _start(spec, folder)

    cold, warm = read_starts(tmp_path, "m")
    assert (cold.warm, warm.warm) == (False, True)
    assert warm.ready_seconds is not None
    assert warm.refused is None


def test_a_wrong_byte_keeps_the_engine_from_starting_and_its_file_stands_in_the_record(
    spec: ModelSpec, tmp_path: Path
) -> None:
    folder = _model_folder(tmp_path / "m")
    (folder / "model.safetensors").write_bytes(bytes(256))

    with pytest.raises(LaneUnreachable, match=r"model\.safetensors: its bytes"):
        _start(spec, folder)

    (refused,) = read_starts(tmp_path, "m")
    assert refused.load_seconds is None
    assert "model.safetensors" in str(refused.refused)


def test_an_adapter_is_looked_at_like_the_model(spec: ModelSpec, tmp_path: Path) -> None:
    folder, adapter = _model_folder(tmp_path / "m"), _model_folder(tmp_path / "a")
    (adapter / "evil.py").write_text("print()")

    with pytest.raises(LaneUnreachable, match=r"evil\.py"):
        _start(spec, folder, None, adapter)


def test_where_signers_are_named_an_unsigned_folder_is_not_loaded(spec: ModelSpec, tmp_path: Path) -> None:
    signers = tmp_path / "model-signers"
    signers.mkdir()
    (signers / "site.pub").write_text("-")

    with pytest.raises(LaneUnreachable, match=r"MANIFEST\.sha256\.sig is not there"):
        _start(spec, _model_folder(tmp_path / "models" / "m"), WeightsPolicy(signers=signers))


def test_a_folder_that_is_nowhere_says_how_to_get_it(spec: ModelSpec, tmp_path: Path) -> None:
    with pytest.raises(LaneUnreachable, match="lane models fetch m"):
        _start(spec, tmp_path / "m")


def test_the_slots_are_given_back() -> None:
    keeper = SlotKeeper(1)
    assert keeper.ask("a")
    assert not keeper.ask("b")

    keeper.give_back("a")

    assert keeper.ask("b")
