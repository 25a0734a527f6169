"""The commands against a real HTTP server on a free port that plays the cluster, and against the evidence file alone."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import anyio
import pytest
from typer.testing import CliRunner

from cli.main import app
from router.contract import (
    Accepted,
    AttemptEnded,
    Decided,
    Decision,
    Evidence,
    Finished,
    Label,
    Rung,
    Sampling,
    Topic,
)
from router.explain import explain, explain_line
from serving.store import EvidenceStore

TRACE = "0123456789abcdef0123456789abcdef"
OTHER_TRACE = "f" * 32
HASH = "cd" * 32
DECISION = Decision(
    route="everyday",
    risk_tier="low",
    topic=Topic(intent="question", confidence=0.9, domain="general", mode="chat"),
    label=Label(level="internal"),
    lane="fast_small",
    model="small",
    sampling=Sampling(),
    ladder=(Rung(lane="fast_small", model="small", on=("start",)),),
    bundle_hash=HASH,
    classifier="heads-1",
)
ACCEPTED = Accepted(
    org="acme",
    user=None,
    channel="api",
    requested_model="auto",
    request_sha256=HASH,
    message_count=1,
    character_count=4,
)
RECORD = Evidence(
    trace_id=TRACE,
    accepted=ACCEPTED,
    decisions=(Decided(decision=DECISION, decide_microseconds=300),),
    attempts=(AttemptEnded(attempt=1, lane="fast_small", model="small", ended="stop", seconds=0.5),),
    finished=Finished(status=200, ended="answered", lane="fast_small", model="small", seconds=0.6),
    started_at=1_795_388_400.0,
)


class PlayedCluster(BaseHTTPRequestHandler):
    """Answers `Refund me` with a planned approval, `Deny me` with a denial, and everything else with Paris."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = asked["messages"][0]["content"]
        if text == "Deny me":
            self.answer(403, {"error": {"message": "no lane may answer", "code": "policy_denied"}})
        elif asked.get("stream"):
            pieces = [{"choices": [{"delta": {"content": piece}}]} for piece in ("Par", "is.\x1b[2J")]
            events = "".join(f"data: {json.dumps(piece)}\n\n" for piece in pieces)
            self.send(200, f"{events}data: [DONE]\n\n".encode())
        else:
            said = {"refusal": "A person must approve."} if text == "Refund me" else {"content": "Paris."}
            self.answer(200, {"choices": [{"message": said}]})

    def do_GET(self) -> None:
        if self.path == f"/v1/evidence/{TRACE}":
            self.send(200, RECORD.model_dump_json(by_alias=True).encode())
        else:
            self.answer(404, {"error": {"message": "no evidence under that trace", "code": "trace_not_found"}})

    def answer(self, status: int, body: object) -> None:
        self.send(status, json.dumps(body).encode())

    def send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("x-lane-trace-id", TRACE)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@dataclass(frozen=True)
class Box:
    """One installation: its folder and the port its cluster would answer on."""

    home: Path
    port: int

    def lane(self, *arguments: str) -> Any:
        environment = {
            "LANE_HOME": str(self.home),
            "LANE_PORT": str(self.port),
            "LANE_HOST": "127.0.0.1",
            "COLUMNS": "200",
        }
        return CliRunner().invoke(app, list(arguments), env=environment)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    (tmp_path / "keys.json").write_text('{"acme/default": "k-1"}')
    with ThreadingHTTPServer(("127.0.0.1", 0), PlayedCluster) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Box(tmp_path, server.server_port)
        server.shutdown()
        thread.join()


@pytest.fixture
def idle_box(tmp_path: Path) -> Box:
    (tmp_path / "keys.json").write_text('{"acme/default": "k-1"}')
    with ThreadingHTTPServer(("127.0.0.1", 0), PlayedCluster) as server:
        return Box(tmp_path, server.server_port)


def test_ask_prints_the_answer_and_then_the_decision(box: Box) -> None:
    result = box.lane("ask", "Capital of France?")

    assert result.exit_code == 0
    assert result.stdout.startswith("Paris.\n")
    assert DECISION.short().model_dump_json(by_alias=True) in result.stdout
    assert explain_line(RECORD) in result.stdout


def test_ask_streams_and_disarms_what_would_move_the_cursor(box: Box) -> None:
    result = box.lane("ask", "Capital of France?", "--stream")

    assert result.exit_code == 0
    assert result.stdout.startswith("Paris.\N{REPLACEMENT CHARACTER}[2J\n")


def test_ask_with_json_prints_one_value_and_nothing_else(box: Box) -> None:
    result = box.lane("ask", "Capital of France?", "--json")

    assert result.stdout.count("\n") == 1
    assert json.loads(result.stdout) == {
        "trace_id": TRACE,
        "status": "answered",
        "answer": "Paris.",
        "decision": DECISION.model_dump(mode="json", by_alias=True),
    }


def test_a_pending_approval_is_an_answer(box: Box) -> None:
    result = box.lane("ask", "Refund me", "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["answer"] == "A person must approve."


def test_a_denial_is_a_no_with_its_code(box: Box) -> None:
    result = box.lane("ask", "Deny me", "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["code"] == "policy_denied"
    assert TRACE in result.stderr


def test_ask_without_a_cluster_says_lane_up(idle_box: Box) -> None:
    result = idle_box.lane("ask", "Hello")

    assert result.exit_code == 1
    assert "`lane up`" in result.stderr


def test_explain_tells_the_story_that_the_cluster_holds(box: Box) -> None:
    result = box.lane("explain", TRACE.upper())

    assert result.exit_code == 0
    assert result.stdout == explain(RECORD) + "\n"


def test_explain_with_json_holds_the_sentences_and_the_record(box: Box) -> None:
    told = json.loads(box.lane("explain", TRACE, "--json").stdout)

    assert told["line"] == explain_line(RECORD)
    assert told["sentences"] == explain(RECORD).split("\n")
    assert Evidence.model_validate(told["evidence"]) == RECORD


def test_an_unknown_trace_is_a_no(box: Box) -> None:
    result = box.lane("explain", OTHER_TRACE)

    assert result.exit_code == 1
    assert "no evidence under that trace" in result.stderr


def test_what_is_no_trace_id_is_bad_input(box: Box) -> None:
    assert box.lane("explain", "yesterday").exit_code == 2


def test_explain_reads_the_evidence_file_when_the_cluster_is_down(idle_box: Box) -> None:
    store = EvidenceStore(idle_box.home / "evidence.sqlite")
    store.append(TRACE, ACCEPTED)
    anyio.run(store.durable, TRACE)
    store.close()

    result = idle_box.lane("explain", TRACE)

    assert result.exit_code == 0
    assert result.stdout.startswith("acme asked on ")
    assert "Its end is not on record" in result.stdout
    assert idle_box.lane("explain", OTHER_TRACE).exit_code == 1
