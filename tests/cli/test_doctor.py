"""`lane doctor` prints a check a line, and its exit code is the answer."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cli.doctor import doctor


@pytest.fixture
def command() -> typer.Typer:
    app = typer.Typer()
    app.command()(doctor)
    return app


def test_a_bundle_that_is_not_there_fails_with_a_mend_and_exit_code_1(command: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [str(tmp_path / "none"), "--json"])

    checks = [json.loads(line) for line in result.stdout.splitlines()]
    failed = {check["name"]: check for check in checks if check["verdict"] == "fail"}
    assert result.exit_code == 1
    assert "bundle" in failed
    assert all(check["mend"] for check in failed.values())


def test_json_is_compact_and_holds_one_check_a_line(command: typer.Typer) -> None:
    result = CliRunner().invoke(command, ["--json"])

    lines = result.stdout.splitlines()
    assert [json.dumps(json.loads(line), separators=(",", ":"), ensure_ascii=False) for line in lines] == lines
    assert {"python", "engine", "torch", "packages", "package names", "cpu", "memory", "port", "bundle"} <= {
        json.loads(line)["name"] for line in lines
    }


def test_the_table_names_each_check_and_says_how_many_to_mend(command: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [str(tmp_path / "none")])

    assert "package names" in result.stdout
    assert "to mend" in result.stdout
