"""`lane budgets`: read from the file, whether or not anything runs."""

import json
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from router.budgets import Account, Amounts, Limits, day_of
from serving.budgets.accounts import BudgetAccounts
from serving.budgets.wire import Reserve, Settle

pytestmark = pytest.mark.slow

STARTER = Path("config/starter").resolve()
LIMITED = """    daily: {cost_usd: 2.0, latency_seconds: 90, output_tokens: 1000, zone: Europe/Berlin}
    daily_by_route:
      everyday_easy: {tool_calls: 5}
"""


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    shutil.copytree(STARTER, folder)
    text = (folder / "tenants.yaml").read_text()
    routes = [
        line.split("id:")[1].strip() for line in (folder / "routes.yaml").read_text().splitlines() if "- id:" in line
    ]
    limited = LIMITED.replace("everyday_easy", routes[0])
    (folder / "tenants.yaml").write_text(text.replace("  - org: local\n", f"  - org: local\n{limited}", 1))
    return folder


@pytest.fixture
def lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("LANE_HOME", str(tmp_path / "home"))
    return lambda *arguments: CliRunner().invoke(app, ["budgets", *arguments])


def rows(result: Result) -> dict[str, dict[str, Any]]:
    return {row["what"]: row for row in map(json.loads, result.stdout.splitlines())}


def test_what_is_used_reserved_and_left_is_shown(lane: Any, bundle: Path, tmp_path: Path) -> None:
    day = day_of(datetime.now(UTC), "Europe/Berlin")
    accounts = BudgetAccounts(tmp_path / "home" / "state.sqlite", time.time)
    for name in ("a", "b"):
        accounts.reserve(
            Reserve(
                id=name,
                trace_id="0" * 32,
                accounts=(Account(org="local", limits=Limits()),),
                day=day,
                amounts=Amounts(cost=500_000_000, latency=30_000, output_tokens=300),
                lapse_seconds=600,
            )
        )
    accounts.settle(Settle(id="a", used=Amounts(cost=250_000_000, latency=1_500, output_tokens=100)))
    accounts.close()

    found = rows(lane("--bundle", str(bundle), "--json"))

    cost, tokens, calls = found["cost_usd"], found["output_tokens"], found["tool_calls"]
    assert (cost["limit"], cost["used"], cost["reserved"], cost["left"]) == (2.0, 0.25, 0.5, 1.25)
    time_ = found["latency_seconds"]
    assert (time_["limit"], time_["used"], time_["reserved"], time_["left"]) == (90.0, 1.5, 30.0, 58.5)
    assert (tokens["used"], tokens["reserved"], tokens["left"]) == (100, 300, 600)
    assert (calls["left"], calls["used"], calls["zone"]) == (5, 0, "Europe/Berlin")
    assert (cost["route"], calls["route"] is None) == (None, False)


def test_before_anything_ran_all_of_it_is_left(lane: Any, bundle: Path) -> None:
    found = rows(lane("--bundle", str(bundle), "--org", "local", "--json"))
    table = lane("--bundle", str(bundle))

    assert found["cost_usd"]["left"] == 2.0
    assert "2.0000" in table.stdout


def test_a_tenant_that_is_not_there_is_bad_input_and_one_without_a_budget_has_none(lane: Any, bundle: Path) -> None:
    assert lane("--bundle", str(bundle), "--org", "moon").exit_code == 2

    none = lane("--bundle", str(bundle), "--org", "example-eu", "--json")

    assert (none.exit_code, none.stdout) == (0, "")
    assert "tenant example-eu has no daily budget" in none.stderr
