"""A model folder is what its manifest says, and holds no code."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import FolderUnfit
from models.manifest import MANIFEST, altered_files, unfit_files, verify_folder, weights_hash, write_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return _model_folder(tmp_path / "model")


def _model_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(bytes(range(256)) * 8)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "tokenizer").mkdir()
    (folder / "tokenizer" / "merges.txt").write_text("a b\n")
    return folder


def test_a_folder_just_written_verifies_and_has_the_hash_of_its_manifest(folder: Path) -> None:
    digest = write_manifest(folder)

    assert verify_folder(folder) == digest == weights_hash(folder)
    assert altered_files(folder) == ()


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is not installed")
def test_sha256sum_reads_the_manifest(folder: Path) -> None:
    write_manifest(folder)

    checked = subprocess.run(["sha256sum", "-c", MANIFEST], cwd=folder, capture_output=True, text=True, check=False)

    assert checked.returncode == 0
    assert "tokenizer/merges.txt: OK" in checked.stdout


@given(place=st.integers(0, 2047), flip=st.integers(1, 255))
def test_one_wrong_byte_names_the_file(tmp_path_factory: pytest.TempPathFactory, place: int, flip: int) -> None:
    folder = _model_folder(tmp_path_factory.mktemp("model") / "m")
    write_manifest(folder)
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[place] ^= flip
    (folder / "model.safetensors").write_bytes(weights)

    flaws = altered_files(folder)

    assert [flaw.file for flaw in flaws] == ["model.safetensors"]
    with pytest.raises(FolderUnfit, match=r"model\.safetensors: its bytes"):
        verify_folder(folder)


def test_a_missing_and_an_unlisted_file_are_both_named(folder: Path) -> None:
    write_manifest(folder)
    (folder / "tokenizer" / "merges.txt").rename(folder / "vocab.txt")

    assert {flaw.file for flaw in altered_files(folder)} == {"tokenizer/merges.txt", "vocab.txt"}


@pytest.mark.parametrize(
    "name",
    [
        "modeling_llama.py",
        "pytorch_model.bin",
        "deep/consolidated.00.PT",
        "weights.pkl",
        "x.so",
        "tool",
        "a.yaml",
        ".pth",
    ],
)
def test_code_other_weight_formats_and_what_nobody_knows_are_refused(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"x")

    assert [flaw.file for flaw in unfit_files(folder)] == [name]
    with pytest.raises(FolderUnfit, match="refused"):
        write_manifest(folder)
    assert not (folder / MANIFEST).exists()


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json", "processor_config.json"])
def test_auto_map_is_refused_in_every_configuration(folder: Path, name: str) -> None:
    (folder / name).write_text(json.dumps({"auto_map": {"AutoConfig": "evil.Config"}}))

    assert [flaw.file for flaw in unfit_files(folder)] == [name]


@pytest.mark.parametrize(
    ("asked", "value"),
    [
        ("auto_map", {"text_config": {"auto_map": {"AutoModel": "evil.Model"}}}),
        ("auto_map", {"parts": [{"auto_map": ["evil.Tokenizer", None]}]}),
        ("custom_pipelines", {"custom_pipelines": {"x": {"impl": "evil.Pipeline"}}}),
    ],
)
def test_code_that_is_asked_for_further_down_is_refused(folder: Path, asked: str, value: object) -> None:
    (folder / "config.json").write_text(json.dumps(value))

    (flaw,) = unfit_files(folder)

    assert f"`{asked}`" in flaw.because


def test_a_vocabulary_may_have_the_word(folder: Path) -> None:
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": {"auto_map": 7}}}))

    assert unfit_files(folder) == ()


def test_what_a_repository_says_of_itself_may_lie_there(folder: Path) -> None:
    for name in ("README.md", ".gitattributes", "LICENSE", "USE_POLICY.md", "Notice"):
        (folder / name).write_text("x")

    assert unfit_files(folder) == ()


def test_a_manifest_does_not_vouch_for_code(folder: Path) -> None:
    write_manifest(folder)
    (folder / "extra.py").write_text("print()")
    with (folder / MANIFEST).open("a") as manifest:
        manifest.write("8e1fcd5a5ac85a0ec77ae36dbe66fab7ff9b3bac4aae8dcb9d2f2ba8f7ba3d6c  extra.py\n")

    with pytest.raises(FolderUnfit, match=r"extra\.py: code"):
        verify_folder(folder)


def test_a_link_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "linked.txt").symlink_to(tmp_path)

    assert [flaw.file for flaw in unfit_files(folder)] == ["linked.txt"]


def test_a_folder_without_weights_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()

    assert [flaw.file for flaw in unfit_files(folder)] == ["*.safetensors"]


@pytest.mark.parametrize(
    "manifest", ["no manifest at all", "abc  model.safetensors\n", f"{'0' * 64} model.safetensors\n"]
)
def test_a_broken_manifest_vouches_for_nothing(folder: Path, manifest: str) -> None:
    (folder / MANIFEST).write_text(manifest)

    assert [flaw.file for flaw in altered_files(folder)] == [MANIFEST]


def test_no_manifest_says_what_to_run(folder: Path) -> None:
    with pytest.raises(FolderUnfit, match="make setup"):
        verify_folder(folder)


def test_the_hash_names_every_file_not_the_weights_alone(folder: Path) -> None:
    before = write_manifest(folder)
    (folder / "config.json").write_text('{"model_type": "qwen3"}')

    assert write_manifest(folder) != before
