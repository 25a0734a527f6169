"""The watch over daemons that are not Ray's but behave like them: `ray start` leaves a gcs_server and a raylet behind and ends."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.slow


class Watched:
    """`python -m cluster.nodes.gcs_watch` over such a command."""

    def __init__(self, folder: Path) -> None:
        for name in ("gcs_server", "raylet"):
            shutil.copy(shutil.which("sleep") or "/bin/sleep", folder / name)
        script = folder / "ray"
        # Between fork and exec a child bears its parent's name; the raylet's is drawn out.
        script.write_text(f"#!/bin/sh\n{folder}/gcs_server 600 &\n(sleep 1; exec {folder}/raylet 600) &\n")
        script.chmod(0o755)
        command = [sys.executable, "-m", "cluster.nodes.gcs_watch", str(script), "start", "--head"]
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log)
        self.log = folder / "log"
        self.seen: set[psutil.Process] = set()

    def wait_until_it_watches(self) -> None:
        deadline = time.monotonic() + 60
        while "watching the GCS" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)

    def child(self, name: str) -> psutil.Process:
        """The living child of that name, waited for."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            for child in psutil.Process(self.process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    if child.name() == name and child.status() != psutil.STATUS_ZOMBIE and child not in self.seen:
                        return child
            time.sleep(0.1)
        raise AssertionError(f"no {name}: {self.log.read_text()}")

    def kill(self, name: str) -> None:
        child = self.child(name)
        self.seen.add(child)
        child.kill()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    try:
        made.wait_until_it_watches()
        yield made
    finally:
        made.process.terminate()
        made.process.wait()


def test_a_gcs_that_dies_is_started_again_as_it_was_and_nothing_else_is_touched(watched: Watched) -> None:
    gcs, raylet = watched.child("gcs_server"), watched.child("raylet")
    command = gcs.cmdline()

    watched.kill("gcs_server")

    assert watched.child("gcs_server").cmdline() == command
    assert raylet.is_running()
    watched.process.send_signal(signal.SIGTERM)
    assert watched.process.wait(30) == 0
    assert not raylet.is_running()


def test_without_its_raylet_the_unit_fails_so_that_systemd_starts_all_of_it(watched: Watched) -> None:
    gcs = watched.child("gcs_server")

    watched.kill("raylet")

    assert watched.process.wait(30) == 1
    assert not gcs.is_running()


def test_a_gcs_that_keeps_dying_is_given_up(watched: Watched) -> None:
    for _ in range(6):
        watched.kill("gcs_server")

    assert watched.process.wait(30) == 1
