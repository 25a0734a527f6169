"""What does Ray know of the nodes, and how does one leave? The one module that asks Ray's GCS and Serve's controller about them.

Ray's own commands and those parts of its library are used that Serve uses too; they are not promised to stay, and Ray is pinned.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, Final

from pydantic import Field

from cluster.nodes.errors import RayRefused
from cluster.nodes.fitness import judge_fabric, judge_memory_errors, judge_xids, unfit
from cluster.nodes.gpu_state import Nvml
from cluster.nodes.resources import HEAD
from router.contract import Frozen

STREAM_SECONDS: Final = 600
"""How long a replica that is taken away has to end what it has begun. Each call ends by its own deadline, so this is not waited out."""
_GPU_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 1.0
_RAY: Final = Path(sys.executable).with_name("ray")


class Replica(Frozen):
    """A replica that Serve has on a node."""

    deployment: str
    state: str


class NodeStatus(Frozen):
    """A node as Ray has it. `drains_until`: seconds since the epoch, 0 where it drains without an end. `gpus`: None where it was silent."""

    name: str
    ray_id: str
    address: str
    head: bool
    alive: bool
    drains_until: float | None = None
    resources: dict[str, float] = Field(default_factory=dict)
    available: dict[str, float] = Field(default_factory=dict)
    replicas: tuple[Replica, ...] = ()
    gpus: tuple[str, ...] | None = None


@contextmanager
def connected(ray_address: str, own_address: str | None) -> Iterator[None]:
    """Be a driver of that cluster for a while, at this machine's raylet (None: Ray guesses where). Raises `RayRefused`."""
    import ray

    # What Ray says meanwhile, of a raylet that ended, say, must not stand among a command's own answers on stdout.
    with redirect_stdout(sys.stderr):
        try:
            ray.init(address=ray_address, log_to_driver=False, logging_level="ERROR", _node_ip_address=own_address)
        except Exception as error:
            raise RayRefused(f"no Ray at {ray_address}: {error}; `systemctl status lane-ray` says more") from error
        try:
            yield
        finally:
            ray.shutdown()


def nodes_of(ray_address: str, *, with_gpus: bool = True) -> tuple[NodeStatus, ...]:
    """Return every node that Ray remembers, the dead too. To be called within `connected`."""
    import ray
    from ray._private import state

    draining = _draining(ray_address)
    replicas = _replicas()
    available = state.available_resources_per_node()
    nodes = ray.nodes()
    alive = [node for node in nodes if node["Alive"]]
    gpus: dict[str, tuple[str, ...]] = {node["NodeID"]: () for node in alive if "GPU" not in node["Resources"]}
    if with_gpus:
        gpus |= _gpus([node["NodeID"] for node in alive if node["NodeID"] not in gpus])
    return tuple(
        NodeStatus(
            name=node["NodeName"],
            ray_id=node["NodeID"],
            address=node["NodeManagerAddress"],
            head=HEAD in node["Resources"],
            alive=node["Alive"],
            drains_until=draining.get(node["NodeID"]) if node["Alive"] else None,
            resources=_told(node["Resources"]),
            available=_told(available.get(node["NodeID"], {})),
            replicas=tuple(replicas.get(node["NodeID"], ())),
            gpus=gpus.get(node["NodeID"]),
        )
        for node in nodes
    )


def as_listed(seen: tuple[NodeStatus, ...], joined: frozenset[str] | None) -> tuple[NodeStatus, ...]:
    """Return one entry a node: the living one where there is one, else the last. `joined`: who is expected (None: not known here).

    Ray remembers the dead for long: one that left for good is no longer told. One that joined and never came is.
    """
    by_name = {node.name: node for node in sorted(seen, key=lambda one: one.alive)}
    if joined is not None:
        by_name = {name: node for name, node in by_name.items() if node.alive or name in joined}
        absent = (NodeStatus(name=name, ray_id="", address="", head=False, alive=False) for name in joined)
        by_name = {node.name: node for node in absent} | by_name
    return tuple(by_name[name] for name in sorted(by_name))


def node_called(nodes: tuple[NodeStatus, ...], name: str) -> NodeStatus:
    """Return the living node of that name. Raises `RayRefused`."""
    found = next((node for node in nodes if node.name == name and node.alive), None)
    if found is None:
        alive = ", ".join(node.name for node in nodes if node.alive)
        raise RayRefused(f"{name} is no living node of this cluster; {alive} are")
    return found


