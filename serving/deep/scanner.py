"""What does the deep scan find in these texts? A client of one worker process: bounded in time and waiting room, restarted when it dies.

Whatever goes wrong raises `ScanUnavailable`, and nobody takes that for "nothing found": the text stays.
"""

import asyncio
import contextlib
import logging
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from router.contract import Finding
from router.errors import ScanUnavailable
from serving.deep.wire import decode_findings
from serving.frames import FRAME_BYTES_AT_MOST, encode, next_frame

log = logging.getLogger(__name__)

CHARACTERS_AT_MOST: Final = 400_000
"""Longer prompts are not read in a time that anybody waits for: they stay."""
_WAITING_AT_MOST: Final = 32
_START_SECONDS: Final = 180.0
_ANSWER_SECONDS: Final = 5.0
_SECONDS_PER_CHARACTER: Final = 0.0005
"""Five times what it takes on an idle core."""
_AGAIN_SECONDS: Final = (0.5, 2.0, 10.0, 30.0)
"""Waits between starts of a worker that does not come up."""
_NICE: Final = 5
"""The worker yields to whoever serves tokens."""


def worker_command() -> tuple[str, ...]:
    """Return the command of the real worker, as a child of this process."""
    return (sys.executable, "-m", "serving.deep.worker", "--parent", str(os.getpid()))


@dataclass(slots=True)
class DeepScanner:
    """Implements `router.ports.DeepScan`. `start` brings the worker up in the background; `close` ends it.

    `command` starts a program that speaks `serving.deep.wire`. One question is answered at a time, the rest wait their turn.
    """

    command: Callable[[], Sequence[str]] = worker_command
    answer_seconds: float = _ANSWER_SECONDS
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _waiting: int = 0
    _worker: Process | None = None
    _keeping: "asyncio.Task[None] | None" = None
    _up: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def ready(self) -> bool:
        """Whether a worker is up and loaded."""
        return self._up.is_set()

    def start(self) -> None:
        """Have a worker brought up, and brought up again whenever it dies. Returns at once."""
        if self._keeping is None:
            self._keeping = asyncio.create_task(self._keep_a_worker())

    async def wait_ready(self, seconds: float) -> None:
        """Return once a worker is up. Raises `ScanUnavailable` when none comes up in time."""
        try:
            async with asyncio.timeout(seconds):
                await self._up.wait()
        except TimeoutError as error:
            raise ScanUnavailable(f"the deep scan did not come up within {seconds:g} s") from error

    async def close(self) -> None:
        """End the worker and wait for it."""
        if self._keeping is not None:
            self._keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeping
            self._keeping = None

    @contextlib.asynccontextmanager
    async def running(self) -> "AsyncIterator[DeepScanner]":
        """Have a worker for as long as this lasts."""
        self.start()
        try:
            yield self
        finally:
            await self.close()

    async def scan(self, texts: tuple[str, ...]) -> tuple[tuple[Finding, ...], ...]:
        """Return each text's findings. Raises `ScanUnavailable`."""
        characters = sum(map(len, texts))
        if characters > CHARACTERS_AT_MOST:
            raise ScanUnavailable(f"the deep scan reads no more than {CHARACTERS_AT_MOST:,} characters")
        if self._waiting >= _WAITING_AT_MOST:
            raise ScanUnavailable("too many texts wait for the deep scan")
        self._waiting += 1
        try:
            async with asyncio.timeout(self.answer_seconds + characters * _SECONDS_PER_CHARACTER), self._turn:
                return await self._ask(texts)
        except TimeoutError as error:
            raise ScanUnavailable("the deep scan did not answer in time") from error
        finally:
            self._waiting -= 1

    async def _ask(self, texts: tuple[str, ...]) -> tuple[tuple[Finding, ...], ...]:
        worker = self._worker
        if worker is None or not self.ready:
            raise ScanUnavailable("the deep scan is not ready")
        answered = False
        try:
            _stdin(worker).write(encode({"texts": texts}))
            await _stdin(worker).drain()
            findings = decode_findings(await next_frame(_stdout(worker)), len(texts))
            answered = True
            return findings
        except (OSError, EOFError) as error:
            raise ScanUnavailable("the deep scan's worker died") from error
        except ValueError as error:
            raise ScanUnavailable(f"the deep scan failed: {error}") from error
        finally:
            if not answered:
                # A worker that was left in the middle of an answer would give it to the next who asks.
                self._up.clear()
                _kill(worker)

    async def _keep_a_worker(self) -> None:
        failures = 0
        while True:
            began_ready = await self._live_once()
            failures = 0 if began_ready else failures + 1
            await asyncio.sleep(_AGAIN_SECONDS[min(failures, len(_AGAIN_SECONDS) - 1)])

    async def _live_once(self) -> bool:
        """Start a worker and stay until it ends; tell whether it ever came up."""
        worker = await asyncio.create_subprocess_exec(
            *self.command(), stdin=PIPE, stdout=PIPE, env=_environment(), limit=FRAME_BYTES_AT_MOST
        )
        try:
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, worker.pid, _NICE)
            try:
                async with asyncio.timeout(_START_SECONDS):
                    hello = await next_frame(_stdout(worker))
            except (TimeoutError, EOFError, ValueError):
                hello = None
            if hello != {"ready": True}:
                log.warning("the deep scan's worker did not come up")
                return False
            self._worker = worker
            self._up.set()
            status = await worker.wait()
            log.warning("the deep scan's worker ended with %s; starting another", status)
            return True
        finally:
            self._up.clear()
            self._worker = None
            _kill(worker)
            await worker.wait()


def _environment() -> dict[str, str]:
    """What the worker needs of this process's environment: no key, no proxy, no address."""
    kept = (
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
    return {name: os.environ[name] for name in kept if name in os.environ} | {"OMP_NUM_THREADS": "1"}


def _stdin(worker: Process) -> asyncio.StreamWriter:
    assert worker.stdin is not None
    return worker.stdin


def _stdout(worker: Process) -> asyncio.StreamReader:
    assert worker.stdout is not None
    return worker.stdout


def _kill(worker: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        worker.kill()
