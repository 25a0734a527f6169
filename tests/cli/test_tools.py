import json
import shutil
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from cli.main import app
from router.bundle import check_bundle

ROOT = Path(__file__).resolve().parents[2]
SERVER = ROOT / "tests" / "serving" / "tools" / "mcp_server.py"
OPENAPI = {
    "openapi": "3.1.0",
    "paths": {
        "/tickets": {
            "get": {"operationId": "listTickets", "summary": "List tickets", "responses": {}},
            "post": {"operationId": "createTicket", "summary": "Open a ticket", "responses": {}},
        }
    },
}


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LANE_HOME", str(tmp_path / "home"))
    shutil.copytree(ROOT / "config" / "starter", tmp_path / "bundle")
    return tmp_path / "bundle"


def lane(*arguments: object, code: int = 0) -> Any:
    done = CliRunner().invoke(app, ["tools", *map(str, arguments)])
    assert done.exit_code == code, (done.stdout, done.stderr)
    return done


def lines(done: Any) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.slow
def test_list_and_show_say_what_each_tool_changes(bundle: Path) -> None:
    rows = {row["tool"]: row for row in lines(lane("list", "--bundle", bundle, "--json"))}

    assert rows["issue_refund"]["side_effect"] == "irreversible"
    assert (rows["issue_refund"]["needs_person"], rows["ticket_lookup"]["needs_person"]) == (True, False)
    assert "ticket_lookup" in lane("list", "--bundle", bundle).stdout
    (shown,) = lines(lane("show", "ticket_lookup", "--bundle", bundle, "--json"))
    assert shown["source"] == {"kind": "python", "entry": "support:ticket_lookup", "env": [], "network": False}


def test_an_unknown_tool_is_bad_input(bundle: Path) -> None:
    assert "no_such" in lane("show", "no_such", "--bundle", bundle, code=2).stderr


@pytest.mark.slow
def test_a_tool_is_called_by_hand_and_one_that_changes_anything_is_not(bundle: Path) -> None:
    arguments = ("--arguments", '{"ticket_id": "TCK-1042"}', "--bundle", bundle, "--json")
    (said,) = lines(lane("call", "ticket_lookup", *arguments))
    refund = ("--arguments", '{"order_id": "ORD-5567", "amount_cents": 1}', "--bundle", bundle, "--json")
    (refused,) = lines(lane("call", "issue_refund", *refund, code=1))

    assert (said["ended"], said["result"]["status"]) == ("answered", "pending")
    assert refused["error"]["code"] == "approval_needed"


def test_an_openapi_file_s_operations_are_shown_and_taken_by_name(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "api.json").write_text(json.dumps(OPENAPI))
    source = (
        "import",
        "openapi",
        tmp_path / "api.json",
        "--base-url",
        "https://desk.example",
        "--bundle",
        bundle,
        "--json",
    )

    shown = lines(lane(*source))
    (taken,) = lines(lane(*source, "--operation", "createTicket", "--credential-env", "DESK_TOKEN"))

    assert {row["operation"]: row["side_effect"] for row in shown} == {"listTickets": "read", "createTicket": "write"}
    assert Path(taken["file"]).exists()
    assert check_bundle(bundle) == ()
    lane(*source, "--operation", "createTicket", code=2)
    lane(*source, "--operation", "noSuch", code=2)


@pytest.mark.slow
def test_an_mcp_tool_is_taken_and_a_changed_one_waits_for_approval(bundle: Path) -> None:
    def server(how: str) -> str:
        return f"{sys.executable} {SERVER} {how}"

    (shown,) = lines(lane("import", "mcp", server("well"), "--bundle", bundle, "--json"))
    (taken,) = lines(lane("import", "mcp", server("well"), "--tool", "search", "--bundle", bundle, "--json"))
    file = Path(taken["file"])
    file.write_text(file.read_text().replace("\n  - well\n", "\n  - poisoned\n"))
    call = ("call", "search", "--arguments", '{"query": "kettle"}', "--bundle", bundle, "--json")

    (refused,) = lines(lane(*call, code=1))
    approved = lane("approve", "search", "--yes", "--bundle", bundle, "--json")
    (said,) = lines(lane(*call))

    assert shown["side_effect"] == "read"
    assert refused["error"]["code"] == "tool_changed"
    assert lines(approved)[0]["changed"] is True
    assert "id_rsa" in approved.stderr
    assert said["result"] == "found kettle"
