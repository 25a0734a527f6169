"""What is compared: each side is a server that is started, waited for, and ended with everything below it."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2
import orjson

from benchmarks.load import Target
from cluster.environment import ray_environment
from models.spec import ModelSpec
from router.bundle import Bundle
from router.errors import RouterError
from serving.secrets import ensure_secrets
from serving.settings import Settings

INTERVAL_VARIABLE = "LANE_STUB_SECONDS_PER_TOKEN"
SLOTS_VARIABLE = "LANE_STUB_SLOTS"
"""They tell the stub engine its rate, and how many it answers at once. Kept here: who starts a server need not load Ray for it."""
_READY_SECONDS = 600.0
_STOP_SECONDS = 90.0
_LAST_BYTES = 2000
_KEY = "local/default"


class SideFailed(RouterError):
    """A server did not start; the message ends with the last it said."""

    code = "side_failed"


@contextmanager
def bare_vllm(spec: ModelSpec, folder: Path) -> Generator[Target]:
    """VLLM's own OpenAI server with our engine settings."""
    port = _free_port()
    command = [sys.executable, "-m", "benchmarks.bare", "--spec", spec.model_dump_json()]
    command += ["--folder", str(folder), "--port", str(port), "--parent", str(os.getpid())]
    with _process(command, _environment(), f"http://127.0.0.1:{port}/health"):
        yield Target("127.0.0.1", port, spec.name)


@contextmanager
def whole_system(settings: Settings, lane: str) -> Generator[Target]:
    """Everything, started as a user starts it, in a home of its own."""
    with tempfile.TemporaryDirectory(prefix="lane-bench-") as home:
        own = settings.model_copy(update={"home": Path(home) / "home", "port": _free_port()})
        environment = dict(os.environ) | {
            "LANE_HOME": str(own.home),
            "LANE_MODELS": str(own.models),
            "LANE_PORT": str(own.port),
        }
        command = [sys.executable, "-m", "cli.main", "up", str(own.bundle), "--foreground"]
        with _process(command, environment, f"http://{own.host}:{own.port}/readyz", own.logs / "cluster.log"):
            yield _target(own, lane)


@contextmanager
def bare_stub(interval_seconds: float) -> Generator[Target]:
    """Canned tokens from a bare ASGI server."""
    port = _free_port()
    command = [sys.executable, "-m", "uvicorn", "benchmarks.stub_engine:bare", "--port", str(port)]
    command += ["--log-level", "warning", "--lifespan", "off"]
    environment = {**os.environ, INTERVAL_VARIABLE: str(interval_seconds)}
    with _process(command, environment, f"http://127.0.0.1:{port}/"):
        yield Target("127.0.0.1", port, "stub")


@contextmanager
def stub_system(settings: Settings, bundle: Bundle, lane: str, interval_seconds: float) -> Generator[Target]:
    """The cluster as it is, with canned tokens in place of the engine. Without the door: nothing here goes out."""
    with stub_keys(settings, bundle, interval_seconds) as (own, keys):
        yield Target(own.host, own.port, lane, keys[_KEY])


@contextmanager
def stub_keys(
    settings: Settings,
    bundle: Bundle,
    interval_seconds: float,
    slots: int | None = None,
    module: str = "benchmarks.stub_engine",
) -> Generator[tuple[Settings, dict[str, str]]]:
    """Yield where that cluster answers, and its keys. `slots`: how many requests the stub answers at once (None: all)."""
    with tempfile.TemporaryDirectory(prefix="lane-bench-") as home:
        own = settings.model_copy(update={"home": Path(home) / "home", "port": _free_port()})
        ensure_secrets(own, bundle)
        environment = _environment() | {
            "RAY_AUTH_TOKEN_PATH": str(own.ray_token_file),
            INTERVAL_VARIABLE: str(interval_seconds),
            **({} if slots is None else {SLOTS_VARIABLE: str(slots)}),
        }
        command = [sys.executable, "-m", module, "--settings", own.model_dump_json()]
        command += ["--parent", str(os.getpid())]
        with _process(command, environment, f"http://{own.host}:{own.port}/readyz"):
            yield own, orjson.loads(own.keys_file.read_bytes())


def _target(settings: Settings, lane: str) -> Target:
    key = orjson.loads(settings.keys_file.read_bytes())[_KEY]
    return Target(settings.host, settings.port, lane, key)


def _environment() -> dict[str, str]:
    return ray_environment(os.environ, provider_keys=())


@contextmanager
def _process(
    command: list[str], environment: Mapping[str, str], ready: str, log: Path | None = None
) -> Generator[None]:
    """Run a server until the block ends; it is told to end and given the time to. `log`: where it tells more than it prints."""
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and modules
            command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output, process_group=0
        )
        try:
            _wait_until_ready(child, ready)
            yield
        except SideFailed as error:
            output.seek(max(0, output.seek(0, os.SEEK_END) - _LAST_BYTES))
            told = log.read_bytes()[-_LAST_BYTES:] if log is not None and log.exists() else b""
            raise SideFailed(f"{error}\n{(output.read() + told).decode(errors='replace')}") from None
        finally:
            child.terminate()
            try:
                child.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _wait_until_ready(child: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise SideFailed(f"{child.args!r} ended with {child.returncode}")
        try:
            if httpx2.get(address, timeout=5.0, trust_env=False).status_code == httpx2.codes.OK:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.5)
    raise SideFailed(f"{child.args!r} was not ready within {_READY_SECONDS:g} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
