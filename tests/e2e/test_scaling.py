"""Real replicas come and go with the load, a hung one is replaced under it, and a model that nobody asks has none."""

import asyncio
import json
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from tests.e2e.systems import MODEL, RunningSystem, lane, running_system

pytestmark = [pytest.mark.e2e, pytest.mark.exam, pytest.mark.timeout(1500)]

STARTER = Path("config/starter")
STALL_SECONDS = 10
START_SECONDS = 480
"""An engine that starts beside a busy one has little of two cores."""
DEADLINE_SECONDS = 60
LONG_PROMPT = "word " * 1900
SCALING = {
    "min_replicas": 1,
    "max_replicas": 2,
    "target_ongoing_requests": 4,
    "upscale_delay_seconds": 2,
    "downscale_delay_seconds": 6,
}
FROM_NOTHING = SCALING | {"min_replicas": 0, "max_replicas": 1, "start_seconds": 60}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSystem]:
    """The starter bundle with a model that scales from one to two, and the same one, under another name, from nothing to one."""
    bundle = shutil.copytree(STARTER, tmp_path_factory.mktemp("scaling") / "bundle")
    with edited(bundle / "models.yaml") as models:
        model, embedding = models["models"]
        model["engine"] |= {"kv_cache_gib": 0.25, "stall_seconds": STALL_SECONDS, "max_num_batched_tokens": 512}
        models["models"] = [model | {"scaling": SCALING}, model | {"name": "rare", "scaling": FROM_NOTHING}, embedding]
    with edited(bundle / "lanes.yaml") as lanes:
        timeouts = {"connect_seconds": 5, "first_token_seconds": 300, "gap_seconds": 30}
        lanes["lanes"].append({"name": "rare", "model": "rare", "jurisdictions": ["US"], "timeouts": timeouts})
    with edited(bundle / "tiers.yaml") as tiers:
        for profile in tiers["profiles"]:
            profile["budgets"] |= {"latency_seconds": 300, "first_token_seconds": 300}
    with running_system(bundle) as started:
        yield started


@contextmanager
def edited(file: Path) -> Iterator[Any]:
    """A YAML file as a value that is written back."""
    value = yaml.safe_load(file.read_text())
    yield value
    file.write_text(yaml.safe_dump(value))


@dataclass
class Answer:
    """What came of a request: the status, the error's code (in the stream's end too), the time, and when it is worth coming back."""

    status: int
    error: str | None
    seconds: float
    deadline_seconds: float
    retry_after: str | None


@dataclass
class Client:
    """Asks as many at once as it is told, and keeps what came of it."""

    http: httpx2.AsyncClient
    key: str
    answers: list[Answer] = field(default_factory=list)

    async def ask(self, model: str, text: str, tokens: int = 32, deadline: float = DEADLINE_SECONDS) -> Answer:
        body = {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": tokens, "stream": True}
        headers = {"authorization": f"Bearer {self.key}", "x-lane-deadline-seconds": str(deadline)}
        began = time.monotonic()
        response = await self.http.post("/v1/chat/completions", json=body, headers=headers)
        lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line]
        error = next((json.loads(line)["error"]["code"] for line in lines if '"error"' in line), None)
        whole = error is not None or lines[-1] == "[DONE]"
        answer = Answer(
            response.status_code,
            error if whole else "cut without a word",
            time.monotonic() - began,
            deadline,
            response.headers.get("retry-after"),
        )
        self.answers.append(answer)
        return answer

    @asynccontextmanager
    async def load(self, at_once: int) -> AsyncIterator[None]:
        """Keep so many streams open meanwhile; each is read to its end."""
        stop = asyncio.Event()

        async def one(number: int) -> None:
            while not stop.is_set():
                await self.ask("fast_small", f"Tell story number {number} about the sea.")

        async with asyncio.TaskGroup() as group:
            for number in range(at_once):
                group.create_task(one(number))
            yield
            stop.set()


