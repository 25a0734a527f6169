"""Nothing of a process is left behind, not even of one that was busy starting others."""

import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from serving.processes import Brood

_CHILD = """
import os, sys, time
from multiprocessing.shared_memory import SharedMemory
held = SharedMemory(f"{sys.argv[1]}-{os.getpid()}", create=True, size=64)
time.sleep(60)
"""
_BREEDER = """
import subprocess, sys, time
for _ in range(20):
    subprocess.Popen([sys.executable, "-c", *sys.argv[1:]])
    time.sleep(0.02)
time.sleep(60)
"""


def _shared_by(prefix: str) -> list[Path]:
    return list(Path("/dev/shm").glob(f"{prefix}*"))


def _ours(pids: set[int]) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if process.pid in pids and process.status() != "zombie"]


@pytest.mark.slow
def test_one_that_starts_others_is_ended_with_all_of_them_and_with_their_shared_memory() -> None:
    prefix, brood = f"lane-{uuid4().hex}", Brood()
    breeder = subprocess.Popen([sys.executable, "-c", _BREEDER, _CHILD, prefix])
    root = psutil.Process(breeder.pid)
    while not _shared_by(prefix):
        time.sleep(0.01)  # Then it is in the middle of starting the others.
    known = {root.pid, *(child.pid for child in root.children(recursive=True))}

    brood.end_at_once(root)
    breeder.wait(10)
    brood.clear(5)

    assert _ours(known) == []
    assert _shared_by(prefix) == []
