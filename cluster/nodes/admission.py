"""In which order is a machine taken in? It is looked at, then it asks, then its files are written: an unfit one uses nothing up.

INVARIANT: no file that offers `private` is written for a machine of which a check failed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.doctor import Check
from cluster.nodes.errors import NodeUnfit
from cluster.nodes.fitness import Measure, fitness, unfit
from cluster.nodes.gpu_state import GpuReader
from cluster.nodes.inventory import Node
from cluster.nodes.joining import Head
from cluster.nodes.layout import Layout
from cluster.nodes.setup import make_node, refuse_if_set_up


@dataclass(frozen=True, slots=True)
class Admitted:
    """A machine that was taken in: its line of the inventory, what was looked at, and the files that were written."""

    node: Node
    checks: tuple[Check, ...]
    files: tuple[Path, ...]


def admit(
    layout: Layout,
    head: Head,
    addresses: Sequence[str],
    machine: Sequence[Check],
    reader: GpuReader,
    measured: Measure | None,
) -> Admitted:
    """Take this machine in. `addresses`: the first is where Ray has it. `machine`: what `examine_machine` found.

    Raises `AlreadySetUp`, `NodeUnfit`, and what `Head` does.
    """
    refuse_if_set_up(layout)
    node = head.node()
    checks = (*machine, *fitness(node, reader, measured))
    refuse_unfit(node, checks)
    return Admitted(node, checks, tuple(make_node(layout, head.enrol(addresses), addresses[0])))


def refuse_unfit(node: Node, checks: Sequence[Check]) -> None:
    """Raise `NodeUnfit` with everything that must be mended first. A machine that runs no private model is taken as it is."""
    if node.private and (failed := unfit(checks)):
        listed = "\n".join(f"  {check.name}: {check.seen}; {check.mend}" for check in failed)
        raise NodeUnfit(f"{node.name} is not fit for private work, and nothing was written:\n{listed}")
