import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from router.bundle.load import bundle_hash

STARTER = Path("config/starter")


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    folder = shutil.copytree(STARTER, tmp_path / "bundle")
    ladders = folder / "ladders.yaml"
    ladders.write_text(ladders.read_text().replace("lane: premium", "lane: premum"))
    return folder


def test_a_sound_bundle_is_exit_0_and_named_by_its_hash() -> None:
    result = CliRunner().invoke(app, ["bundle", "check", str(STARTER)])

    assert result.exit_code == 0
    assert bundle_hash(STARTER) in result.stdout


def test_a_finding_is_exit_1_with_file_line_and_mend(broken: Path) -> None:
    result = CliRunner().invoke(app, ["bundle", "check", str(broken)])

    assert result.exit_code == 1
    for said in ("ladders.yaml:8", "premum", "did you mean"):
        assert said in result.stdout


def test_as_json_each_finding_is_a_line(broken: Path) -> None:
    result = CliRunner().invoke(app, ["bundle", "check", str(broken), "--json"])

    assert result.exit_code == 1
    findings = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(one["file"], one["line"]) for one in findings] == [("ladders.yaml", 8), ("ladders.yaml", 13)]
    assert all(one["message"] and one["mend"] for one in findings)


def test_a_folder_that_is_none_is_bad_input(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["bundle", "check", str(tmp_path / "nowhere")]).exit_code == 2


def test_the_hash_is_printed_alone() -> None:
    result = CliRunner().invoke(app, ["bundle", "hash", str(STARTER)])

    assert result.stdout.strip() == bundle_hash(STARTER)