def drain(ray_address: str, node: NodeStatus, seconds: int, because: str) -> None:
    """Have a node take nothing new. Serve starts each of its replicas elsewhere before it ends the one there; then the raylet ends.

    After `seconds` Serve no longer waits for a replacement. Ray is told when streams must have ended too: Serve takes the time that it
    leaves to those off again, and with nothing beyond it would end every replica at once. Raises `RayRefused`: the head can't leave its
    own cluster.
    """
    if node.head:
        raise RayRefused(f"{node.name} is the head: `lane down` and stopping its units ends the cluster")
    done = subprocess.run(  # noqa: S603 - Ray's own command
        [
            str(_RAY),
            "drain-node",
            f"--address={ray_address}",
            f"--node-id={node.ray_id}",
            "--reason=DRAIN_NODE_REASON_PREEMPTION",
            f"--reason-message={because}",
            f"--deadline-remaining-seconds={seconds + STREAM_SECONDS}",
        ],
        check=False,
        capture_output=True,
        text=True,
        env=dict(os.environ),
    )
    if done.returncode != 0:
        raise RayRefused(f"{node.name}: {(done.stderr.strip().splitlines() or ['no word'])[-1]}")


def drain_once(ray_address: str, node: NodeStatus, seconds: int, because: str) -> bool:
    """Drain a node unless it drains already: its deadline stays what it was. Return whether it was begun. Raises `RayRefused`."""
    if node.drains_until is not None:
        return False
    drain(ray_address, node, seconds, because)
    return True


def wait_until_gone(ray_id: str, seconds: float, look: Callable[[NodeStatus], None], ray_address: str) -> bool:
    """Wait until a node has left, showing it to `look` now and then; False where it has not by then. Within `connected`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        node = next((one for one in nodes_of(ray_address, with_gpus=False) if one.ray_id == ray_id), None)
        if node is None or not node.alive:
            return True
        look(node)
        time.sleep(_POLL_SECONDS)
    return False


def _draining(ray_address: str) -> Mapping[str, float]:
    """Return when each draining node's time is over, in seconds since the epoch."""
    from ray._raylet import GcsClient  # type: ignore[attr-defined]

    found = GcsClient(address=ray_address).get_draining_nodes(timeout=_GPU_SECONDS)
    return {node_id: deadline_ms / 1000 for node_id, deadline_ms in found.items()}


def _replicas() -> Mapping[str, list[Replica]]:
    """Return Serve's replicas by the node they are on; none where Serve does not run."""
    import ray
    from ray.serve._private.constants import SERVE_CONTROLLER_NAME, SERVE_NAMESPACE

    try:
        controller: Any = ray.get_actor(SERVE_CONTROLLER_NAME, namespace=SERVE_NAMESPACE)
    except ValueError:
        return {}
    details: Any = ray.get(controller.get_serve_instance_details.remote(), timeout=_GPU_SECONDS)
    found: dict[str, list[Replica]] = {}
    for application in details["applications"].values():
        for name, deployment in application["deployments"].items():
            for replica in deployment["replicas"]:
                state = getattr(replica["state"], "value", replica["state"])
                found.setdefault(replica.get("node_id") or "", []).append(Replica(deployment=name, state=str(state)))
    return found


def _gpus(node_ids: list[str]) -> Mapping[str, tuple[str, ...]]:
    """Ask these nodes for their GPUs, by a task that runs there. A node that does not answer in time is left out."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    task = ray.remote(num_cpus=0, max_retries=0)(_read_gpus)
    asked = {
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node_id, soft=False)).remote(): node_id
        for node_id in node_ids
    }
    ready, late = ray.wait(list(asked), num_returns=len(asked), timeout=_GPU_SECONDS)
    for reference in late:
        ray.cancel(reference, force=True)
    answers = {}
    for reference in ready:
        try:
            answers[asked[reference]] = tuple(ray.get(reference))
        except ray.exceptions.RayError:
            continue  # It drains, or has just gone.
    return answers


def _read_gpus() -> list[str]:
    """Name each GPU of this node, and what is wrong with them."""
    reader = Nvml()
    gpus = reader.gpus()
    checks = (judge_memory_errors(gpus), judge_fabric(gpus), judge_xids(reader.xids())) if gpus else ()
    return [*(gpu.name for gpu in gpus), *(f"{check.name}: {check.seen}" for check in unfit(checks))]


def _told(resources: Mapping[str, float]) -> dict[str, float]:
    """Leave out what Ray adds for itself: memory by the byte and a resource for each address."""
    kept = {
        name: amount
        for name, amount in resources.items()
        if not name.startswith("node:") and name not in {"memory", "object_store_memory"}
    }
    return dict(sorted(kept.items()))
