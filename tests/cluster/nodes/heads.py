"""A head whose enrolment service answers on loopback, over real TLS."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path

from cluster.network import Site
from cluster.nodes import Node
from cluster.nodes.enrolment import enrolment_server
from cluster.nodes.layout import Layout
from cluster.nodes.setup import enrolment_of, make_head
from router.bundle import load_bundle

ROOT = Path(__file__).parents[3]
STARTER = load_bundle(ROOT / "config" / "starter")
SITE = Site(
    nodes=(ip_network("10.20.0.0/24"),),
    clients=(ip_network("10.30.0.0/16"),),
    providers={"openai": (ip_network("203.0.113.0/24"),)},
)


def a_node(name: str, **changes: object) -> Node:
    fields = {"name": name, "memory_gib": 64, "cpus": 8, "site": "frankfurt", "jurisdiction": "de"}
    return Node.model_validate({**fields, **changes})


NODES = (
    a_node("head-1", head=True, address="127.0.0.1", private=False),
    a_node("gpu-1", gpu="h100", gpu_count=2),
    a_node("cpu-1"),
    a_node("edge-1", private=False, may_reach_out=True),
)


@dataclass
class Clock:
    """Seconds since the epoch, as the test wants them."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def a_head(folder: Path, nodes: tuple[Node, ...] = NODES) -> Layout:
    layout = Layout(folder)
    make_head(layout, nodes, SITE, STARTER, ray_port=6379, enrol_port=8444)
    return layout


@contextmanager
def enrolling(layout: Layout, clock: Clock) -> Iterator[str]:
    """Run the head's service; yield `host:port`."""
    server = enrolment_server(
        enrolment_of(layout, clock), "127.0.0.1", 0, layout.enrol / "cert.pem", layout.enrol / "key.pem"
    )
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
