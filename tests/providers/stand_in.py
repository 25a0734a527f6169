"""A stand-in for a hosted API: OpenAI's Chat Completions and Responses, and Anthropic's Messages, over real sockets, failing on command.

In a test:

    with StandIn() as provider:                                        # provider.base_url is what a lane's `base_url` must be
        provider.behaviour = Behaviour(status=500)                     # every request from now on
        provider.behave(Behaviour(fails="quota"), model="big-1")       # one model's (a lane's, if its model is its own)
        provider.script([rate_limited(seconds="2"), Behaviour()])      # one request each, then as before; also `model=`
        provider.received[-1].json["messages"]                         # every request as it came
        provider.holding("canary-17")                                  # those that hold a text, in body or headers

From another process, with the same words: `python -m tests.providers.stand_in --port 9000 --key sk-test`, then

    commands = Commands("http://127.0.0.1:9000")
    commands.behave(Behaviour(stall_after="middle"))
    commands.received()

`tests/providers/behaviour.py` lists what it can do; the path (`…/chat/completions`, `…/responses`, `…/messages`) says in which protocol.
It writes HTTP by hand, so that it can break it anywhere. `tests/providers/network.py` breaks connections below HTTP.
"""

import argparse
import asyncio
import contextlib
import json
import socket
import ssl
import struct
import threading
import urllib.request
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.providers import speak_anthropic_messages, speak_openai_chat, speak_openai_responses
from tests.providers.behaviour import BEHAVIOUR, MODEL_VERSION, Behaviour, Event, Refused, place_of, rate_limited

__all__ = ["MODEL_VERSION", "Behaviour", "Commands", "Received", "StandIn", "rate_limited"]

_SPEAKS: dict[str, ModuleType] = {
    "/chat/completions": speak_openai_chat,
    "/responses": speak_openai_responses,
    "/messages": speak_anthropic_messages,
}
_COMMANDS = "/stand-in/"


