import asyncio
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from serving.deep.scanner import DeepScanner

_T = TypeVar("_T")


class Loop:
    """An event loop in a thread, so that one worker serves a whole session of tests."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="deep scan")
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, _T], seconds: float = 240) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(seconds)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


class Scanning:
    """The real worker, asked from synchronous tests."""

    def __init__(self, loop: Loop, scanner: DeepScanner) -> None:
        self._loop, self.scanner = loop, scanner

    def wait(self) -> None:
        self._loop.run(self.scanner.wait_ready(240))

    def scan(self, *texts: str) -> Any:
        return self._loop.run(self.scanner.scan(texts))


@pytest.fixture(scope="session")
def deep() -> Iterator[Scanning]:
    loop = Loop()

    async def start() -> DeepScanner:
        scanner = DeepScanner(answer_seconds=60)
        scanner.start()
        await scanner.wait_ready(240)
        return scanner

    scanner = loop.run(start())
    try:
        yield Scanning(loop, scanner)
    finally:
        loop.run(scanner.close())
        loop.close()
