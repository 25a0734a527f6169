"""`lane cluster join|check|leave`: a machine becomes part of a cluster, and leaves it; and what these share with the head's commands."""

import os
import platform
import socket
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import orjson
import typer
from rich.console import Console

if TYPE_CHECKING:
    from cluster.doctor import Check

Root = Annotated[
    Path, typer.Option("--root", help="Write below this folder instead of / (images, tests); no systemctl.")
]
Json = Annotated[bool, typer.Option("--json", help="Compact JSON on stdout.")]
Start = Annotated[bool, typer.Option("--start", help="Have systemd enable and start the units too.")]
SLASH: Final = Path("/")
_DOOR: Final = "lane-door.service"


def join(
    head: Annotated[str, typer.Argument(help="The head's address, `host` or `host:port`.")],
    token: Annotated[
        str, typer.Option(envvar="LANE_JOIN_TOKEN", help="The join token. Safer in the environment: ps shows options.")
    ],
    name: Annotated[
        str | None,
        typer.Option(help="This machine's name in nodes.yaml; by default its host name.", show_default=False),
    ] = None,
    address: Annotated[
        list[str] | None,
        typer.Option(
            help="Where other nodes reach this one; by default the address from which it reaches the head.",
            show_default=False,
        ),
    ] = None,
    all_reduce: Annotated[
        bool, typer.Option("--all-reduce/--no-all-reduce", help="Measure an all-reduce where there are several GPUs.")
    ] = True,
    root: Root = SLASH,
    start: Start = False,
    json: Json = False,
) -> None:
    """Check this machine, have the head let it in, and write its units. Exit 1, and nothing written, where it is unfit."""
    from cluster.examine import examine_machine
    from cluster.nodes.admission import admit
    from cluster.nodes.fitness import measure
    from cluster.nodes.gpu_state import Nvml
    from cluster.nodes.joining import Head
    from cluster.nodes.layout import Layout
    from cluster.nodes.tokens import JoinToken

    own = name or platform.node().split(".")[0].lower()
    found = Head.find(head, JoinToken.parse(token), own)
    with Console(stderr=True).status("Looking at this machine"):
        admitted = admit(
            Layout(root),
            found,
            address or [own_address(head)],
            examine_machine(),
            Nvml(),
            measure if all_reduce else None,
        )
    _tell_checks(admitted.checks, json=json)
    tell_files(admitted.files, json=json)
    systemd(root, admitted.files, start=start)


def check(
    node: Annotated[
        str | None,
        typer.Option(
            help="What this machine should be, a line of nodes.yaml as JSON (Slurm, KubeRay); by default as it joined.",
            show_default=False,
        ),
    ] = None,
    all_reduce: Annotated[
        bool, typer.Option("--all-reduce", help="Measure an all-reduce too (takes all GPUs).")
    ] = False,
    drain: Annotated[bool, typer.Option("--drain", help="Where it is unfit, have it take no new work.")] = False,
    root: Root = SLASH,
    json: Json = False,
) -> None:
    """Look at this node's GPUs: number, driver, ECC, Xid, fabric. Exit 1 where it is unfit; its units ask before each start."""
    from cluster.nodes.fitness import fitness, measure, unfit
    from cluster.nodes.gpu_state import Nvml
    from cluster.nodes.inventory import read_node
    from cluster.nodes.layout import Layout
    from cluster.nodes.setup import this_node

    this = this_node(Layout(root)).node if node is None else read_node(node)
    checks = fitness(this, Nvml(), measure if all_reduce else None)
    _tell_checks(checks, json=json)
    if failed := unfit(checks) if this.private else ():
        if drain:
            _drain_here(root, this.name, ", ".join(f"{one.name}: {one.seen}" for one in failed))
        raise typer.Exit(1)


_DRAIN_SECONDS: Final = 600


def _drain_here(root: Path, name: str, because: str) -> None:
    """Take this node out of work, as `lane cluster drain` would."""
    address, own = enter_ray(root)
    from cluster.nodes.ray_cluster import connected, drain_once, node_called, nodes_of

    with connected(address, own):
        node = node_called(nodes_of(address, with_gpus=False), name)
        begun = drain_once(address, node, _DRAIN_SECONDS, because)
    typer.echo(f"{name} takes no new work" if begun else f"{name} drains already", err=True)


