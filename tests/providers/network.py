"""What goes wrong below HTTP: an address where nobody picks up, and a proxy that delays, cuts or freezes a connection.

with black_hole() as port: ...                     # a connection is never made: nothing refuses it, nothing accepts it
with Proxy(provider.port) as proxy:                # a lane's `base_url`: f"http://127.0.0.1:{proxy.port}/v1"
    proxy.delay_seconds = 0.2                      # each way
    proxy.cut_after_bytes = 1000                   # of an answer: then a reset
    proxy.frozen = True                            # nothing goes either way, nobody is told: a half-open connection
    proxy.refusing = True                          # new connections are reset
"""

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@contextmanager
def black_hole() -> Iterator[int]:
    """Yield a port of this machine whose queue is full: a connection to it waits for ever."""
    with contextlib.ExitStack() as open_sockets:
        listener = open_sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        for _ in range(4):
            filler = open_sockets.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
        yield address[1]


@dataclass
class Proxy:
    """Passes bytes on to a port of this machine, and lets the test come in between. `connections` counts those made."""

    to: int
    port: int = 0
    delay_seconds: float = 0.0
    cut_after_bytes: int | None = None
    frozen: bool = False
    refusing: bool = False
    connections: int = 0

    def __enter__(self) -> "Proxy":
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), name="proxy", daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._stop.wait()
        server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks, timeout=5) if self._tasks else None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.CancelledError, ExceptionGroup):
            if self.refusing:
                _reset(writer)
                return
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", self.to)
            try:
                async with asyncio.TaskGroup() as ways:
                    there = ways.create_task(self._pass(reader, other_writer, None))
                    back = ways.create_task(self._pass(other_reader, writer, self.cut_after_bytes))
                    there.add_done_callback(lambda _: back.cancel())
                    back.add_done_callback(lambda _: there.cancel())
            finally:
                other_writer.close()
                writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, at_most: int | None) -> None:
        passed = 0
        while data := await reader.read(2**16):
            await asyncio.sleep(self.delay_seconds)
            while self.frozen:  # noqa: ASYNC110 - the test says so from another thread
                await asyncio.sleep(0.02)
            if at_most is not None and passed + len(data) > at_most:
                writer.write(data[: at_most - passed])
                await writer.drain()
                _reset(writer)
                return
            passed += len(data)
            writer.write(data)
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
