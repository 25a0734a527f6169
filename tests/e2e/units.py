"""What systemd would do with our units, as far as a test needs it: their environment, their programs, `Restart=always`, an end for all.

The files are those that `lane cluster init` and `join` wrote below a prefix; `relocate` points them at the prefix and at this environment.
"""

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from cluster.nodes.units import RAY_METRICS_PORT
from tests.e2e.systems import free_port

BIN = Path(sys.executable).parent
MARK = "LANE_TEST_UNIT"


def relocate(root: Path) -> None:
    """Have the written files name the prefix where they name `/`, as an image's build would, and ports that are free on a shared box."""
    metrics = f"--metrics-export-port={RAY_METRICS_PORT}"
    for path in [*(root / "etc/systemd/system").glob("*.service"), root / "etc/lane/ray.env"]:
        text = path.read_text()
        for place in ("/etc/lane", "/var/lib/lane", "/srv/lane"):
            text = text.replace(place, f"{root}{place}")
        for command in ("check", "enrol"):
            text = text.replace(f"lane cluster {command}", f"lane cluster {command} --root {root}")
        text = text.replace(metrics, f"--metrics-export-port={free_port()}")
        path.write_text(text.replace("/opt/lane/bin", str(BIN)))


class Unit:
    """A unit that is started, watched and stopped."""

    def __init__(self, root: Path, name: str, **more: str) -> None:
        """`more`: what the test adds to the environment."""
        self._lines = (root / "etc/systemd/system" / f"{name}.service").read_text().splitlines()
        self.mark = f"{root}/{name}"
        self.log = root / f"{name}.log"
        self._more = more
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def start(self) -> "Unit":
        self._thread.start()
        return self

    @property
    def said(self) -> str:
        """What it has logged."""
        return self.log.read_text() if self.log.exists() else ""

    def processes(self) -> list[psutil.Process]:
        """Everything that the unit started and that lives: systemd knows it by its control group, we by a mark in the environment."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def process(self, name: str) -> psutil.Process:
        return next(one for one in self.processes() if one.name() == name)

    def stop(self, seconds: float = 60.0) -> None:
        self._stopping.set()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._thread.join(seconds)
        self._end_group()

    def _keep(self) -> None:
        while not self._stopping.is_set():
            for command in self._values("ExecStartPre"):
                subprocess.run(shlex.split(command.lstrip("+")), env=self._environment(), check=False)
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    shlex.split(self._values("ExecStart")[0]),
                    env=self._environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            while self._process.poll() is None and not self._stopping.wait(0.2):
                pass
            if self._stopping.is_set():
                return
            self._end_group()
            assert self._values("Restart") == ["always"]
            self._stopping.wait(float(self._values("RestartSec")[0]))

    def _end_group(self) -> None:
        left = self.processes()
        for process in left:
            process.send_signal(signal.SIGKILL)
        psutil.wait_procs(left, timeout=10)

    def _values(self, name: str) -> list[str]:
        return [line.partition("=")[2] for line in self._lines if line.startswith(f"{name}=")]

    def _environment(self) -> dict[str, str]:
        written: dict[str, str] = {}
        for file in self._values("EnvironmentFile"):
            path = Path(file.lstrip("-"))
            if path.exists():
                written |= dict(line.split("=", 1) for line in path.read_text().splitlines())
        for line in self._values("Environment"):
            written |= dict(word.split("=", 1) for word in shlex.split(line))
        written.pop("PYTHONSAFEPATH", None)  # This tree is found by PYTHONPATH, not installed.
        here = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
        return here | written | self._more | {MARK: self.mark}


def wait_for(what: str, true: Callable[[], bool], seconds: float, every: float = 2.0) -> float:
    """Wait until `true()` holds; return how long it took. `every`: seconds between two looks, more where a look costs."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds, f"not within {seconds:g} s: {what}"
        time.sleep(every)
    return time.monotonic() - began
