"""Who asks, how often, and what each of them got: requests at set times, whatever becomes of those before them."""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from benchmarks.load import Target, head, read_answer

_STATUS: Final = re.compile(rb"HTTP/1\.1 (\d{3})")
_RETRY_AFTER: Final = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)
_END: Final = b"data: [DONE]"


@dataclass(frozen=True, slots=True)
class Client:
    """A tenant of the benchmark. `rate`: what it asks for, as a multiple of what the lane can do."""

    org: str
    rate: float
    weight: float = 1.0
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Got:
    """What one request got: the status (0: the connection broke, or a stream without its end), and when, since the load began."""

    org: str
    status: int
    asked_at: float
    seconds: float
    retry_after: int | None

    @property
    def ended_at(self) -> float:
        """Seconds since the load began."""
        return self.asked_at + self.seconds


async def ask(target: Target, org: str, prompt: str, tokens: int, began: float) -> Got:
    """Send one streamed request and read what comes."""
    asked = time.perf_counter()
    status, retry_after = 0, None
    body = orjson.dumps(
        {
            "model": target.model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": tokens,
            "stream": True,
        }
    )
    try:
        reader, writer = await asyncio.open_connection(target.host, target.port)
        try:
            writer.write(head(target, len(body)) + body)
            _, answer = await read_answer(reader)
        finally:
            writer.close()
        if (found := _STATUS.match(answer)) and (found[1] != b"200" or _END in answer):
            status = int(found[1])
        if said := _RETRY_AFTER.search(answer):
            retry_after = int(said[1])
    except OSError:
        pass
    return Got(org, status, asked - began, time.perf_counter() - asked, retry_after)


async def closed_loop(target: Target, org: str, at_once: int, seconds: float, tokens: int) -> list[Got]:
    """Keep so many requests open for so long: what the lane can do."""
    began = time.perf_counter()
    got: list[Got] = []

    async def client(number: int) -> None:
        turn = 0
        while time.perf_counter() - began < seconds:
            turn += 1
            got.append(await ask(target, org, _prompt(number, turn), tokens, began))

    async with asyncio.TaskGroup() as group:
        for number in range(at_once):
            group.create_task(client(number))
    return got


async def open_loop(
    targets: dict[str, Target], clients: Sequence[Client], capacity: float, seconds: float, tokens: int
) -> list[Got]:
    """Have every client ask at its own steady rate for so long, and wait for what is still under way."""
    began = time.perf_counter()
    times = sorted(
        ((number + 0.5) / (client.rate * capacity), client.org)
        for client in clients
        for number in range(int(client.rate * capacity * seconds))
    )
    tasks: list[asyncio.Task[Got]] = []
    async with asyncio.TaskGroup() as group:
        for number, (at, org) in enumerate(times):
            await asyncio.sleep(max(0.0, began + at - time.perf_counter()))
            tasks.append(group.create_task(ask(targets[org], org, _prompt(number, 0), tokens, began)))
    return [task.result() for task in tasks]


def _prompt(number: int, turn: int) -> str:
    return f"Chapter {number}.{turn}: tell a story about a lighthouse."
