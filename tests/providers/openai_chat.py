"""A stand-in for a hosted API: speaks OpenAI's Chat Completions over real sockets, fails on command, and keeps what it was sent.

In a test: `with StandIn() as provider:`, then `provider.behaviour = Behaviour(status=429)`. As a process of its own:
`python -m tests.providers.openai_chat --port 9000 --key sk-test`. It writes HTTP by hand, so that it can break it anywhere.
"""

import argparse
import asyncio
import contextlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MODEL_VERSION = "stand-in-2026-11-01"


@dataclass(frozen=True)
class Behaviour:
    """How it answers from now on. `cut_after` counts event-stream chunks; 0 cuts after the head, -1 before it (a reset)."""

    pieces: tuple[str, ...] = ("The capital ", "of France ", "is Paris.")
    reasoning: str = ""
    refusal: str = ""
    tool_calls: tuple[tuple[str, str, str], ...] = ()
    finish: str | None = None
    usage: bool = True
    done: bool = True
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    error_code: str | None = None
    content_type: str | None = None
    raw_body: bytes | None = None
    garbage_at: int | None = None
    garbage: str = "{not json"
    head_delay_seconds: float = 0.0
    first_delay_seconds: float = 0.0
    gap_seconds: float = 0.0
    keep_alive_comments: bool = False
    cut_after: int | None = None
    stall_after: int | None = None


@dataclass
class Received:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class _HungUp(Exception):
    """The client closed its connection."""