def own_address(head: str) -> str:
    """Return the address from which this machine reaches the head, as the others reach it. No packet is sent."""
    host = head.rpartition(":")[0] if head.count(":") == 1 else head.partition("]")[0].lstrip("[")
    family, *_, address = socket.getaddrinfo(host, 1, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect(address)
        return str(probe.getsockname()[0])


def systemd(root: Path, files: Sequence[Path], *, start: bool) -> None:
    """Start the units among these files, or say how to. The door's is never started here: it wants its key and certificates first."""
    if root == SLASH and (units := _units(files)):
        command = ["systemctl", "enable", "--now", *units]
        if start:
            _run_systemctl(command)
        else:
            typer.echo(f"Start it: {' '.join(command)}", err=True)
    if any(path.name == _DOOR for path in files):
        typer.echo(
            "The door starts once /etc/lane/door.env and /var/lib/lane-door are as docs/deploy.md has them (5): "
            f"systemctl enable --now {_DOOR}",
            err=True,
        )


def _units(files: Iterable[Path]) -> list[str]:
    """Return the units to start: not those that another one starts, nor the door's."""
    started = [path.name for path in files if path.suffix in {".service", ".timer"}]
    return [unit for unit in started if unit not in {"lane-check.service", _DOOR}]


def _run_systemctl(command: Sequence[str]) -> None:
    """Have systemd read the units and start them. Raises `UnitsNotStarted`."""
    from cluster.nodes.errors import UnitsNotStarted

    try:
        subprocess.run(["systemctl", "daemon-reload"], check=True)  # noqa: S607 - where systemd is, PATH finds it
        subprocess.run(command, check=True)  # noqa: S603 - our own units
    except (OSError, subprocess.CalledProcessError) as error:
        raise UnitsNotStarted(
            f"this machine is set up, and its units did not start: {error}\n"
            f"  `journalctl -u 'lane-*'` says what is in their way; then: {' '.join(command)}"
        ) from error


def tell_files(files: Iterable[Path], *, json: bool) -> None:
    """Print where each file was written."""
    for path in files:
        typer.echo(orjson.dumps({"file": str(path)}).decode() if json else f"wrote {path}")


def _tell_checks(checks: "Iterable[Check]", *, json: bool) -> None:
    for one in checks:
        if json:
            typer.echo(one.model_dump_json())
        else:
            mend = f"; {one.mend}" if one.mend else ""
            typer.echo(f"{one.verdict:<4}  {one.name}: {one.seen}{mend}")


def leave(
    node: Annotated[
        str | None,
        typer.Argument(help="On the head: the node that has left. Without: this machine leaves.", show_default=False),
    ] = None,
    root: Root = SLASH,
    json: Json = False,
) -> None:
    """Take a node out for good: on the head, free its name; on the node itself, stop its units and remove its credentials."""
    import time

    from cluster.nodes.errors import NotSetUp
    from cluster.nodes.layout import Layout
    from cluster.nodes.register import Register
    from cluster.nodes.setup import forget_here, this_node

    layout = Layout(root)
    if node is None:
        this_node(layout)
        if root == SLASH:
            ours = [path.name for path in layout.units.glob("lane-*")]
            subprocess.run(["systemctl", "disable", "--now", *ours], check=False)  # noqa: S603, S607 - our own units
        gone = forget_here(layout)
        for path in gone:
            typer.echo(orjson.dumps({"removed": str(path)}).decode() if json else f"removed {path}")
        return
    if not layout.register.exists():
        raise NotSetUp(f"{layout.register} is not here: the names of nodes are freed on the head")
    freed = Register(layout.register, time.time).forget(node)
    if json:
        typer.echo(orjson.dumps({"node": node, "freed": freed}).decode())
    else:
        typer.echo(f"{node} may join again." if freed else f"{node} had not joined.")
    if not freed:
        raise typer.Exit(1)


def enter_ray(root: Path) -> tuple[str, str | None]:
    """Take up the environment of Ray on this machine; return the address of its head and our own. Raises `NotSetUp`."""
    from cluster.nodes.layout import Layout
    from cluster.nodes.setup import this_node

    layout = Layout(root)
    this = this_node(layout)
    for line in layout.ray_environment_file.read_text().splitlines():
        variable, _, value = line.partition("=")
        os.environ[variable] = value
    return this.ray_address, None if this.node.address is None else str(this.node.address)


def joined_here(root: Path) -> frozenset[str] | None:
    """Return the names of the nodes of Ray that were let in; None where the register can't be read: it is the head's."""
    import sqlite3
    import time

    from cluster.nodes import read_nodes
    from cluster.nodes.layout import Layout
    from cluster.nodes.register import Register

    layout = Layout(root)
    if not layout.register.exists():
        return None
    try:
        joined = {node.name for node in Register(layout.register, time.time).joined()}
    except sqlite3.Error:
        return None
    in_ray = {node.name for node in read_nodes(layout.etc / "nodes.yaml") if node.in_ray}
    return frozenset(joined & in_ray)
