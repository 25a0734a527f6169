"""Is there room on this disk, and which models may go to make some? Least recently used first; never one that the bundle in force names."""

import shutil
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.errors import NoRoom
from models.manifest import folder_bytes
from models.weights.seal import let_go, one_at_a_time, seal_file
from models.weights.verify import sealed_folders

RESERVE_BYTES: Final = 1 << 30
"""Left free on the disk, for whatever else writes there."""


@dataclass(frozen=True, slots=True)
class Cached:
    """A model folder on this machine: how large, and when (epoch seconds) an engine last began to load it."""

    name: str
    size_bytes: int
    used_at: float


def to_evict(cached: Sequence[Cached], keep: Set[str], need_bytes: int, free_bytes: int) -> tuple[str, ...]:
    """Return which folders must go so that `need_bytes` and the reserve fit, the least recently used first. Raises `NoRoom`."""
    going: list[str] = []
    short_bytes = need_bytes + RESERVE_BYTES - free_bytes
    for one in sorted(cached, key=lambda one: (one.used_at, one.name)):
        if short_bytes <= 0:
            break
        if one.name not in keep:
            going.append(one.name)
            short_bytes -= one.size_bytes
    if short_bytes > 0:
        raise NoRoom(
            f"{_gib(need_bytes)} are needed and {_gib(RESERVE_BYTES)} to spare, {_gib(free_bytes)} are free: "
            f"{_gib(short_bytes)} short, though all were removed that may be. Mend: free some, or set LANE_MODELS to a larger disk"
        )
    return tuple(going)


def make_room(models: Path, need_bytes: int, keep: Set[str], *, evict: bool) -> tuple[str, ...]:
    """See that so much fits below the models folder, removing others where `evict`. Return what went. Raises `NoRoom`."""
    models.mkdir(parents=True, exist_ok=True)
    going = to_evict(cached_models(models) if evict else (), keep, need_bytes, shutil.disk_usage(models).free)
    for name in going:
        remove(models / name)
    return going


def cached_models(models: Path) -> tuple[Cached, ...]:
    """Return the model folders of this machine."""
    return tuple(Cached(one.name, folder_bytes(one), _used_at(one)) for one in sealed_folders(models))


def remove(folder: Path) -> None:
    """Remove a model's folder and its seal. An engine that has it open keeps what it has mapped."""
    with one_at_a_time(folder):
        seal_file(folder).unlink(missing_ok=True)
        if folder.exists():
            let_go(folder)
            shutil.rmtree(folder)


def _used_at(folder: Path) -> float:
    seal = seal_file(folder)
    return (seal if seal.exists() else folder).stat().st_mtime


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / (1 << 30):.1f} GiB"
