"""`lane approvals` against a real HTTP server on a free port that plays the cluster."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app

pytestmark = pytest.mark.slow

APPROVAL = {
    "id": "apr_1",
    "state": "waiting",
    "tool": "refund",
    "arguments": '{"order":"A-17"}',
    "asked_by": "app",
    "risk_tier": "high",
    "asked_at": 1.0,
    "expires_at": time.time() + 600,
}
REQUEST = {
    **{name: APPROVAL[name] for name in ("state", "asked_by", "risk_tier", "expires_at")},
    "id": "req_1",
    "queue": "claims",
    "asked_at": 2.0,
    "messages": [{"role": "user", "content": "Is it covered?\x1b[2J"}],
    "draft": "Yes.",
}


class PlayedCluster(BaseHTTPRequestHandler):
    """Shows one approval and one request; keeps what is said of them. `lacking` are scopes that the key lacks."""

    said: list[tuple[str, Any]]
    lacking: set[str]

    def do_GET(self) -> None:
        kind = self.path.split("/")[2].partition("?")[0]
        found = APPROVAL if kind == "approvals" else REQUEST
        if kind in self.lacking:
            self.answer(403, {"error": {"message": f"the key lacks {kind}", "code": "not_permitted"}})
        else:
            self.answer(200, {"data": [found]} if self.path.count("/") == 2 else found)

    def do_POST(self) -> None:
        words = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.said.append((self.path, words))
        if words.get("because") == "late":
            self.answer(410, {"error": {"message": "it has expired", "code": "approval_expired"}})
        else:
            self.answer(200, {**APPROVAL, "state": "granted", "settled_by": "boss"})

    def answer(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def played() -> Iterator[tuple[ThreadingHTTPServer, type[PlayedCluster]]]:
    handler = type("Handler", (PlayedCluster,), {"said": [], "lacking": set()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server, handler
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def lane(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, played: tuple[ThreadingHTTPServer, Any]
) -> Callable[..., Result]:
    home = tmp_path / "home"
    home.mkdir()
    (home / "keys.json").write_text('{"local/boss": "k-1"}')
    monkeypatch.setenv("LANE_HOME", str(home))
    monkeypatch.setenv("LANE_PORT", str(played[0].server_port))

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, ["approvals", *arguments])

    return run


def test_both_kinds_are_listed_newest_first(lane: Any) -> None:
    plain, compact = lane("list"), lane("list", "--json")

    assert [line.split()[0] for line in plain.stdout.splitlines()] == ["req_1", "apr_1"]
    assert [json.loads(line)["id"] for line in compact.stdout.splitlines()] == ["req_1", "apr_1"]
    assert re.search(r"[1-9][0-9]? min left", plain.stdout)


def test_a_key_that_may_do_one_of_both_sees_that_one(lane: Any, played: Any) -> None:
    played[1].lacking.add("escalations")
    one = lane("list", "--json")
    played[1].lacking.add("approvals")
    none = lane("list", "--json")

    assert [json.loads(line)["id"] for line in one.stdout.splitlines()] == ["apr_1"]
    assert (none.exit_code, json.loads(none.stdout)["error"]["code"]) == (1, "not_permitted")


def test_what_is_shown_is_exactly_what_would_be_done_and_moves_no_cursor(lane: Any) -> None:
    call, request = lane("show", "apr_1"), lane("show", "req_1")

    assert '{"order":"A-17"}' in call.stdout
    assert "[draft] Yes." in request.stdout
    assert "\x1b" not in request.stdout


@pytest.mark.parametrize(
    ("arguments", "address", "words"),
    [
        (("grant", "apr_1", "--because", "fine"), "/v1/approvals/apr_1", {"decision": "grant", "because": "fine"}),
        (("deny", "apr_1"), "/v1/approvals/apr_1", {"decision": "deny"}),
        (("answer", "req_1", "Yes."), "/v1/escalations/req_1", {"answer": "Yes."}),
        (("answer", "req_1", "Yes!", "--edit"), "/v1/escalations/req_1", {"edit": "Yes!"}),
        (("answer", "req_1"), "/v1/escalations/req_1", {"pass": True}),
        (("decline", "req_1", "--because", "no"), "/v1/escalations/req_1", {"decline": "no"}),
    ],
)
def test_words_are_sent_as_they_are(
    lane: Any, played: Any, arguments: tuple[str, ...], address: str, words: dict[str, Any]
) -> None:
    result = lane(*arguments, "--json")

    assert result.exit_code == 0
    assert played[1].said == [(address, words)]
    assert json.loads(result.stdout)["settled_by"] == "boss"


def test_what_the_cluster_refuses_is_told_under_its_own_code(lane: Any) -> None:
    result = lane("grant", "apr_1", "--because", "late", "--json")

    assert (result.exit_code, json.loads(result.stdout)["error"]["code"]) == (1, "approval_expired")


@pytest.mark.parametrize("arguments", [("grant", "req_1"), ("answer", "apr_1"), ("show", "x"), ("show", "apr_../keys")])
def test_a_wrong_id_is_bad_input_and_asks_nobody(lane: Any, played: Any, arguments: tuple[str, ...]) -> None:
    assert lane(*arguments).exit_code == 2
    assert played[1].said == []
