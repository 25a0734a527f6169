"""Who runs a bundle's own code, and ends it when it hangs? A few worker processes, started when they are needed, killed when they are late.

A worker answers one call at a time. One that was left in the middle of a call is never asked again: its answer would be the next caller's.
"""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from router.errors import ToolFailed, ToolTimeout
from serving.frames import encode, next_frame

WORKERS_AT_MOST: Final = 4
ANSWER_BYTES_AT_MOST: Final = 1024 * 1024
_START_SECONDS: Final = 60.0
_KEPT: Final = (
    "PATH",
    "PYTHONPATH",
    "PYTHONSAFEPATH",
    "VIRTUAL_ENV",
    "HOME",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "TMPDIR",
)
"""What a worker needs of this process's environment to run at all: no key, no proxy, no address."""


@dataclass(slots=True)
class Workers:
    """The workers for one bundle's `tools/` folder. `variables` is what its tools may read; `close` ends them all."""

    folder: Path
    modules: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    network: bool = False
    at_most: int = WORKERS_AT_MOST
    _idle: list[Process] = field(default_factory=list)
    _all: set[Process] = field(default_factory=set)
    _room: asyncio.Semaphore | None = None

    async def ask(self, tool: str, question: Mapping[str, Any], seconds: float) -> Mapping[str, Any]:
        """Return a worker's answer. Raises `ToolTimeout` once `seconds` are over, the wait for a worker included, and `ToolFailed`."""
        self._room = self._room or asyncio.Semaphore(self.at_most)
        worker: Process | None = None
        answered = False
        try:
            async with asyncio.timeout(seconds) as limit, self._room:
                if not self._idle:
                    # Starting is ours, not the tool's: it has a time of its own.
                    limit.reschedule(None)
                worker = self._idle.pop() if self._idle else await self._start(tool)
                limit.reschedule(asyncio.get_running_loop().time() + seconds)
                _stdin(worker).write(encode(question))
                await _stdin(worker).drain()
                answer = await next_frame(_stdout(worker), ANSWER_BYTES_AT_MOST)
                answered = isinstance(answer, dict)
                if not answered:
                    raise ToolFailed(tool, "its worker's answer can't be read")
                return dict(answer)
        except TimeoutError as error:
            raise ToolTimeout(tool, f"no answer within {seconds:g} s") from error
        except (OSError, EOFError) as error:
            raise ToolFailed(tool, "its worker died") from error
        except ValueError as error:
            raise ToolFailed(tool, f"its answer can't be read: {error}") from error
        finally:
            if worker is not None:
                if answered and worker.returncode is None:
                    self._idle.append(worker)
                else:
                    await self._end(worker)

    async def warm(self) -> None:
        """Have one worker up, so that the first call does not wait for it. Raises `ToolFailed`."""
        if not self._all:
            self._idle.append(await self._start("tools"))

    async def close(self) -> None:
        """End every worker and wait for it."""
        for worker in tuple(self._all):
            await self._end(worker)
        self._idle.clear()

    async def _start(self, tool: str) -> Process:
        command = [
            sys.executable,
            "-m",
            "serving.tools.worker",
            "--parent",
            str(os.getpid()),
            "--folder",
            str(self.folder),
        ]
        command += ["--network"] * self.network
        for module in self.modules:
            command += ["--module", module]
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | dict(self.variables)
        worker = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, env=environment, start_new_session=True
        )
        self._all.add(worker)
        hello = None
        try:
            async with asyncio.timeout(_START_SECONDS):
                hello = await next_frame(_stdout(worker))
        except (TimeoutError, EOFError, ValueError) as error:
            raise ToolFailed(tool, "its worker did not come up") from error
        finally:
            if hello != {"ready": True}:
                await self._end(worker)
        return worker

    async def _end(self, worker: Process) -> None:
        self._all.discard(worker)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)  # Whatever the tool started goes with it.
        # A pipe that nobody reads from is never seen to end, and with it the process is not: what an endless answer left is read away.
        while await _stdout(worker).read(_AWAY_BYTES):
            pass
        await worker.wait()


_AWAY_BYTES: Final = 1 << 20


def _stdin(worker: Process) -> asyncio.StreamWriter:
    assert worker.stdin is not None
    return worker.stdin


def _stdout(worker: Process) -> asyncio.StreamReader:
    assert worker.stdout is not None
    return worker.stdout
