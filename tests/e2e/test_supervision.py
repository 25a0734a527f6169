"""Whatever ends the system, nothing of it stays: no process, no port, no shared memory, no folder."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from serving.settings import Settings, read_settings
from tests.e2e.systems import engines_among

pytestmark = pytest.mark.e2e
_SHARED_MEMORY = Path("/dev/shm")


class Foreground:
    """`lane up --foreground` in a home of its own."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        environment = dict(os.environ) | {"LANE_HOME": str(folder), "LANE_PORT": str(port)}
        self.settings: Settings = read_settings(port=port).model_copy(update={"home": folder})
        self.shared_before = set(_SHARED_MEMORY.iterdir())
        self.log = folder.with_suffix(".log")
        with self.log.open("wb") as log:
            command = [sys.executable, "-m", "cli.main", "up", "--foreground"]
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        self._seen: set[psutil.Process] = set()

    def wait_until_ready(self) -> None:
        self._wait(lambda: "ready at" in self.log.read_text())
        assert self._has_an_engine(), "no engine is running"

    def wait_until_an_engine_starts(self) -> None:
        self._wait(self._has_an_engine)

    def _wait(self, until: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 600
        while not until():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.5)

    def _has_an_engine(self) -> bool:
        self._seen = set(psutil.Process(self.process.pid).children(recursive=True))
        return bool(engines_among(self._seen))

    def assert_that_nothing_is_left(self, seconds: float) -> None:
        _, alive = psutil.wait_procs(list(self._seen), timeout=seconds)
        assert not alive, f"left behind: {alive}"
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and (set(_SHARED_MEMORY.iterdir()) - self.shared_before):
            time.sleep(0.2)
        assert set(_SHARED_MEMORY.iterdir()) <= self.shared_before
        assert not self.settings.ray_folder.exists()
        assert not self.settings.door_socket.exists()
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((self.settings.host, self.settings.port))


@pytest.fixture
def foreground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Foreground]:
    made = Foreground(tmp_path_factory.mktemp("up") / "home")
    yield made
    if made.process.poll() is None:
        made.process.terminate()
        made.process.wait(120)


def test_ctrl_c_in_the_middle_of_a_start_leaves_nothing(foreground: Foreground) -> None:
    foreground.wait_until_an_engine_starts()

    foreground.process.send_signal(signal.SIGINT)

    assert foreground.process.wait(120) == 0
    foreground.assert_that_nothing_is_left(10)


def test_a_killed_supervisor_leaves_nothing_and_says_so(foreground: Foreground) -> None:
    foreground.wait_until_ready()

    foreground.process.kill()

    foreground.process.wait(10)
    foreground.assert_that_nothing_is_left(90)
    environment = dict(os.environ) | {"LANE_HOME": str(foreground.settings.home)}
    status = subprocess.run(
        [sys.executable, "-m", "cli.main", "status", "--json"], check=False, env=environment, capture_output=True
    )
    assert json.loads(status.stdout)["running"] is False
