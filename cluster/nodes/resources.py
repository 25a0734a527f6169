"""What does a node offer to Ray beside processors and GPUs, by which names? Who joins offers them, who places a model demands them.

Resources, as those are what Ray counts and shows; the law is a label too, since only of labels can one of several be demanded. They
schedule, and guard nothing: code on any worker can reach any other (`docs/door.md`).
"""

import re
from collections.abc import Collection, Mapping
from typing import Final

from cluster.nodes.inventory import PLACE, UNDECLARED, Node
from models.laws import laws_within

HEAD: Final = "node:__internal_head__"
"""Offered by Ray itself, once, on the head's node. What keeps its state in the home folder's files runs there."""

PRIVATE: Final = "private"
"""Offered by a node that may run private models. One that failed its check offers none, and gets none."""

OFFERED: Final = 1000.0
"""How much of each a node offers. It marks a kind of node and is not meant to run out."""

TAKEN: Final = 0.001
"""How much of each a replica takes: enough to be placed by it."""

LAW: Final = "private-lane/jurisdiction"
"""The label that says whose law a node is under."""


def gpu_resource(gpu: str) -> str:
    """Return the name of a GPU class: `gpu_h100`."""
    return f"gpu_{gpu.lower()}"


def site_resource(site: str) -> str:
    """Return the name of a site: `site_frankfurt`."""
    return f"site_{site.lower()}"


def jurisdiction_resource(jurisdiction: str) -> str:
    """Return the name of a jurisdiction: `jurisdiction_de`."""
    return f"jurisdiction_{jurisdiction.lower()}"


def node_demand(gpu: str | None, site: str | None) -> Mapping[str, float]:
    """Return what a replica asks of its node: private work always, and where the model names them, its GPUs' class and its site."""
    marks = [PRIVATE, *([gpu_resource(gpu)] if gpu else []), *([site_resource(site)] if site else [])]
    return dict.fromkeys(marks, TAKEN)


def law_demand(jurisdictions: Collection[str]) -> Mapping[str, str]:
    """Return the labels that a replica asks of its node: one of these laws; nothing where any will do."""
    if not jurisdictions:
        return {}
    # A law by another name than an inventory can write is no node's.
    possible = [law for law in laws_within(jurisdictions) if re.fullmatch(PLACE, law)]
    return {LAW: f"in({','.join([*possible, UNDECLARED])})"}


def labels_of(node: Node) -> Mapping[str, str]:
    """Return the labels of a node of the inventory."""
    return {LAW: node.jurisdiction}


def label_text(node: Node) -> str:
    """Return a node's labels as `ray start --labels` takes them."""
    return ",".join(f"{name}={value}" for name, value in labels_of(node).items())


def offered_by(node: Node) -> Mapping[str, float]:
    """Return what a node of the inventory offers."""
    marks = [site_resource(node.site), jurisdiction_resource(node.jurisdiction)]
    marks += [PRIVATE] if node.private else []
    marks += [gpu_resource(node.gpu)] if node.gpu is not None else []
    return dict.fromkeys(sorted(marks), OFFERED)
