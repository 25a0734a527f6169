import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from router.errors import ToolFailed, ToolTimeout
from serving.tools.workers import Workers

pytestmark = pytest.mark.slow

CODE = """
import asyncio, os, socket, subprocess, sys, time
from serving.tools.declined import Declined

def add(a, b): return a + b
async def later(a): await asyncio.sleep(0.01); return [a]
def hang(): subprocess.Popen(["sleep", "600"]); time.sleep(600)
def die(): os._exit(3)
def boom(secret): raise ValueError(secret)
def no(): raise Declined("not here")
def key(idempotency_key): return idempotency_key
def env(): return sorted(os.environ)
def reach(): socket.create_connection(("127.0.0.1", 9)); return "reached"
def chatter(): print("noise"); sys.stdout.flush(); return "quiet"
def odd(): return object()
def long(): return "x" * 3_000_000
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "code.py").write_text(CODE)
    (tmp_path / "broken.py").write_text("raise RuntimeError")
    return tmp_path


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    yield
    assert [
        one for one in psutil.Process().children(recursive=True) if "serving.tools" in " ".join(one.cmdline())
    ] == []


def asked(folder: Path, *names: str, seconds: float = 10.0, **workers: Any) -> list[Any]:
    async def all_of() -> list[Any]:
        pool = Workers(folder, ("code",), **workers)
        found: list[Any] = []
        try:
            for name in names:
                try:
                    found.append(await pool.ask("t", question(name), seconds))
                except (ToolFailed, ToolTimeout) as error:
                    found.append(error)
        finally:
            await pool.close()
        return found

    return asyncio.run(all_of())


def question(entry: str, **arguments: Any) -> dict[str, Any]:
    return {"kind": "python", "entry": f"code:{entry}", "arguments": arguments, "key": "k1", "pin": None}


def test_functions_answer_decline_and_are_given_their_key(folder: Path) -> None:
    async def both(pool: Workers) -> list[Any]:
        return [await pool.ask("t", question("add", a=1, b=2), 10), await pool.ask("t", question("later", a=1), 10)]

    assert _in(folder, both) == [{"result": 3}, {"result": [1]}]
    assert asked(folder, "no", "key", "chatter") == [{"declined": "not here"}, {"result": "k1"}, {"result": "quiet"}]


def test_what_a_tool_raises_is_told_by_its_type_alone(folder: Path) -> None:
    async def boom(pool: Workers) -> Any:
        return await pool.ask("t", question("boom", secret="hunter2"), 10)

    assert _in(folder, boom) == {"failed": "ValueError"}
    assert asked(folder, "odd", "no_such") == [{"failed": "TypeError"}, {"failed": "AttributeError"}]


def test_a_module_that_can_t_be_loaded_fails_its_own_calls(folder: Path) -> None:
    async def broken(pool: Workers) -> Any:
        return await pool.ask("t", {**question("x"), "entry": "broken:x"}, 10)

    assert _in(folder, broken) == {"failed": "RuntimeError"}


def test_a_hang_is_killed_with_all_it_started_and_the_next_call_is_answered(folder: Path) -> None:
    hung, after = asked(folder, "hang", "key", seconds=1.0)

    assert isinstance(hung, ToolTimeout)
    assert after == {"result": "k1"}
    assert not [one for one in psutil.Process().children(recursive=True) if "sleep" in one.name()]


def test_a_worker_that_dies_fails_one_call(folder: Path) -> None:
    died, after = asked(folder, "die", "key")

    assert isinstance(died, ToolFailed)
    assert after == {"result": "k1"}


def test_an_answer_without_end_is_refused(folder: Path) -> None:
    (found,) = asked(folder, "long")

    assert isinstance(found, ToolFailed)


def test_a_tool_sees_the_variables_it_names_and_no_others(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")

    (found,) = asked(folder, "env", variables={"CRM_TOKEN": "t"})

    assert "CRM_TOKEN" in found["result"]
    assert "OPENAI_API_KEY" not in found["result"]


def test_the_network_is_for_those_who_say_so(folder: Path) -> None:
    assert asked(folder, "reach") == [{"failed": "NoNetwork"}]
    assert asked(folder, "reach", network=True) == [{"failed": "ConnectionRefusedError"}]


def test_calls_at_once_share_a_few_workers(folder: Path) -> None:
    async def many(pool: Workers) -> int:
        async with asyncio.TaskGroup() as group:
            for number in range(12):
                group.create_task(pool.ask("t", question("add", a=number, b=1), 30))
        return len(pool._all)

    assert _in(folder, many) <= 2


def test_a_call_that_is_given_up_takes_its_worker_along(folder: Path) -> None:
    async def given_up(pool: Workers) -> float:
        await pool.warm()
        began = time.monotonic()
        task = asyncio.create_task(pool.ask("t", question("hang"), 60))
        await asyncio.sleep(0.2)
        task.cancel()
        await asyncio.wait([task])
        return time.monotonic() - began

    assert _in(folder, given_up) < 5


def _in(folder: Path, work: Callable[[Workers], Awaitable[Any]]) -> Any:
    async def through() -> Any:
        pool = Workers(folder, ("code", "broken"), at_most=2)
        try:
            return await work(pool)
        finally:
            await pool.close()

    assert os.getpid()
    return asyncio.run(through())