@dataclass
class Received:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)

    @property
    def model(self) -> str:
        """The model that was asked for; empty where the body says none."""
        try:
            return str(self.json["model"])
        except (ValueError, KeyError, TypeError):
            return ""

    @property
    def speaks(self) -> ModuleType | None:
        """How its protocol answers."""
        return next((speaks for path, speaks in _SPEAKS.items() if self.path.endswith(path)), None)


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
    behaviour: Behaviour = field(default_factory=Behaviour)
    received: list[Received] = field(default_factory=list)
    hung_up: int = 0
    connections: int = 0
    _of_model: dict[str, Behaviour] = field(default_factory=dict)
    _scripts: dict[str | None, deque[Behaviour]] = field(default_factory=lambda: defaultdict(deque))

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
    def address(self) -> str:
        """Where it is reached: what `Commands` takes."""
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    @property
    def base_url(self) -> str:
        """What a lane's `base_url` must be, whatever its protocol."""
        return f"{self.address}/v1"

    # -------------------------------------------------------------- commands

    def behave(self, behaviour: Behaviour, model: str | None = None) -> None:
        """Answer so from now on; with a `model`, to requests for that one alone."""
        if model is None:
            self.behaviour = behaviour
        else:
            self._of_model[model] = behaviour

    def script(self, behaviours: Iterable[Behaviour], model: str | None = None) -> None:
        """Answer the next requests so, one after another, then as before."""
        self._scripts[model].extend(behaviours)

    def reset(self) -> None:
        """Be friendly again, and forget what was received."""
        self.behaviour = Behaviour()
        self._of_model.clear()
        self._scripts.clear()
        self.received.clear()

    def holding(self, text: str) -> list[Received]:
        """Return the requests whose body or headers hold a text."""
        return [one for one in self.received if text.encode() in one.body or text in str(one.headers)]

    def _behaviour_for(self, model: str) -> Behaviour:
        for name in (model, None):
            if self._scripts[name]:
                return self._scripts[name].popleft()
        return self._of_model.get(model, self.behaviour)

    # -------------------------------------------------------------- serving

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
                if request.path.startswith(_COMMANDS):
                    await _whole(writer, 200, self._commanded(request), "application/json")
                    continue
                self.received.append(request)
                self._write_down(request)
                do = self._behaviour_for(request.model)
                if do.half_open:
                    await self._stop.wait()
                await self._while_connected(self._answer(request, do, writer), reader)
        except _HungUp:
            self.hung_up += 1
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    def _commanded(self, request: Received) -> bytes:
        """Do what `Commands` asks for."""
        match request.path.removeprefix(_COMMANDS):
            case "behave":
                self.behave(_decoded(request.json["behaviour"]), request.json["model"])
            case "script":
                behaviours = [_decoded(one) for one in request.json["behaviours"]]
                self.script(behaviours, request.json["model"])
            case "reset":
                self.reset()
            case _:
                pass
        return json.dumps([{**vars(one), "body": one.body.decode()} for one in self.received]).encode()

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

    async def _answer(self, request: Received, do: Behaviour, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(do.head_delay_seconds)
        if do.cut_after == -1:
            _reset(writer)
            raise ConnectionResetError
        speaks = request.speaks or speak_openai_chat
        if (refused := self._refusal(request, do, speaks)) is not None:
            kind = do.content_type or "application/json"
            await _whole(writer, refused.status, refused.body, kind, do.headers)
        elif request.speaks is None:
            await _whole(writer, 404, b"<html>Not Found</html>", "text/html")
        elif do.raw_body is not None:
            await _whole(writer, 200, do.raw_body, do.content_type or "text/html; charset=utf-8", do.headers)
        elif request.json.get("stream"):
            await self._stream(do, list(speaks.events(do, request.json)), speaks, writer)
        else:
            await _whole(writer, 200, speaks.whole(do, request.json), "application/json", do.headers)

    def _refusal(self, request: Received, do: Behaviour, speaks: ModuleType) -> Refused | None:
        """Return the failure that is answered at once. Its words quote the key, as a careless provider's might."""
        refused: Refused | None = None
        said = request.headers.get("authorization", "").removeprefix("Bearer ")
        if speaks is speak_anthropic_messages:
            said = request.headers.get("x-api-key", said)
        if said != self.key:
            sentence = f"Incorrect API key provided: {said}."
            refused = speaks.failure("bad_key", sentence)
        elif do.fails is not None and do.fails_at is None:
            refused = speaks.failure(do.fails, f"No, and your key is {said}")
        elif do.status != 200:
            body = do.raw_body or speaks.error_body(f"No, and your key is {said}", do.error_code)
            refused = Refused(do.status, body)
        return refused

    async def _stream(
        self, do: Behaviour, events: list[Event], speaks: ModuleType, writer: asyncio.StreamWriter
    ) -> None:
        at = {name: place_of(getattr(do, name), events) for name in ("cut_after", "stall_after", "garbage_at")}
        fails_at, content = place_of(do.fails_at, events), place_of("content", events)
        kind = do.content_type or "text/event-stream; charset=utf-8"
        _head(writer, 200, kind, (*do.headers, ("Transfer-Encoding", "chunked")))
        await writer.drain()
        for number, event in enumerate([*events, None]):
            if at["cut_after"] == number:
                _reset(writer)
                raise ConnectionResetError
            if at["stall_after"] == number:
                await asyncio.sleep(3600)
            if event is None:
                break
            await _pause(do, do.first_delay_seconds if number == content else do.gap_seconds, writer)
            if fails_at == number and do.fails is not None:
                await _write_event(writer, speaks.failing_event(do.fails, f"and your key is {self.key}"), do)
                break
            await _write_event(writer, event, do, do.garbage if number == at["garbage_at"] else None)
        writer.write(b"0\r\n\r\n")
        await writer.drain()


@dataclass(frozen=True)
class Commands:
    """The commands to a stand-in in another process, at its `address`."""

    address: str

    def behave(self, behaviour: Behaviour, model: str | None = None) -> None:
        """As `StandIn.behave`."""
        self._post("behave", {"behaviour": _encoded(behaviour), "model": model})

    def script(self, behaviours: Iterable[Behaviour], model: str | None = None) -> None:
        """As `StandIn.script`."""
        self._post("script", {"behaviours": [_encoded(one) for one in behaviours], "model": model})

    def reset(self) -> None:
        """As `StandIn.reset`."""
        self._post("reset", {})

    def received(self) -> list[Received]:
        """Return every request so far."""
        return [Received(**{**one, "body": one["body"].encode()}) for one in self._post("received", {})]

    def _post(self, command: str, fields: dict[str, Any]) -> Any:
        request = urllib.request.Request(self.address + _COMMANDS + command, json.dumps(fields).encode())
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            return json.load(answer)


def _encoded(behaviour: Behaviour) -> Any:
    return BEHAVIOUR.dump_python(behaviour, mode="json")


def _decoded(behaviour: Any) -> Behaviour:
    return BEHAVIOUR.validate_json(json.dumps(behaviour))


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


async def _pause(do: Behaviour, seconds: float, writer: asyncio.StreamWriter) -> None:
    steps = 10 if do.keep_alive_comments else 1
    for _ in range(steps):
        await asyncio.sleep(seconds / steps)
        if do.keep_alive_comments:
            await _chunk(writer, b": still here\n\n")


async def _write_event(writer: asyncio.StreamWriter, event: Event, do: Behaviour, garbage: str | None = None) -> None:
    if do.unknown_events:
        await _chunk(writer, b'event: of_the_future\ndata: {"type": "of_the_future", "choices": []}\n\n')
    name = f"event: {event.name}\n" if event.name else ""
    text = f"{name}data: {event.data if garbage is None else garbage}\n\n"
    raw = text.replace("\n", "\r\n").encode() if do.crlf else text.encode()
    size = do.split_bytes or len(raw)
    for start in range(0, len(raw), size):
        await _chunk(writer, raw[start : start + size])


async def _chunk(writer: asyncio.StreamWriter, raw: bytes) -> None:
    writer.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")
    await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close as a crashed peer does: with a reset."""
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A stand-in for a hosted API, on a port.")
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
