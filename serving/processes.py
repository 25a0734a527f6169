"""How does nothing stay behind? Children die with their parent, and what outlives its grace is killed, by ID."""

import ctypes
import os
import signal
import sys
from collections.abc import Iterable

import psutil

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Ask the kernel to end this process when its parent dies, however it dies. Linux only; elsewhere the parent must do it.

    `parent` is the parent's ID as it saw itself: one that died before this call is noticed too.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("the parent process is gone")


def descendants(pid: int | None = None) -> list[psutil.Process]:
    """Return every process below this one (or `pid`)."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def reap(processes: Iterable[psutil.Process], grace_seconds: float) -> list[int]:
    """Wait for processes to end, then kill those that did not; return the IDs that had to be killed.

    psutil compares start times, so that an ID that was used again is not touched.
    """
    _, alive = psutil.wait_procs(list(processes), timeout=grace_seconds)
    killed = []
    for process in alive:
        try:
            process.kill()
            killed.append(process.pid)
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(alive, timeout=grace_seconds)
    return killed
