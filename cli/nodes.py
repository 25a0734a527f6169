"""`lane cluster init|token|enrol|join|check|leave`: machines become a cluster, and leave it."""

import os
import platform
import socket
import subprocess
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
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
Minutes = Annotated[int, typer.Option(min=1, max=7 * 24 * 60, help="How long the join token is good for.")]
Uses = Annotated[int, typer.Option(min=1, max=1000, help="How many nodes the join token lets in.")]
SLASH: Final = Path("/")


def init(
    nodes: Annotated[Path, typer.Argument(help="The machines; config/nodes.example.yaml is one to start from.")],
    site: Annotated[Path, typer.Argument(help="The site's addresses; config/site.example.yaml is one to start from.")],
    bundle: Annotated[
        Path | None, typer.Option(help="The bundle; by default $LANE_BUNDLE, else config/starter.", show_default=False)
    ] = None,
    minutes: Minutes = 60,
    uses: Uses = 1,
    ray_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of Ray's GCS.")] = 6379,
    enrol_port: Annotated[int, typer.Option(min=1, max=65535, help="Port at which nodes ask to join.")] = 8444,
    root: Root = SLASH,
    start: Start = False,
    json: Json = False,
) -> None:
    """Make this machine the head: authority, certificates, Ray's token and units; print a join token, once."""
    from cluster.network import read_site
    from cluster.nodes import read_nodes
    from cluster.nodes.admission import refuse_unfit
    from cluster.nodes.fitness import fitness, measure
    from cluster.nodes.gpu_state import Nvml
    from cluster.nodes.layout import Layout
    from cluster.nodes.setup import make_head, new_token
    from router.bundle import load_bundle
    from serving.settings import read_settings

    layout, listed = Layout(root), read_nodes(nodes)
    for head in (node for node in listed if node.head):
        refuse_unfit(head, fitness(head, Nvml(), measure))
    files = make_head(
        layout,
        listed,
        read_site(site),
        load_bundle(read_settings(bundle).bundle),
        addresses=_addresses(),
        ray_port=ray_port,
        enrol_port=enrol_port,
    )
    token = new_token(layout, minutes * 60, uses)
    _tell_files(files, json=json)
    _systemd(root, _units(files), start=start)
    _tell_token(str(token), minutes, uses, json=json)


def token(minutes: Minutes = 60, uses: Uses = 1, root: Root = SLASH, json: Json = False) -> None:
    """On the head: make another join token, and print it once. Only its hash is kept."""
    from cluster.nodes.layout import Layout
    from cluster.nodes.setup import new_token

    _tell_token(str(new_token(Layout(root), minutes * 60, uses)), minutes, uses, json=json)


def enrol(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8444,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "0.0.0.0",  # noqa: S104 - nodes come from outside
    root: Root = SLASH,
) -> None:
    """On the head: stay, and let in machines that show a join token (lane-enrol.service)."""
    import logging
    import sys

    from cluster.nodes.enrolment import enrolment_server
    from cluster.nodes.layout import Layout
    from cluster.nodes.setup import enrolment_of

    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    layout = Layout(root)
    enrolment = enrolment_of(layout)
    enrolment_server(enrolment, host, port, layout.enrol / "cert.pem", layout.enrol / "key.pem").run()


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
        typer.Option(help="Where other nodes reach this one; by default all its addresses.", show_default=False),
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
            Layout(root), found, address or _addresses(), examine_machine(), Nvml(), measure if all_reduce else None
        )
    _tell_checks(admitted.checks, json=json)
    _tell_files(admitted.files, json=json)
    _systemd(root, _units(admitted.files), start=start)


def check(
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
    from cluster.nodes.layout import Layout
    from cluster.nodes.setup import this_node

    node = this_node(Layout(root)).node
    checks = fitness(node, Nvml(), measure if all_reduce else None)
    _tell_checks(checks, json=json)
    if failed := unfit(checks) if node.private else ():
        if drain:
            _drain_here(root, node.name, ", ".join(f"{one.name}: {one.seen}" for one in failed))
        raise typer.Exit(1)


_DRAIN_SECONDS: Final = 600


def _drain_here(root: Path, name: str, because: str) -> None:
    """Take this node out of work, as `lane cluster drain` would."""
    address, own = enter_ray(root)
    from cluster.nodes.ray_cluster import connected, drain, node_called, nodes_of

    with connected(address, own):
        drain(address, node_called(nodes_of(address, with_gpus=False), name), _DRAIN_SECONDS, because)
    typer.echo(f"{name} takes no new work", err=True)


def _addresses() -> tuple[str, ...]:
    """Return this machine's addresses, but those of one link alone."""
    import psutil

    found = [
        ip_address(one.address.partition("%")[0])
        for interface in psutil.net_if_addrs().values()
        for one in interface
        if one.family in {socket.AF_INET, socket.AF_INET6}
    ]
    return tuple(dict.fromkeys(str(address) for address in found if not address.is_link_local))


def _units(files: Iterable[Path]) -> list[str]:
    """Return the units to start: not those that another one starts."""
    started = [path.name for path in files if path.suffix in {".service", ".timer"}]
    return [unit for unit in started if unit != "lane-check.service"]


def _systemd(root: Path, units: Sequence[str], *, start: bool) -> None:
    """Start the units, or say how to."""
    command = ["systemctl", "enable", "--now", *units]
    if root != SLASH or not units:
        return
    subprocess.run(["systemctl", "daemon-reload"], check=False)  # noqa: S607 - where systemd is, PATH finds it
    if start:
        subprocess.run(command, check=True)  # noqa: S603 - our own units
    else:
        typer.echo(f"Start it: {' '.join(command)}", err=True)


def _tell_files(files: Iterable[Path], *, json: bool) -> None:
    for path in files:
        typer.echo(orjson.dumps({"file": str(path)}).decode() if json else f"wrote {path}")


def _tell_token(token: str, minutes: int, uses: int, *, json: bool) -> None:
    if json:
        typer.echo(orjson.dumps({"join_token": token, "minutes": minutes, "uses": uses}).decode())
        return
    typer.echo(
        f"The join token, good for {minutes} minutes and {uses} node{'s' if uses > 1 else ''}. It is shown this once:"
    )
    typer.echo(f"  {token}")
    typer.echo("On each node:  LANE_JOIN_TOKEN=… lane cluster join HEAD")


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
            units = [path.name for path in layout.units.glob("lane-*")]
            subprocess.run(["systemctl", "disable", "--now", *units], check=False)  # noqa: S603, S607 - our own units
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
