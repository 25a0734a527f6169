"""What does a node offer to Ray beside processors and GPUs, by which names? Who joins offers them, who places a model demands them.

They schedule, and guard nothing: code on any worker can reach any other (`docs/door.md`).
"""

from collections.abc import Mapping
from typing import Final

PRIVATE: Final = "private"
"""Offered by a node that may run private models. One that failed its check offers none, and gets none."""

OFFERED: Final = 1000.0
"""How much of each a node offers. It marks a kind of node and is not meant to run out."""

TAKEN: Final = 0.001
"""How much of each a replica takes: enough to be placed by it."""


def gpu_resource(gpu: str) -> str:
    """Return the name of a GPU class: `gpu_h100`."""
    return f"gpu_{gpu.lower()}"


def site_resource(site: str) -> str:
    """Return the name of a site: `site_frankfurt`."""
    return f"site_{site.lower()}"


def node_demand(gpu: str | None, site: str | None) -> Mapping[str, float]:
    """Return what a replica asks of its node; nothing where the model names neither GPUs nor a site: then any node will do."""
    if gpu is None and site is None:
        return {}
    marks = [PRIVATE, *([gpu_resource(gpu)] if gpu else []), *([site_resource(site)] if site else [])]
    return dict.fromkeys(marks, TAKEN)
