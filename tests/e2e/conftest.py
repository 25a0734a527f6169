"""The real system, started once for all end-to-end tests: `lane up` in a home of its own, with the real engine."""

import asyncio
import os
import threading
import warnings
from collections.abc import Coroutine, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest

from cluster.environment import ray_environment
from router.contract import Label, Message, Sampling, TextPart
from router.lane import Lane, LaneCall, LaneEvent
from tests.e2e.systems import MODEL, RunningSystem, running_system

Result = TypeVar("Result")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with a system of their own go first, while none stands idle beside theirs: two of them are slow on two cores."""
    items.sort(key=_shares_the_system)


def _shares_the_system(item: pytest.Item) -> bool:
    return "system" in getattr(item, "fixturenames", ()) and not hasattr(getattr(item, "module", None), "system")


@pytest.fixture(scope="session")
def system() -> Iterator[RunningSystem]:
    """The starter bundle's system, shared by all tests that do not break it."""
    with running_system() as started:
        yield started


@dataclass
class PrivateLaneUnderTest:
    """The private model's lane as an ingress replica has it, and a loop to use it on."""

    lane: Lane
    handle: Any
    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, Result], seconds: float = 120.0) -> Result:
        """Run a coroutine on the loop that the handle's router belongs to."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(seconds)

    def call(self, text: str, **changes: Any) -> LaneCall:
        """A greedy call with one question."""
        fields: dict[str, Any] = {
            "trace_id": "ab" * 16,
            "attempt": 1,
            "lane": "private",
            "model": MODEL,
            "org": "local",
            "label": Label(),
            "risk_tier": "low",
            "messages": (Message(role="user", content=(TextPart(text=text),)),),
            "sampling": Sampling(temperature=0.0),
            "max_tokens": 32,
            "deadline_seconds": 120.0,
            "first_token_seconds": 60.0,
            "bundle_hash": "0" * 64,
        }
        return LaneCall(**{**fields, **changes})

    async def answer(self, call: LaneCall) -> list[LaneEvent]:
        """All events of an answer."""
        async with aclosing(self.lane.stream(call)) as batches:  # type: ignore[type-var]
            return [event async for batch in batches for event in batch]

    async def dtype(self) -> str:
        """The number format that the engine computes in."""
        return str(await self.handle.dtype.remote())

    async def running(self) -> int:
        """How many requests the engine has open."""
        return int(await self.handle.running.remote())

    async def idle_within(self, seconds: float) -> bool:
        """Whether the engine has nothing left to do before so many seconds have passed."""
        try:
            async with asyncio.timeout(seconds):
                while await self.running():  # noqa: ASYNC110 - what is polled lives in another process
                    await asyncio.sleep(0.05)
        except TimeoutError:
            return False
        return True


@pytest.fixture(scope="session")
def private(system: RunningSystem) -> Iterator[PrivateLaneUnderTest]:
    """Join the running cluster as another driver. Ray is imported here: it reads its environment then, and warns of itself."""
    os.environ.update(ray_environment(os.environ, provider_keys=()))
    os.environ["RAY_AUTH_TOKEN_PATH"] = str(system.settings.ray_token_file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ray
        from ray import serve

        from serving.in_service import read_in_service
        from serving.private.deployment import deployment_name
        from serving.private.lane import PrivateLane

        folder = system.settings.ray_folder
        port = next((folder / "session_latest").glob("gcs_server_port_*")).read_text()
        ray.init(address=f"127.0.0.1:{port}", _temp_dir=str(folder), log_to_driver=False)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        handle = serve.get_deployment_handle(deployment_name(MODEL), read_in_service(system.settings).models[MODEL])
        yield PrivateLaneUnderTest(PrivateLane(handle), handle, loop)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
        ray.shutdown()
