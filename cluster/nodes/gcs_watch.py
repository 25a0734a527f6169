"""How does the head outlive the loss of its GCS? It alone is started again, with the same command line, port and store.

`ray start --block` ends everything when one of its processes dies: on the head, the entrance and its requests too. Run as
`python -m cluster.nodes.gcs_watch ray start --head …`, the daemons of `ray start` become ours; a GCS that dies comes back, reads its store,
and raylets, Serve's controller and replicas go on with it. Whatever else dies ends us, and systemd starts all of it again.
"""

import ctypes
import logging
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import Final

import psutil

log = logging.getLogger(__name__)

_PR_SET_CHILD_SUBREAPER: Final = 36
_POLL_SECONDS: Final = 0.5
_START_SECONDS: Final = 10.0
_STOP_SECONDS: Final = 30.0
_RESTARTS: Final = 5
_WITHIN_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a process was started: enough to start it again."""

    command: Sequence[str]
    environment: Mapping[str, str]
    folder: str

    @classmethod
    def of(cls, process: psutil.Process) -> "Recipe":
        """Read it from a living process."""
        return cls(process.cmdline(), process.environ(), process.cwd())

    def start(self) -> psutil.Process:
        """Start it again."""
        started = subprocess.Popen(  # noqa: S603 - Ray's own command line
            list(self.command), env=dict(self.environment), cwd=self.folder, stdin=subprocess.DEVNULL
        )
        return psutil.Process(started.pid)


def watch(command: Sequence[str]) -> int:
    """Run `ray start`, stay with what it started, and return the exit status: 0 when told to end, 1 when Ray is no more."""
    told: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        told.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        started = subprocess.run(list(command), check=False, stdin=subprocess.DEVNULL)  # noqa: S603 - what the unit says
        if started.returncode != 0:
            return started.returncode
        gcs, raylet = _child("gcs_server"), _child("raylet")
        if gcs is None or raylet is None:
            log.error("`ray start` left no GCS or no raylet behind")
            return 1
        log.info("watching the GCS, process %s, and the raylet, process %s", gcs.pid, raylet.pid)
        return _stay(gcs, raylet, told)
    finally:
        _end_all()


def _stay(gcs: psutil.Process, raylet: psutil.Process, told: list[int]) -> int:
    recipe, restarts = Recipe.of(gcs), deque[float](maxlen=_RESTARTS)
    while not told:
        _reap()
        if not _alive(raylet):
            log.error("the raylet is gone")
            return 1
        if not _alive(gcs):
            now = time.monotonic()
            if len(restarts) == _RESTARTS and now - restarts[0] < _WITHIN_SECONDS:
                log.error("the GCS died %s times within %s s", _RESTARTS, _WITHIN_SECONDS)
                return 1
            restarts.append(now)
            gcs = recipe.start()
            log.warning("the GCS was gone; started it again as process %s", gcs.pid)
        time.sleep(_POLL_SECONDS)
    return 0


def _child(name: str) -> psutil.Process | None:
    """Return the process of that name below us: one just started has its name a moment later. The kernel cuts names at 15 letters."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if process.name() == name:
                    return process
        if time.monotonic() > deadline:
            return None
        time.sleep(_POLL_SECONDS)


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _reap() -> None:
    """Take the exit status of daemons that ended: they are our children since `ray start` ended."""
    while True:
        try:
            pid, _status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return


def _end_all() -> None:
    """End whatever is below us: asked first, and killed where it does not."""
    below = psutil.Process().children(recursive=True)
    for process in below:
        try:
            process.terminate()
        except psutil.NoSuchProcess:
            continue
    _, alive = psutil.wait_procs(below, timeout=_STOP_SECONDS)
    for process in alive:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(alive, timeout=_STOP_SECONDS)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    sys.exit(watch(sys.argv[1:]))
