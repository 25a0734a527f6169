import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANE_HOME", str(tmp_path / "home"))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["index", *arguments])


def test_a_question_and_a_file_of_questions_exclude_each_other() -> None:
    assert run("query", "help").exit_code == 2
    assert run("query", "help", "why?", "--input", "-").exit_code == 2


def test_a_question_without_text_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"id": 1, "question": " "}\n')

    ran = run("query", "help", "--input", str(tmp_path / "q.jsonl"), "--json")

    assert ran.exit_code == 2
    assert "line 1: a question is" in json.loads(ran.stdout)["error"]["message"]


def test_an_unknown_tenant_and_an_absent_index_are_said() -> None:
    assert run("add", "help", ".", "--tenant", "nobody").exit_code == 2
    ran = run("rm", "help", "--json")
    assert ran.exit_code == 1
    assert json.loads(ran.stdout)["error"]["code"] == "retrieval_unavailable"
