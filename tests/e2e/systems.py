"""Start the real system in a home of its own, with the real engine, and see that nothing of it is left."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from serving.settings import Settings, read_settings

MODEL = "smollm2-135m-instruct"


@dataclass(frozen=True)
class RunningSystem:
    """Where the system under test answers, and with which key."""

    settings: Settings
    environment: Mapping[str, str]
    up_said: str = ""
    """What `lane up --json` printed."""

    @property
    def address(self) -> str:
        return f"http://{self.settings.host}:{self.settings.port}"

    @property
    def model_folder(self) -> Path:
        return self.settings.models / MODEL

    def key(self, name: str) -> str:
        """The API key that was minted under `org/key id`."""
        return str(json.loads(self.settings.keys_file.read_text())[name])

    @property
    def engines(self) -> list[psutil.Process]:
        """The engines that run for this system, the oldest first."""
        return sorted(engines_among(_processes_of(self.settings)), key=psutil.Process.create_time)


@contextmanager
def running_system(
    bundle: Path | None = None, environment: Mapping[str, str] | None = None, up_code: int = 0
) -> Iterator[RunningSystem]:
    """Start everything as a user would (`lane up`); end it, and see that nothing is left.

    `bundle`: by default the starter. `environment`: what is set beside this process's own, `LANE_MODELS` for other folders, say.
    `up_code`: what `lane up` exits with: 1 where a model of the bundle must not start.
    """
    with tempfile.TemporaryDirectory(prefix="lane-e2e-") as folder:
        given = dict(os.environ) | {"LANE_HOME": f"{folder}/home", "LANE_PORT": str(free_port())}
        if bundle is not None:
            given["LANE_BUNDLE"] = str(bundle)
        given |= environment or {}
        settings = read_settings(bundle, port=int(given["LANE_PORT"])).model_copy(
            update={"home": Path(given["LANE_HOME"])}
            | ({"models": Path(given["LANE_MODELS"])} if "LANE_MODELS" in given else {})
        )
        try:
            said = lane(given, "up", "--json", code=up_code)
            yield RunningSystem(settings, given, said)
        finally:
            below = _processes_of(settings)
            shared = {path for process in below for path in _shared_memory_of(process.pid)}
            lane(given, "down")
            # `lane down` returns once the supervisor has cleared up; its own last breath may still be under way.
            _, alive = psutil.wait_procs(below, timeout=5)
            left = [process for process in alive if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
            assert not left, f"processes were left behind: {left}"
            assert not list(Path(folder).glob("**/session_*")), "Ray's folder was left behind"
            assert not [path for path in shared if path.exists()], "shared memory was left behind"
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((settings.host, settings.port))


def engines_among(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """What the models' replicas have spawned. vLLM gives an engine its own title only where the environment lies where it began."""
    replicas = [process for process in processes if _said_by(process).startswith("ray::ServeReplica:model-")]
    return [engine for replica in replicas if replica.is_running() for engine in spawned_by(replica)]


def spawned_by(process: psutil.Process) -> list[psutil.Process]:
    """A replica's engines, an engine's workers."""
    return [
        child for child in process.children() if "spawn_main" in _said_by(child) or _said_by(child).startswith("VLLM::")
    ]


def _said_by(process: psutil.Process) -> str:
    """A process's command line, or the title that it wrote over it; nothing where it has ended meanwhile."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def lane(environment: Mapping[str, str], *command: str, code: int = 0) -> str:
    """Run a `lane` command that must exit with `code`; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", *command],
        check=False,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == code, f"lane {' '.join(command)}: {done.stdout}\n{done.stderr}"
    return done.stdout


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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
