"""What is running here? A small file in the home folder that the running system rewrites, and whoever asks reads."""

import os
import time
from pathlib import Path

import psutil
from pydantic import Field, ValidationError

from router.contract import Frozen
from router.errors import StateUnavailable
from serving.in_service import read_in_service
from serving.settings import Settings


class ScalingStep(Frozen):
    """A change of the number of replicas that a model should have: when (Unix time), from, to, and why."""

    at: float
    before: int
    after: int
    because: str


class Replaced(Frozen):
    """A replica that ended, when (Unix time) and why, and was started anew."""

    at: float
    because: str


class ModelStatus(Frozen):
    """How many replicas of a model run, how many should, within which bounds; the latest changes and replacements, the newest last.

    `lacks`: what no node has free for a replica that is wanted and does not come; None where none waits for a place.
    """

    running: int
    target: int
    least: int
    most: int
    lacks: str | None = None
    steps: tuple[ScalingStep, ...] = ()
    replaced: tuple[Replaced, ...] = ()


class Roll(Frozen):
    """Another bundle on its way into service, how far it is, and, where it was refused, why."""

    bundle_hash: str
    phase: str
    because: str | None = None


class Status(Frozen):
    """Phase of the cluster process, what Ray Serve says of each deployment's replicas (state to count), and each model's scaling.

    `bundle_hash`: the bundle that new requests run under. `roll`: another one on its way. `refused`: models that do not start, and why;
    `altered`: those whose folder is no longer what was fetched, and which files.
    """

    phase: str
    bundle_hash: str | None = None
    roll: Roll | None = None
    application: str | None = None
    replicas: dict[str, dict[str, int]] = Field(default_factory=dict)
    models: dict[str, ModelStatus] = Field(default_factory=dict)
    refused: dict[str, str] = Field(default_factory=dict)
    altered: dict[str, str] = Field(default_factory=dict)
    at: float = Field(default_factory=time.time)


class Supervisor(Frozen):
    """The supervising process: its ID and start time (together they name one process), and where it serves."""

    pid: int
    started: float
    host: str
    port: int
    bundle: str


def write_status(settings: Settings, status: Status) -> None:
    """Replace the status file."""
    _replace(settings.running / "status.json", status)


def read_status(settings: Settings) -> Status | None:
    """Return what the cluster process said last, or None."""
    try:
        return Status.model_validate_json((settings.running / "status.json").read_bytes())
    except (OSError, ValidationError):
        return None


def claim(settings: Settings) -> None:
    """Write down that this process supervises this home."""
    own = psutil.Process()
    _replace(
        settings.running / "supervisor.json",
        Supervisor(
            pid=own.pid, started=own.create_time(), host=settings.host, port=settings.port, bundle=str(settings.bundle)
        ),
    )


def release(settings: Settings) -> None:
    """Take the claim back, and the status with it."""
    for name in ("supervisor.json", "status.json"):
        (settings.running / name).unlink(missing_ok=True)


def supervisor_of(settings: Settings) -> Supervisor | None:
    """Return the supervisor that runs for this home, or None. A file that a dead process left behind counts for nothing."""
    try:
        written = Supervisor.model_validate_json((settings.running / "supervisor.json").read_bytes())
        process = psutil.Process(written.pid)
        alive = abs(process.create_time() - written.started) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except (OSError, ValidationError, psutil.NoSuchProcess):
        return None
    return written if alive else None


def as_running(settings: Settings) -> Settings:
    """Return the settings with the address of the running system and the bundle that is in service there, where one runs."""
    running = supervisor_of(settings)
    if running is None:
        return settings
    try:
        bundle = read_in_service(settings).folder
    except StateUnavailable:
        bundle = Path(running.bundle)
    return settings.model_copy(update={"host": running.host, "port": running.port, "bundle": bundle})


def _replace(path: Path, value: Frozen) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(value.model_dump_json())
    partial.replace(path)
