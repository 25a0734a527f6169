import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app

pytestmark = pytest.mark.slow

STARTER = Path("config/starter")
OPENED = (
    (
        "boundary/lanes.cedar",
        'unless { [Level::"public", Level::"internal"].contains(context.level) }',
        "unless { true }",
    ),
    (
        "boundary/lanes.cedar",
        '  [Level::"public", Level::"internal"].contains(context.level) &&',
        '  context.level != Level::"restricted" &&',
    ),
)
"""Confidential text may leave."""


@pytest.fixture
def edited(tmp_path: Path) -> Callable[..., Path]:
    def edit(*edits: tuple[str, str, str]) -> Path:
        folder = shutil.copytree(STARTER, tmp_path / "bundle")
        for file, old, new in edits:
            text = (folder / file).read_text()
            assert old in text
            (folder / file).write_text(text.replace(old, new, 1))
        return folder

    return edit


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_check_is_the_bundles_own_check(edited: Callable[..., Path]) -> None:
    assert run("policy", "check", STARTER).exit_code == 0

    broken = edited(*OPENED)

    assert run("policy", "check", broken).stdout == run("bundle", "check", broken).stdout
    assert run("policy", "check", broken).exit_code == 1


def test_prove_says_a_line_a_property_with_its_method_and_exits_0() -> None:
    result = run("policy", "prove", STARTER, "--json")

    assert result.exit_code == 0
    for line in lines(result):
        assert (line["holds"], line["method"], line["counterexample"]) == (True, "exhaustive", None)
        assert line["questions"] > 500_000


def test_the_counterexample_of_a_broken_property_is_a_line_that_decide_takes_and_shows(
    edited: Callable[..., Path], tmp_path: Path
) -> None:
    broken = edited(*OPENED)

    result = run("policy", "prove", broken, "--json")

    assert result.exit_code == 1
    (proof,) = [line for line in lines(result) if not line["holds"]]
    assert (proof["property"], proof["confirmed"]) == ("confidential-never-leaves", True)
    requests = tmp_path / "requests.jsonl"
    requests.write_text(json.dumps(proof["counterexample"]))
    decided = run("decide", "--bundle", broken, "--input", requests)
    (line,) = lines(decided)
    assert proof["counterexample"]["model"] in [rung["lane"] for rung in line["decision"]["ladder"]]
    assert "breaks `confidential-never-leaves`" in decided.stderr


def test_a_bundle_that_breaks_its_promises_is_looked_at_and_never_loaded_to_run(edited: Callable[..., Path]) -> None:
    from router.bundle import load_bundle
    from router.errors import BundleInvalid

    with pytest.raises(BundleInvalid, match="confidential-never-leaves"):
        load_bundle(edited(*OPENED))


def test_rules_that_do_nothing_are_lines_only_where_asked_for() -> None:
    idle = [line for line in lines(run("policy", "prove", STARTER, "--json", "--rules")) if "kind" in line]

    assert {"note"} == {line["severity"] for line in idle}
    assert all("property" in line for line in lines(run("policy", "prove", STARTER, "--json")))


def test_prove_reads_well_to_a_person(edited: Callable[..., Path]) -> None:
    said = run("policy", "prove", edited(*OPENED)).stdout

    for part in ("Exhaustive", "BROKEN", "holds", "lane decide shows it", "Second locks"):
        assert part in said


def test_the_starters_cases_pass_and_a_wrong_one_is_exit_1(edited: Callable[..., Path]) -> None:
    assert run("policy", "test", STARTER).exit_code == 0

    wrong = edited(("tests.yaml", "route: everyday, lane: fast_small", "route: everyday, lane: premium"))

    result = run("policy", "test", wrong)
    assert result.exit_code == 1
    assert "premium" in result.stdout
    (failed,) = [line for line in lines(run("policy", "test", wrong, "--json")) if not line["passed"]]
    assert failed["differences"] == [{"what": "lane", "expected": "premium", "actual": "fast_small"}]
    assert failed["file"] == "tests.yaml"


def test_diff_of_a_bundle_with_itself_is_exit_0_and_with_one_that_opens_exit_1(edited: Callable[..., Path]) -> None:
    same = run("policy", "diff", STARTER, STARTER, "--json")
    assert (same.exit_code, lines(same)[-1]["changed"]) == (0, 0)

    wider = edited(*OPENED)
    opened = run("policy", "diff", STARTER, wider, "--json")

    assert opened.exit_code == 1
    (shift,) = [line for line in lines(opened) if line["kind"] == "opens"]
    assert shift["example"]["level"] == "confidential"
    assert lines(opened)[-1]["newly_leaves"] is True
    assert "Newly leaves" in run("policy", "diff", STARTER, wider).stdout


def test_diff_over_a_log_counts_what_changes(edited: Callable[..., Path], tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(
        '{"id": "a", "text": "What is the capital of France?"}\n\n{"id": "b", "text": "Hello", "mode": "batch"}\n'
    )
    moved = edited(
        (
            "routes.yaml",
            '    when: mode == "batch"\n    lane: fast_small',
            '    when: mode == "batch"\n    lane: private',
        )
    )

    result = run("policy", "diff", STARTER, moved, "--log", log, "--json")

    assert result.exit_code == 0
    assert lines(result)[0] == {
        "kind": "request",
        "id": "b",
        "changes": {"lane": {"before": "fast_small", "after": "private"}},
        "newly_leaves_by": [],
    }
    assert lines(result)[-1]["counts"] == {"lane": 1}


def test_a_log_with_a_line_that_is_no_json_is_bad_input(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"text": "Hello"}\nnot json\n')

    result = run("policy", "diff", STARTER, STARTER, "--log", log)

    assert result.exit_code == 2
    assert "line 2" in result.stderr


@pytest.mark.parametrize("as_file", [True, False])
def test_why_takes_a_line_or_a_file_that_holds_one(as_file: bool, tmp_path: Path) -> None:
    line = json.dumps({"text": "Hello", "model": "premium", "labels": {"level": "confidential"}})
    if as_file:
        (tmp_path / "request.json").write_text(line)
        line = str(tmp_path / "request.json")

    (found,) = lines(run("policy", "why", line, "--bundle", STARTER, "--json"))

    assert found["decision"]["lane"] is None
    assert [lane["allowed"] for lane in found["lanes"]] == [False]
    assert {"id": "sensitive-stays-private", "effect": "forbid"}.items() <= found["lanes"][0]["policies"][-1].items()


def test_why_tells_a_text_rule_by_rule() -> None:
    said = run("policy", "why", "My card is 4111 1111 1111 1111.", "--bundle", STARTER).stdout

    for part in ("Labels that join", "Tier rules", "restricted-data", "Routes", "sensitive_private", "Lanes", "allows"):
        assert part in said


def test_a_folder_that_is_none_is_bad_input(tmp_path: Path) -> None:
    for command in ("check", "prove", "test"):
        assert run("policy", command, tmp_path / "nowhere").exit_code == 2
