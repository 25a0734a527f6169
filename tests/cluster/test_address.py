"""One address before two systems: new requests move, running ones stay, and a proxy that is started again leads to the same system."""

import http.client
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typing_extensions import override

from cluster.address import Address, AddressTrouble
from tests.e2e.systems import free_port

pytestmark = pytest.mark.slow


class System:
    """A server that says its name; `/stream` goes on until it is told to end."""

    def __init__(self, name: str) -> None:
        self.end = threading.Event()
        system = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.send_response(200)
                if self.path == "/stream":
                    self.send_header("transfer-encoding", "chunked")
                    self.end_headers()
                    self._chunk(name.encode())
                    system.end.wait(20)
                    self._chunk(b" to the end")
                    self._chunk(b"")
                else:
                    self.send_header("content-length", str(len(name)))
                    self.end_headers()
                    self.wfile.write(name.encode())

            def _chunk(self, piece: bytes) -> None:
                self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
                self.wfile.flush()

            @override
            def log_message(self, *_: Any) -> None:
                """Nobody reads it."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def place(self) -> tuple[str, int]:
        return ("127.0.0.1", self.server.server_port)

    def close(self) -> None:
        self.end.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def systems() -> Iterator[dict[str, System]]:
    made = {name: System(name) for name in ("blue", "green")}
    yield made
    for system in made.values():
        system.close()


@pytest.fixture
def address(systems: dict[str, System], tmp_path: Path) -> Iterator[Address]:
    made = Address(tmp_path / "address", "127.0.0.1", free_port())
    made.write({"blue": systems["blue"].place, "green": ("127.0.0.1", 1)}, "blue")
    made.start()
    yield made
    made.stop()
    deadline = time.monotonic() + 10
    while made.runs and time.monotonic() < deadline:
        time.sleep(0.05)


def ask(address: Address, connection: http.client.HTTPConnection | None = None) -> str:
    used = connection or http.client.HTTPConnection(address.host, address.port, timeout=10)
    used.request("GET", "/")
    said = used.getresponse().read().decode()
    if connection is None:
        used.close()
    return said


def test_new_requests_move_and_a_running_stream_stays_to_its_end(address: Address, systems: dict[str, System]) -> None:
    kept = http.client.HTTPConnection(address.host, address.port, timeout=10)
    streaming = http.client.HTTPConnection(address.host, address.port, timeout=30)
    streaming.request("GET", "/stream")
    stream = streaming.getresponse()
    began = stream.read1(100)
    before = ask(address, kept)
    open_before = address.open_requests("blue")

    address.move("green", systems["green"].place, "blue")

    assert (before, ask(address), ask(address, kept)) == ("blue", "green", "green")
    assert (open_before, address.open_requests("blue")) == (1, 1)
    systems["blue"].end.set()
    assert (began + stream.read()).decode() == "blue to the end"
    assert address.open_requests("blue") == 0
    for connection in (kept, streaming):
        connection.close()


def test_it_moves_back_the_same_way(address: Address, systems: dict[str, System]) -> None:
    address.move("green", systems["green"].place, "blue")
    address.move("blue", systems["blue"].place, "green")

    assert ask(address) == "blue"


def test_a_proxy_that_is_started_again_leads_where_the_last_move_was_written_to(
    address: Address, systems: dict[str, System]
) -> None:
    address.move("green", systems["green"].place, "blue")
    address.write({name: system.place for name, system in systems.items()}, "green")
    assert address.stop()
    while address.runs:
        time.sleep(0.05)

    address.start()

    assert ask(address) == "green"


def test_a_port_that_is_taken_and_a_colour_that_is_none_are_named(address: Address, systems: dict[str, System]) -> None:
    second = Address(address.folder / "second", "127.0.0.1", systems["blue"].place[1])
    second.write({"blue": systems["blue"].place}, "blue")

    with pytest.raises(AddressTrouble, match="does not start"):
        second.start()
    with pytest.raises(AddressTrouble, match="red"):
        address.move("red", systems["blue"].place, "blue")
