"""`lane cluster status|drain`: what Ray knows of the nodes, and how one leaves without a stream cut."""

import time
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from cli.nodes import SLASH, Json, Root, enter_ray, joined_here

if TYPE_CHECKING:
    from cluster.nodes.ray_cluster import NodeStatus


def cluster_status(root: Root = SLASH, json: Json = False) -> None:
    """List the nodes: alive, draining, what they offer and have free, their replicas and GPUs. Exit 1 where one is gone or drains."""
    address, own = enter_ray(root)
    from cluster.nodes.ray_cluster import as_listed, connected, nodes_of

    with connected(address, own):
        nodes = as_listed(nodes_of(address), joined_here(root))
    if json:
        for node in nodes:
            typer.echo(node.model_dump_json())
    else:
        _print_table(nodes)
    if not all(node.alive and node.drains_until is None for node in nodes):
        raise typer.Exit(1)


def drain(
    node: Annotated[str, typer.Argument(help="The node's name.")],
    seconds: Annotated[
        int,
        typer.Option(
            min=1,
            max=86_400,
            help="How long a replica waits for another to take its place; its streams then have ten minutes.",
        ),
    ] = 600,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Stay until the node has left.")] = True,
    root: Root = SLASH,
    json: Json = False,
) -> None:
    """Stop new work on a node, let its replicas be replaced and its streams finish; then it leaves. Exit 1 where it has not in time."""
    address, own = enter_ray(root)
    from cluster.nodes.ray_cluster import STREAM_SECONDS, connected, drain, node_called, nodes_of, wait_until_gone

    began = time.monotonic()
    with connected(address, own), Console(stderr=True).status("asking Ray") as spinner:
        found = node_called(nodes_of(address, with_gpus=False), node)
        drain(address, found, seconds, "lane cluster drain")

        def look(seen: "NodeStatus") -> None:
            spinner.update(f"{node}: {_replicas(seen) or 'no replicas left'}")

        # Serve ends what is still there at the deadline; the raylet then needs a moment.
        gone = wait_until_gone(found.ray_id, seconds + STREAM_SECONDS + 30, look, address) if wait else None
    took = round(time.monotonic() - began, 1)
    if json:
        typer.echo(orjson.dumps({"node": node, "left": gone, "seconds": took}).decode())
    elif gone is None:
        typer.echo(f"{node} drains; lane cluster status shows how far it is.")
    else:
        typer.echo(f"{node} has left after {took:g} s." if gone else f"{node} is still there after {took:g} s.")
    if gone is False:
        raise typer.Exit(1)


def _print_table(nodes: "tuple[NodeStatus, ...]") -> None:
    table = Table("node", "state", "address", "free / offered", "replicas", "GPUs", box=None, pad_edge=False)
    for node in nodes:
        offered = ", ".join(
            f"{name} {node.available.get(name, 0):g}/{amount:g}"
            for name, amount in node.resources.items()
            if name in {"CPU", "GPU"}
        )
        marks = " ".join(name for name in node.resources if name not in {"CPU", "GPU"})
        gpus = "?" if node.gpus is None else "; ".join(node.gpus) or "none"
        table.add_row(node.name, _state(node), node.address, f"{offered} {marks}", _replicas(node), gpus)
    Console().print(table)


def _state(node: "NodeStatus") -> str:
    if not node.alive:
        return "[red]gone[/red]"
    if node.drains_until is not None:
        return "[yellow]draining[/yellow]"
    return "[green]alive[/green]" + (" (head)" if node.head else "")


def _replicas(node: "NodeStatus") -> str:
    counted = Counter((replica.deployment, replica.state.lower()) for replica in node.replicas)
    return ", ".join(f"{name} {count} {state}" for (name, state), count in sorted(counted.items()))
