"""Do the replicas that a new version adds fit into this box's memory beside those of the old one? Pure.

Ray counts processors, GPUs and nodes (`serving.applications`). It does not count the memory of models that run on CPUs.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from models.manifest import folder_bytes
from models.spec import ModelSpec
from router.errors import RouterError

_GIB: Final = 1024**3
_ENGINE_BYTES: Final = 3 * _GIB // 2
"""What an engine on CPUs takes beside weights and KV cache: two processes with torch and vLLM loaded."""
_DEFAULT_KV_GIB: Final = 4.0


class NoRoom(RouterError):
    """The surge does not fit now; it may later, when something else has ended."""

    code = "no_room"


def added_at_once(spec: ModelSpec, now: int, *, goes_on: bool) -> int:
    """Return how many replicas start beside the `now` that run: what a model that goes on lacks, of another as many as it has."""
    return max(0, spec.least_replicas - now) if goes_on else spec.starting_with(now).first_replicas


def replica_bytes(spec: ModelSpec, folder: Path) -> int:
    """Return the memory of a box that one replica of a model takes: nothing to speak of where it computes on GPUs."""
    if spec.gpus > 0:
        return 0
    kv_bytes = int((spec.engine.kv_cache_gib or _DEFAULT_KV_GIB) * _GIB)
    return folder_bytes(folder) + kv_bytes + _ENGINE_BYTES


def check_memory(needed: Mapping[str, int], free_bytes: int) -> None:
    """Raise `NoRoom` when models (name to bytes) take more memory than is free, with both figures."""
    if sum(needed.values()) > free_bytes:
        listed = ", ".join(f"{name} {size / _GIB:.1f} GiB" for name, size in needed.items() if size)
        raise NoRoom(f"memory: {listed} beside what runs; {free_bytes / _GIB:.1f} GiB are free on this box")
