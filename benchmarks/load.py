"""How fast are streamed chat completions answered? A load generator cheap enough to share a small box with what it measures.

Plain asyncio sockets, one connection a request, one scan of the bytes for the first token: no HTTP library, no JSON until the end.
"""

import asyncio
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

_CONTENT: Final = re.compile(rb'"content":"[^"]')
_USAGE: Final = re.compile(rb'"completion_tokens":(\d+)')
_READ_BYTES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send requests, as whom, and for which model."""

    host: str
    port: int
    model: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One answered request: seconds to its first token and to its end, and its tokens."""

    first_token_seconds: float
    seconds: float
    tokens: int

    @property
    def per_token_seconds(self) -> float:
        """Seconds between two tokens of the stream, on average."""
        return (self.seconds - self.first_token_seconds) / max(self.tokens - 1, 1)


@dataclass(frozen=True, slots=True)
class Load:
    """What one level of concurrency gave. `seconds` is the wall clock over all of its requests."""

    concurrency: int
    samples: tuple[Sample, ...]
    seconds: float

    @property
    def tokens_per_second(self) -> float:
        """Answer tokens a second, all streams together."""
        return sum(sample.tokens for sample in self.samples) / self.seconds


class LoadFailed(Exception):
    """A request of the load was not answered as it should be."""


async def run_load(
    target: Target, prompts: Sequence[str], concurrency: int, tokens: int, most_seconds: float, done: Callable[[], None]
) -> Load:
    """Send the prompts, so many at a time, each asking for `tokens` tokens; start no more after `most_seconds`."""
    waiting, samples = list(reversed(prompts)), []
    started = time.perf_counter()

    async def client() -> None:
        while waiting and time.perf_counter() - started < most_seconds:
            samples.append(await ask(target, waiting.pop(), tokens))
            done()

    async with asyncio.TaskGroup() as group:
        for _ in range(min(concurrency, len(prompts))):
            group.create_task(client())
    return Load(concurrency, tuple(samples), time.perf_counter() - started)


async def ask(target: Target, prompt: str, tokens: int) -> Sample:
    """Stream one answer. Raises `LoadFailed` for anything but a whole answer."""
    body = orjson.dumps(
        {
            "model": target.model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    )
    started = time.perf_counter()
    reader, writer = await asyncio.open_connection(target.host, target.port)
    try:
        writer.write(head(target, len(body)) + body)
        first, answer = await read_answer(reader)
    finally:
        writer.close()
    ended = time.perf_counter()
    usage = _USAGE.search(answer)
    if first is None or usage is None:
        raise LoadFailed(f"{target.host}:{target.port} answered {answer[:400]!r}")
    return Sample(first - started, ended - started, int(usage[1]))


async def read_answer(reader: asyncio.StreamReader) -> tuple[float | None, bytes]:
    """Return when the first token came, and all bytes up to the stream's end."""
    first, answer = None, b""
    while piece := await reader.read(_READ_BYTES):
        answer += piece
        if first is None and _CONTENT.search(answer):
            first = time.perf_counter()
        if b"data: [DONE]" in answer[-64:] or not answer.startswith(b"HTTP/1.1 200"):
            break
    return first, answer


def head(target: Target, length: int) -> bytes:
    """Return a request's head, for a body of so many bytes."""
    lines = [
        "POST /v1/chat/completions HTTP/1.1",
        f"Host: {target.host}:{target.port}",
        "Content-Type: application/json",
        f"Content-Length: {length}",
        "Connection: close",
        *([f"Authorization: Bearer {target.key}"] if target.key else []),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def quantile(values: Sequence[float], share: float) -> float:
    """Return the value below which this share of the values lies (nearest rank)."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, max(0, round(share * len(ranked) + 0.5) - 1))]
