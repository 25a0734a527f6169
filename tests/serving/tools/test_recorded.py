"""Two support desks, by recorded answers: what is imported, what is sent, and what becomes of each answer, an error's too."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from router.bundle.files import ToolFile
from router.bundle.files.tool_sources import OpenApiSource
from router.errors import ToolFailed
from router.tools.check import checked_arguments, checked_result
from router.tools.openapi import Imported, import_openapi
from serving.tools.http import request

RECORDED = {
    path.stem: json.loads(path.read_text()) for path in sorted((Path(__file__).parent / "recorded").glob("*.json"))
}
INTERACTIONS = [
    pytest.param(desk, one, id=f"{desk}-{one['operation']}-{one['status']}")
    for desk, recorded in RECORDED.items()
    for one in recorded["interactions"]
]


@dataclass
class Desk:
    """A server that says what is recorded, and keeps what it was asked."""

    base_url: str
    says: tuple[int, bytes] = (200, b"")
    asked: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture
def desk() -> Iterator[Desk]:
    class Handler(BaseHTTPRequestHandler):
        def _say(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            sent: dict[str, Any] = {"method": self.command, "path": self.path}
            made.asked.append(sent | ({"body": json.loads(body)} if body else {}))
            status, text = made.says
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_PATCH = _say  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Desk(f"http://127.0.0.1:{server.server_port}")
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def tool_of(desk: str, operation: str, base_url: str = "https://desk.example") -> ToolFile:
    imported = list(import_openapi(RECORDED[desk]["openapi"], base_url))
    assert all(isinstance(one, Imported) for one in imported), imported
    return next(
        one.tool
        for one in imported
        if isinstance(one, Imported)
        and isinstance(one.tool.source, OpenApiSource)
        and one.tool.source.operation == operation
    )


@pytest.mark.parametrize(("named", "one"), INTERACTIONS)
def test_a_recorded_interaction_goes_through_from_import_to_result(desk: Desk, named: str, one: dict[str, Any]) -> None:
    tool = tool_of(named, one["operation"], desk.base_url)
    desk.says = (one["status"], b"" if one["body"] is None else json.dumps(one["body"]).encode())
    arguments = json.loads(checked_arguments(tool, json.dumps(one["arguments"])))
    assert isinstance(tool.source, OpenApiSource)
    call = request(tool.name, tool.source, arguments, "key-1", None, 5.0)

    if one["ended"] == "tool_failed":
        with pytest.raises(ToolFailed, match=str(one["status"])):
            asyncio.run(call)
    else:
        answer = asyncio.run(call)
        assert answer.ended == one["ended"]
        assert answer.ended == "declined" or checked_result(tool, answer.text) is not None
        said = json.loads(answer.text.removeprefix(f"{one['status']}: "))
        assert said == ({"status": 204} if one["body"] is None else one["body"])

    assert desk.asked == [one["sent"]]


@pytest.mark.parametrize(("named", "one"), INTERACTIONS)
def test_a_change_waits_for_a_person_and_a_look_does_not(named: str, one: dict[str, Any]) -> None:
    tool = tool_of(named, one["operation"])

    assert tool.side_effect == one["side_effect"]
    assert tool.needs_person == (one["side_effect"] != "read")