@dataclass
class StandIn:
    """The server. `received` holds every request, `hung_up` counts clients that left before their answer's end.

    `tls`: it speaks HTTPS, with this context's certificate. `log`: a file that gets each request's headers and body as a JSON line, for whoever started this as a process.
    """

    key: str = "sk-stand-in-0123456789abcdef"
    port: int = 0
    host: str = "127.0.0.1"
    log: Path | None = None
    tls: ssl.SSLContext | None = None
    behaviour: Behaviour = Behaviour()
    received: list[Received] = field(default_factory=list)
    hung_up: int = 0
    connections: int = 0

    def __enter__(self) -> "StandIn":
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self.serve(ready)), name="stand-in", daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    @property
    def base_url(self) -> str:
        """What a lane's `base_url` must be."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}/v1"

    async def serve(self, ready: threading.Event | None = None) -> None:
        """Serve until stopped."""
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._connected, self.host, self.port, limit=2**26, ssl=self.tls)
        self.port = server.sockets[0].getsockname()[1]
        if ready is not None:
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
        try:
            while (request := await _read(reader)) is not None:
                self.received.append(request)
                self._write_down(request)
                await self._while_connected(self._answer(request, writer), reader)
        except _HungUp:
            self.hung_up += 1
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    def _write_down(self, request: Received) -> None:
        if self.log is not None:
            line = json.dumps({"path": request.path, "headers": request.headers, "body": request.body.decode()})
            with self.log.open("a") as log:
                log.write(line + "\n")

    async def _while_connected(self, answer: Any, reader: asyncio.StreamReader) -> None:
        """Run the answer; a client that closes meanwhile ends it."""
        answering = asyncio.ensure_future(answer)
        leaving = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                raise _HungUp
            answering.result()
        finally:
            for task in (answering, leaving):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                    await task

    async def _answer(self, request: Received, writer: asyncio.StreamWriter) -> None:
        do = self.behaviour
        await asyncio.sleep(do.head_delay_seconds)
        if do.cut_after == -1:
            _reset(writer)
            raise ConnectionResetError
        said = request.headers.get("authorization", "")
        if said != f"Bearer {self.key}":
            sentence = f"Incorrect API key provided: {said.removeprefix('Bearer ')}."
            await _whole(writer, 401, _error_body(sentence, "invalid_api_key"), "application/json")
        elif do.status != 200:
            body = do.raw_body or _error_body(f"No, and your key is {said}", do.error_code)
            await _whole(writer, do.status, body, do.content_type or "application/json", do.headers)
        elif do.raw_body is not None:
            await _whole(writer, 200, do.raw_body, do.content_type or "text/html; charset=utf-8", do.headers)
        elif json.loads(request.body).get("stream"):
            await self._stream(do, writer)
        else:
            await _whole(writer, 200, _completion(do), "application/json")

    async def _stream(self, do: Behaviour, writer: asyncio.StreamWriter) -> None:
        _head(writer, 200, do.content_type or "text/event-stream; charset=utf-8", (("Transfer-Encoding", "chunked"),))
        await writer.drain()
        for number, event in enumerate(_events(do)):
            if do.cut_after == number:
                _reset(writer)
                raise ConnectionResetError
            if do.stall_after == number:
                await asyncio.sleep(3600)
            steps = 10 if do.keep_alive_comments else 1
            for _ in range(steps):
                await asyncio.sleep((do.first_delay_seconds if number == 1 else do.gap_seconds) / steps)
                if do.keep_alive_comments:
                    await _chunk(writer, ": still here\n\n")
            await _chunk(writer, f"data: {do.garbage if number == do.garbage_at else event}\n\n")
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def _events(do: Behaviour) -> Iterator[str]:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _chunk_json([choice], None)

    yield chunk({"role": "assistant", "content": ""})
    if do.reasoning:
        yield chunk({"reasoning_content": do.reasoning})
    if do.refusal:
        yield chunk({"refusal": do.refusal})
    for index, (identifier, name, arguments) in enumerate(do.tool_calls):
        function = {"name": name, "arguments": ""}
        yield chunk({"tool_calls": [{"index": index, "id": identifier, "type": "function", "function": function}]})
        yield chunk({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]})
    if not (do.refusal or do.tool_calls):
        for piece in do.pieces:
            yield chunk({"content": piece})
    yield chunk({}, do.finish or ("tool_calls" if do.tool_calls else "stop"))
    if do.usage:
        yield _chunk_json([], _USAGE)
    if do.done:
        yield "[DONE]"


_USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 7,
    "total_tokens": 18,
    "prompt_tokens_details": {"cached_tokens": 3},
}


def _chunk_json(choices: list[dict[str, Any]], usage: dict[str, Any] | None) -> str:
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1_790_000_000,
            "model": MODEL_VERSION,
            "system_fingerprint": "fp_1",
            "choices": choices,
            "usage": usage,
        }
    )


def _completion(do: Behaviour) -> bytes:
    message = {"role": "assistant", "content": "".join(do.pieces), "refusal": do.refusal or None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": do.finish or "stop"}
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_790_000_000,
            "model": MODEL_VERSION,
            "choices": [choice],
            "usage": _USAGE,
        }
    ).encode()


def _error_body(message: str, code: str | None) -> bytes:
    return json.dumps({"error": {"message": message, "type": "error", "code": code, "param": None}}).encode()


async def _read(reader: asyncio.StreamReader) -> Received | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines) if name}
    method, path, _ = first.split(" ")
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(method, path, headers, body)


async def _whole(
    writer: asyncio.StreamWriter, status: int, body: bytes, kind: str, headers: tuple[tuple[str, str], ...] = ()
) -> None:
    _head(writer, status, kind, (*headers, ("Content-Length", str(len(body)))))
    writer.write(body)
    await writer.drain()


def _head(writer: asyncio.StreamWriter, status: int, kind: str, headers: tuple[tuple[str, str], ...]) -> None:
    lines = [f"HTTP/1.1 {status} Said", f"Content-Type: {kind}", *(f"{name}: {value}" for name, value in headers)]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))


async def _chunk(writer: asyncio.StreamWriter, text: str) -> None:
    raw = text.encode()
    writer.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")
    await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close as a crashed peer does: with a reset."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default=StandIn.host)
    parser.add_argument("--key", default=StandIn.key)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--tls", type=Path, nargs=2, metavar=("CERTIFICATE", "KEY"), help="PEM files")
    arguments = vars(parser.parse_args())
    if arguments["tls"] is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*arguments["tls"])
        arguments["tls"] = context
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(StandIn(**arguments).serve())
