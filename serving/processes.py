"""How does nothing stay behind? Children die with their parent, and what outlives its grace is killed, by ID.

A process that is killed can't unlink its shared memory, and its children pass to init: so whoever supervises looks now and then,
remembers what it saw, and clears all of it at the end.
"""

import ctypes
import os
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil

_PR_SET_PDEATHSIG: Final = 1
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - Linux's own place for it
_SHARED: Final = re.compile(r" (/dev/shm/\S+)$", re.MULTILINE)


def die_with_parent(parent: int) -> None:
    """Ask the kernel to end this process when its parent dies, however it dies. Linux only; elsewhere the parent must do it.

    `parent` is the parent's ID as it saw itself: one that died before this call is noticed too.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("the parent process is gone")


class Brood:
    """Every process seen below this one, and every file of shared memory that they had mapped."""

    def __init__(self) -> None:
        self._processes: set[psutil.Process] = set()
        self._shared: set[Path] = set()

    def look(self) -> None:
        """Remember what is below this process now."""
        for process in psutil.Process().children(recursive=True):
            self._processes.add(process)
            self._shared |= _shared_memory_of(process.pid)

    def end_at_once(self, root: psutil.Process) -> None:
        """Kill a process and all below it: each is stopped first, so that nothing is started or mapped behind our back."""
        stopped: set[psutil.Process] = set()
        while fresh := {root, *_below(root)} - stopped:
            for process in fresh:
                with suppress(psutil.NoSuchProcess):
                    process.suspend()
            stopped |= fresh
        self._processes |= stopped
        self._shared |= {path for process in stopped for path in _shared_memory_of(process.pid)}
        for process in stopped:
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def clear(self, grace_seconds: float) -> list[int]:
        """Wait for all of them to end, kill those that do not, unlink their shared memory; return the IDs that were killed.

        psutil compares start times, so that an ID that was used again is not touched.
        """
        _, alive = psutil.wait_procs([one for one in self._processes if one.is_running()], timeout=grace_seconds)
        killed = []
        for process in alive:
            try:
                process.kill()
                killed.append(process.pid)
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(alive, timeout=grace_seconds)
        for path in self._shared:
            path.unlink(missing_ok=True)
        return killed


def _below(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _shared_memory_of(pid: int) -> set[Path]:
    """What a process has mapped below /dev/shm, and the semaphores that bear its ID: those are mapped for a moment only."""
    semaphores = set(_SHARED_MEMORY.glob(f"sem.*-{pid}-*"))
    try:
        mapped = Path(f"/proc/{pid}/maps").read_text(errors="replace")
    except OSError:
        return semaphores  # It ended meanwhile, or this is no Linux.
    return semaphores | {Path(name) for name in _SHARED.findall(mapped)}