def run(system: RunningSystem, story: Callable[[Client], Any]) -> list[Answer]:
    """Play a story with a client of its own; return what it was answered."""

    async def play() -> list[Answer]:
        limits = httpx2.Limits(max_connections=64)
        async with httpx2.AsyncClient(base_url=system.address, timeout=330, limits=limits, trust_env=False) as http:
            client = Client(http, system.key("local/default"))
            await story(client)
            return client.answers

    return asyncio.run(play())


def state(system: RunningSystem, model: str = MODEL) -> Any:
    """What `lane status` knows of a model."""
    return json.loads((system.settings.home / "status.json").read_text())["models"][model]


async def until(true: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come to that in time"
        await asyncio.sleep(0.5)


def test_a_model_at_nothing_starts_for_whoever_can_wait_and_tells_others_when_to_come_back(
    system: RunningSystem,
) -> None:
    async def story(client: Client) -> None:
        assert state(system, "rare")["running"] == 0
        hasty = await client.ask("rare", "Say ok.", tokens=4, deadline=8)
        patient = await client.ask("rare", "Say ok.", tokens=4, deadline=300)

        assert (hasty.status, hasty.error) == (503, "lane_starting")
        assert 50 <= int(hasty.retry_after or 0) <= 60
        assert hasty.seconds < 1
        assert (patient.status, patient.error) == (200, None)

    run(system, story)


def test_load_brings_a_replica_a_hung_engine_is_replaced_under_it_and_quiet_takes_it_away(
    system: RunningSystem,
) -> None:
    async def story(client: Client) -> None:
        async with client.load(1):
            async with client.load(9):
                await until(lambda: state(system)["running"] == 2, START_SECONDS)
                calm = len(client.answers)
                before = system.engines
                hung = before[0]
                hung.send_signal(signal.SIGSTOP)
                await until(lambda: not hung.is_running(), 4 * STALL_SECONDS + 10)
                await until(
                    lambda: state(system)["running"] == 2 and bool(set(system.engines) - set(before)), START_SECONDS
                )
                replaced = len(client.answers)
                long = [
                    asyncio.create_task(client.ask("fast_small", "Tell a long story.", tokens=300, deadline=150))
                    for _ in range(2)
                ]
            await until(lambda: state(system)["running"] == 1 and state(system)["target"] == 1, 90)
            await asyncio.wait(long)

        assert {(one.status, one.error) for one in client.answers[:calm]} == {(200, None)}
        # Those that had begun on the hung engine end in their stream; all others are answered.
        failed = [one for one in client.answers[calm:replaced] if (one.status, one.error) != (200, None)]
        assert {(one.status, one.error) for one in failed} <= {(200, "lane_unreachable")}
        assert len(failed) <= 10
        assert {(one.status, one.error) for one in client.answers[replaced:]} == {(200, None)}, "on the way down"
        assert max(one.seconds - one.deadline_seconds for one in client.answers) <= 1

    run(system, story)

    up, down = (next(step for step in state(system)["steps"] if step["after"] == after) for after in (2, 1))
    assert "requests open at 4 a replica" in up["because"]
    assert up["at"] < down["at"]
    shown = lane(system.environment, "status")
    assert down["because"] in shown
    assert "a replica replaced" in shown
    assert "no sign of life" in state(system)["replaced"][-1]["because"]


def test_an_engine_that_is_busy_for_longer_than_the_limit_is_left_alone(system: RunningSystem) -> None:
    before, replaced = {engine.pid for engine in system.engines}, state(system)["replaced"]

    async def story(client: Client) -> None:
        began = time.monotonic()
        while time.monotonic() - began < 1.5 * STALL_SECONDS:
            async with asyncio.TaskGroup() as group:
                for number in range(3):
                    group.create_task(
                        client.ask("fast_small", f"{os.urandom(4).hex()} {number} {LONG_PROMPT}", tokens=2)
                    )

    answers = run(system, story)

    assert {(one.status, one.error) for one in answers} == {(200, None)}
    # Prompts that wait may bring a second replica, and the model that nobody asks may have gone to sleep.
    assert before & {engine.pid for engine in system.engines}, "the busy engine was ended"
    assert state(system)["replaced"] == replaced
