"""The real system, started once for all end-to-end tests: `lane up` in a home of its own, with the real engine."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import psutil
import pytest

from cluster.environment import ray_environment
from router.contract import Label, Message, Sampling, TextPart
from router.lane import Lane, LaneCall, LaneEvent
from serving.settings import Settings, read_settings

MODEL = "smollm2-135m-instruct"
Result = TypeVar("Result")


@dataclass(frozen=True)
class RunningSystem:
    """Where the system under test answers, and with which key."""

    settings: Settings
    environment: Mapping[str, str]

    @property
    def address(self) -> str:
        return f"http://{self.settings.host}:{self.settings.port}"

    @property
    def model_folder(self) -> Path:
        return self.settings.models / MODEL

    def key(self, name: str) -> str:
        """The API key that was minted under `org/key id`."""
        return str(json.loads(self.settings.keys_file.read_text())[name])

    def processes(self, title: str) -> list[psutil.Process]:
        """The system's processes of this title."""
        return [process for process in _processes_of(self.settings) if process.name() == title]


@pytest.fixture(scope="session")
def system() -> Iterator[RunningSystem]:
    """Start everything as a user would; end it, and see that nothing is left."""
    with tempfile.TemporaryDirectory(prefix="lane-e2e-") as folder:
        environment = dict(os.environ) | {"LANE_HOME": f"{folder}/home", "LANE_PORT": str(_free_port())}
        settings = read_settings(port=int(environment["LANE_PORT"])).model_copy(update={"home": Path(folder) / "home"})
        try:
            _lane(environment, "up")
            yield RunningSystem(settings, environment)
        finally:
            below = _processes_of(settings)
            shared = {path for process in below for path in _shared_memory_of(process.pid)}
            _lane(environment, "down")
            left = [process for process in below if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
            assert not left, f"processes were left behind: {left}"
            assert not list(Path(folder).glob("**/session_*")), "Ray's folder was left behind"
            assert not [path for path in shared if path.exists()], "shared memory was left behind"
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((settings.host, settings.port))


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

        from serving.cluster_process import APP
        from serving.private.deployment import deployment_name
        from serving.private.lane import PrivateLane

        folder = system.settings.ray_folder
        port = next((folder / "session_latest").glob("gcs_server_port_*")).read_text()
        ray.init(address=f"127.0.0.1:{port}", _temp_dir=str(folder), log_to_driver=False)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        handle = serve.get_deployment_handle(deployment_name(MODEL), APP)
        yield PrivateLaneUnderTest(PrivateLane(handle), handle, loop)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
        ray.shutdown()


def _lane(environment: Mapping[str, str], command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", command],
        check=False,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, f"lane {command}: {done.stdout}\n{done.stderr}"


def _processes_of(settings: Settings) -> list[psutil.Process]:
    supervisor = settings.home / "supervisor.json"
    if not supervisor.exists():
        return []
    process = psutil.Process(json.loads(supervisor.read_text())["pid"])
    return [process, *process.children(recursive=True)]


def _shared_memory_of(pid: int) -> set[Path]:
    """Files of shared memory that a process has mapped; others on this machine have theirs."""
    try:
        mapped = Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return set()
    return {Path(line.split(maxsplit=5)[5]) for line in mapped.splitlines() if " /dev/shm/" in line}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
