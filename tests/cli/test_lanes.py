"""`lane lanes`: a person closes a lane here and now, whatever else works."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app

pytestmark = pytest.mark.slow

STARTER = Path("config/starter").resolve()


@pytest.fixture
def lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("LANE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments))

    return run


def lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_switching_off_needs_nothing_that_runs_and_shows_in_the_list_and_in_a_decision(lane: Any) -> None:
    off = lane("lanes", "off", "private", "--because", "bad weights", "--json")
    listed = lines(lane("lanes", "list", "--json"))
    decided = lines(lane("decide", "--live", "--json", "--model", "private", "Hello"))

    assert off.exit_code == 0
    assert "holds from the next start" in off.stderr
    [private] = [row for row in listed if row["lane"] == "private"]
    assert (private["kind"], private["on"]) == ("private", False)
    assert private["because"].endswith("because bad weights")
    [closed] = decided[0]["decision"]["closed"]
    assert closed["because"].startswith("off now: switched off by ")
    assert closed["because"].endswith(" because bad weights")


def test_on_again_is_on_again_and_twice_does_no_harm(lane: Any) -> None:
    lane("lanes", "off", "premium")

    first, second = lane("lanes", "on", "premium", "--json"), lane("lanes", "on", "premium", "--json")

    assert lines(first) == [{"lane": "premium", "on": True, "because": ""}]
    assert lines(second) == [{"lane": "premium", "on": True, "because": "it was not switched off"}]
    assert all(row["on"] for row in lines(lane("lanes", "list", "--json")))


def test_a_lane_that_is_not_there_is_bad_input(lane: Any) -> None:
    result = lane("lanes", "off", "premum", "--json")

    assert result.exit_code == 2
    assert "it has fast_small, private, premium" in lines(result)[0]["error"]["message"]


def test_a_bundle_that_does_not_check_stops_nobody_from_switching_off(lane: Any, tmp_path: Path) -> None:
    broken = tmp_path / "bundle"
    broken.mkdir()

    result = lane("lanes", "off", "premium", "--bundle", str(broken))

    assert result.exit_code == 0
    assert "does not check" in result.stderr
    assert [row["lane"] for row in lines(lane("lanes", "list", "--json")) if not row["on"]] == ["premium"]


def test_the_table_shows_what_is_off_to_a_person(lane: Any) -> None:
    lane("lanes", "off", "premium", "--because", "leaks")

    shown = lane("lanes", "list").stdout

    assert "private" in shown
    assert "leaks" in shown
