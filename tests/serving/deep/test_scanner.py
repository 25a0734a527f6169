"""The client against stand-in workers: whatever a worker does, the answer is findings or `ScanUnavailable`, never "nothing found"."""

import asyncio
import sys
import textwrap
import time
from collections.abc import Callable, Sequence

import pytest

from router.errors import ScanUnavailable
from serving.deep.scanner import CHARACTERS_AT_MOST, DeepScanner

_FRAMES = """
import json, os, struct, sys, time
def read():
    head = sys.stdin.buffer.read(4)
    return json.loads(sys.stdin.buffer.read(struct.unpack(">I", head)[0])) if head else sys.exit()
def say(value):
    body = json.dumps(value).encode()
    sys.stdout.buffer.write(struct.pack(">I", len(body)) + body); sys.stdout.buffer.flush()
def finding(text):
    return dict(entity="PERSON", category="pii", message=0, start=0, end=len(text), score=0.9, detector="stand-in")
say({"ready": True})
"""
ECHO = "while True:\n    say({'findings': [[finding(text)] for text in read()['texts']]})"


def stand_in(program: str) -> Callable[[], Sequence[str]]:
    return lambda: (sys.executable, "-c", _FRAMES + textwrap.dedent(program))


async def ready(program: str, **changes: float) -> DeepScanner:
    scanner = DeepScanner(command=stand_in(program), **changes)  # type: ignore[arg-type]
    scanner.start()
    await scanner.wait_ready(30)
    return scanner


def test_many_at_once_get_each_their_own_answer() -> None:
    async def scenario() -> list[int]:
        scanner = await ready(ECHO)
        try:
            async with asyncio.TaskGroup() as group:
                asked = [group.create_task(scanner.scan(("x" * length,))) for length in range(1, 21)]
            return [one.result()[0][0].end for one in asked]
        finally:
            await scanner.close()

    assert asyncio.run(scenario()) == list(range(1, 21))


@pytest.mark.parametrize(
    ("program", "because"),
    [
        ("read()\nsys.exit(3)", "died"),
        ("read()\nsay({'failed': 'MemoryError'})", "MemoryError"),
        ("read()\nsay({'findings': []})", "other texts"),
        ("read()\nsay({'findings': [[{'entity': 'PERSON'}]]})", "failed"),
        ("read()\nsay('nothing')", "can't be read"),
        ("read()\nsys.stdout.buffer.write(b'\\xff' * 8); sys.stdout.buffer.flush(); time.sleep(60)", "too long"),
        ("read()\ntime.sleep(60)", "in time"),
    ],
)
def test_a_worker_that_misbehaves_is_never_taken_for_one_that_found_nothing(program: str, because: str) -> None:
    async def scenario() -> None:
        scanner = await ready(program, answer_seconds=1.0)
        try:
            await scanner.scan(("Ada",))
        finally:
            await scanner.close()

    with pytest.raises(ScanUnavailable, match=because):
        asyncio.run(scenario())


def test_after_a_death_another_worker_takes_its_place() -> None:
    dies_once = "text = read()['texts'][0]\nif text == 'die': sys.exit(1)\nsay({'findings': [[]]})\n" + ECHO

    async def scenario() -> str:
        scanner = await ready(dies_once)
        try:
            with pytest.raises(ScanUnavailable):
                await scanner.scan(("die",))
            assert not scanner.ready
            with pytest.raises(ScanUnavailable, match="not ready"):
                await scanner.scan(("too early",))
            await scanner.wait_ready(30)
            return str(await scanner.scan(("again",)))
        finally:
            await scanner.close()

    assert asyncio.run(scenario()) == "((),)"


def test_an_answer_that_nobody_waited_for_is_not_given_to_the_next() -> None:
    async def scenario() -> int:
        scanner = await ready(
            "text = read()['texts'][0]\ntime.sleep(0.5)\nsay({'findings': [[finding(text)]]})\n" + ECHO
        )
        try:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await scanner.scan(("left alone",))
            await scanner.wait_ready(30)
            (((finding),),) = await scanner.scan(("me",))
            return finding.end
        finally:
            await scanner.close()

    # The second worker answers its first question late too, but its own.
    assert asyncio.run(scenario()) == len("me")


def test_too_many_who_wait_are_turned_away_at_once() -> None:
    async def scenario() -> tuple[int, float]:
        scanner = await ready("read()\ntime.sleep(60)", answer_seconds=1.0)
        try:
            waiting = [asyncio.create_task(scanner.scan(("x",))) for _ in range(40)]
            await asyncio.sleep(0.1)
            began = time.monotonic()
            turned_away = [task for task in waiting if task.done()]
            for task in waiting:
                task.cancel()
            await asyncio.wait(waiting)
            for task in turned_away:
                assert isinstance(task.exception(), ScanUnavailable)
            return len(turned_away), time.monotonic() - began
        finally:
            await scanner.close()

    count, _ = asyncio.run(scenario())
    assert count == 8


def test_what_is_too_long_to_read_in_time_stays() -> None:
    with pytest.raises(ScanUnavailable, match="no more than"):
        asyncio.run(DeepScanner().scan(("x" * (CHARACTERS_AT_MOST + 1),)))


def test_one_that_was_never_started_lets_nothing_go() -> None:
    with pytest.raises(ScanUnavailable, match="not ready"):
        asyncio.run(DeepScanner().scan(("Ada",)))
