"""End to end: the router's side, Unix socket, door, ledger, and whoever takes a tool's call out."""

import asyncio
import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx2
import pytest
from pydantic import SecretStr

from router.bundle.files import ToolFile
from router.contract import Finding, Label
from router.errors import ScanUnavailable, ToolDenied, ToolError, ToolFailed, ToolTimeout
from router.testing import ScriptedDeepScan
from router.tools import ToolUse
from serving.door.ledger import Intent, Outcome, Refused
from serving.door.tool_guard import OUTSIDE, body_of, lane_of
from serving.door.wire import LANE_HEADER, PERMIT_HEADER
from serving.hosted import door_client
from serving.tools.box import Answer
from serving.tools.by_door import ByDoor
from serving.tools.outward import Outward
from tests.providers.stand_in import StandIn
from tests.serving.door.kit import KEY, OpenDoor, a_lane, a_token, keeps_personal_data_in, open_door, rules_for
from tests.serving.tools.kit import Scripted, use

KEY_OF_CALL = "0123456789abcdef" * 2
ARGUMENTS = '{"query":"kettle"}'


def tool(base_url: str = "https://desk.example", **changes: Any) -> ToolFile:
    fields: dict[str, Any] = {
        "name": "search",
        "description": "Search the desk",
        "side_effect": "read",
        "parameters": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
        "source": {
            "kind": "openapi",
            "base_url": base_url,
            "operation": "search",
            "method": "get",
            "path": "/search",
            "query": ["query"],
            "credential": {"env": "DESK_TOKEN"},
        },
    }
    return ToolFile.model_validate(fields | changes)


@contextmanager
def door_for(folder: Path, one: ToolFile, runner: Any, **changes: Any) -> Iterator[OpenDoor]:
    rules = rules_for(a_lane(), tools={one.name: one}, may_call_tool=keeps_personal_data_in)
    with StandIn() as provider, open_door(folder, provider, **({"rules": rules, "tools": runner} | changes)) as opened:
        yield opened


def asked(opened: OpenDoor, one: ToolFile, what: ToolUse, bundle_hash: str = "b" * 64) -> Answer:
    async def scenario() -> Answer:
        async with door_client(opened.socket) as client:
            return await ByDoor(client, KEY, bundle_hash, time.time).run(one, what, 10.0)

    return asyncio.run(scenario())


def search(**changes: Any) -> ToolUse:
    return use(tool="search", **({"arguments_json": ARGUMENTS} | changes))


def test_a_call_leaves_with_its_intent_and_its_end_on_disk(tmp_path: Path) -> None:
    runner = Scripted(lambda _: "found")
    with door_for(tmp_path, tool(), runner) as opened:
        answer = asked(opened, tool(), search())

        intent, outcome = (entry.event for entry in opened.await_entries(2))

    assert answer == Answer("found")
    assert runner.calls[0].arguments_json == ARGUMENTS
    assert runner.calls[0].idempotency_key == search().key
    assert isinstance(intent, Intent)
    assert (intent.lane, intent.provider, intent.region) == ("tool:search", "desk.example", OUTSIDE)
    assert isinstance(outcome, Outcome)
    assert outcome.ended == "answered"


@pytest.mark.parametrize(
    "what",
    [
        search(label=Label(level="confidential")),
        search(arguments_json='{"query":"jane.roe@example.com, born 12 March 1981"}'),
    ],
    ids=["labelled", "found by the door itself"],
)
def test_what_must_stay_goes_into_no_tool_outside(tmp_path: Path, what: ToolUse) -> None:
    runner = Scripted(lambda _: "found")
    with door_for(tmp_path, tool(), runner) as opened:
        with pytest.raises(ToolDenied) as denied:
            asked(opened, tool(), what)

        (refused,) = (entry.event for entry in opened.await_entries(1))

    assert denied.value.policies == ("stays_private",)
    assert isinstance(refused, Refused)
    assert runner.calls == []


def test_what_the_deep_scan_finds_stays_too(tmp_path: Path) -> None:
    found = Finding(entity="PERSON", category="pii", start=0, end=6, score=0.9, detector="deep")
    deep = ScriptedDeepScan(lambda text: (found,) if "Kettle of Mr" in text else ())
    runner = Scripted(lambda _: "found")
    with door_for(tmp_path, tool(), runner, deep=deep) as opened, pytest.raises(ToolDenied):
        asked(opened, tool(), search(arguments_json='{"query":"Kettle of Mr X"}'))

    assert runner.calls == []


def test_unread_nothing_leaves(tmp_path: Path) -> None:
    def broken(_: str) -> tuple[Finding, ...]:
        raise ScanUnavailable("away")

    runner = Scripted(lambda _: "found")
    with (
        door_for(tmp_path, tool(), runner, deep=ScriptedDeepScan(broken)) as opened,
        pytest.raises(ToolFailed, match="unread"),
    ):
        asked(opened, tool(), search(arguments_json='{"query":"Some Prose here"}'))

    assert runner.calls == []


def test_while_nothing_may_leave_no_tool_is_called(tmp_path: Path) -> None:
    runner = Scripted(lambda _: "found")
    with (
        door_for(tmp_path, tool(), runner, halted=lambda: "unsigned change") as opened,
        pytest.raises(ToolFailed, match="unsigned change"),
    ):
        asked(opened, tool(), search())

    assert runner.calls == []


def test_another_bundle_s_permit_is_refused(tmp_path: Path) -> None:
    with door_for(tmp_path, tool(), Scripted(lambda _: "found")) as opened, pytest.raises(ToolDenied, match="bundle"):
        asked(opened, tool(), search(), bundle_hash="c" * 64)


@pytest.mark.parametrize(
    ("permit", "body", "lane"),
    [
        ({"lane": "tool:other"}, body_of(ARGUMENTS, KEY_OF_CALL), lane_of("search")),
        ({"region": "eu"}, body_of(ARGUMENTS, KEY_OF_CALL), lane_of("search")),
        ({"expires_at": 1}, body_of(ARGUMENTS, KEY_OF_CALL), lane_of("search")),
        ({"body_sha256": "0" * 64}, body_of(ARGUMENTS, KEY_OF_CALL), lane_of("search")),
        ({}, b'{"arguments": {"query": "kettle"}, "key": "0123456789abcdef0123456789abcdef"}', lane_of("search")),
        ({}, b'{"arguments":{"query":3},"key":"0123456789abcdef0123456789abcdef"}', lane_of("search")),
        (
            {},
            b'{"arguments":{"query":"x"},"key":"0123456789abcdef0123456789abcdef","url":"https://evil.example"}',
            lane_of("search"),
        ),
        ({}, body_of(ARGUMENTS, KEY_OF_CALL), "premium"),
        ({}, body_of(ARGUMENTS, "jane.roe@example.com"), lane_of("search")),
    ],
)
def test_a_permit_is_for_one_call_of_one_tool(tmp_path: Path, permit: dict[str, Any], body: bytes, lane: str) -> None:
    runner = Scripted(lambda _: "found")
    with door_for(tmp_path, tool(), runner) as opened:
        assert _posted(opened, permit, body, lane).status_code == 403

    assert runner.calls == []


def test_a_permit_is_good_once(tmp_path: Path) -> None:
    runner = Scripted(lambda _: "found")
    with door_for(tmp_path, tool(), runner) as opened:
        body = body_of(ARGUMENTS, KEY_OF_CALL)
        token = _token(body, {})
        statuses = [_sent(opened, token, body, lane_of("search")).status_code for _ in range(2)]

    assert statuses == [200, 403]
    assert len(runner.calls) == 1


@pytest.mark.parametrize(
    "error", [ToolTimeout("search", "late"), ToolFailed("search", "gone"), RuntimeError("hunter2")]
)
def test_how_a_call_failed_is_on_disk_and_comes_back_as_itself(tmp_path: Path, error: Exception) -> None:
    with door_for(tmp_path, tool(), Scripted(lambda _: error)) as opened:
        with pytest.raises(ToolError) as raised:
            asked(opened, tool(), search())

        *_, outcome = (entry.event for entry in opened.await_entries(2))

    assert type(raised.value) is (type(error) if isinstance(error, ToolError) else ToolFailed)
    assert "hunter2" not in str(raised.value)
    assert outcome.ended == raised.value.code


class Desk(BaseHTTPRequestHandler):
    seen: ClassVar[list[tuple[str, str]]] = []

    def do_GET(self) -> None:
        Desk.seen.append((self.path, self.headers["authorization"]))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        """Stay quiet."""


def test_the_credential_is_the_door_s_and_the_service_gets_it(tmp_path: Path) -> None:
    Desk.seen.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        one = tool(f"http://127.0.0.1:{server.server_port}")
        with door_for(tmp_path, one, Outward({"DESK_TOKEN": SecretStr("s3cret")})) as opened:
            answer = asked(opened, one, search())
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

    assert answer.text == "{}"
    assert Desk.seen == [("/search?query=kettle", "Bearer s3cret")]


def test_without_a_door_nothing_is_called(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with door_client(tmp_path / "door.sock") as client:
            await ByDoor(client, KEY, "b" * 64, time.time).run(tool(), search(), 1.0)

    with pytest.raises(ToolFailed, match="no door"):
        asyncio.run(scenario())


def _posted(opened: OpenDoor, permit: dict[str, Any], body: bytes, lane: str) -> httpx2.Response:
    return _sent(opened, _token(body, permit), body, lane)


def _token(body: bytes, permit: dict[str, Any]) -> str:
    fields = {"lane": lane_of("search"), "region": OUTSIDE, "label": Label()} | permit
    digest = fields.pop("body_sha256", hashlib.sha256(body).hexdigest())
    return a_token(digest, **fields)


def _sent(opened: OpenDoor, token: str, body: bytes, lane: str) -> httpx2.Response:
    transport = httpx2.HTTPTransport(uds=str(opened.socket))
    with httpx2.Client(transport=transport, base_url="http://door") as client:
        return client.post("/tool", content=body, headers={PERMIT_HEADER: token, LANE_HEADER: lane})
