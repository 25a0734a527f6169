"""Where do models come to stand on a real Ray of three nodes, and what of them starts again when only their numbers change?

A program of its own, with a stand-in for the engine: it prints what it saw as one JSON object. Started by `test_placement`.
"""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from cluster.environment import ray_environment

# Ray reads its environment when it is imported.
os.environ.update(ray_environment(os.environ, provider_keys=()))
os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_SERVE_ENABLE_HA_PROXY": "0", "RAY_SERVE_THROUGHPUT_OPTIMIZED": "0"}
os.environ |= {"RAY_SERVE_SLOW_STARTUP_WARNING_S": "1", "RAY_SERVE_SLOW_STARTUP_WARNING_PERIOD_S": "1"}
os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")  # A busy machine starts three of them slowly.

import ray
from ray import serve
from ray.cluster_utils import Cluster
from ray.serve._private.constants import SERVE_CONTROLLER_NAME, SERVE_NAMESPACE
from ray.serve.api import RunTarget

from cluster.nodes.inventory import Node
from cluster.nodes.resources import labels_of, offered_by
from models.spec import EngineSpec, ModelSpec, Scaling
from serving.applications import Applications
from serving.in_service import InService, model_application
from serving.model_status import model_statuses
from serving.private.deployment import deployment_name, model_options
from serving.settings import read_settings
from serving.statuses import application_states
from serving.surge import NoRoom

WAIT_SECONDS = 120.0
NODES = (
    Node(name="one", head=True, gpu="h100", gpu_count=4, memory_gib=1, cpus=4, site="frankfurt", jurisdiction="de"),
    Node(name="two", gpu="h100", gpu_count=6, memory_gib=1, cpus=4, site="munich", jurisdiction="de"),
    Node(name="three", gpu="l40s", gpu_count=6, memory_gib=1, cpus=4, site="munich", jurisdiction="us"),
)
SCALING = Scaling(min_replicas=1, max_replicas=1, target_ongoing_requests=4)


class StandIn:
    """A replica that says where it is."""

    def where(self) -> tuple[str, int]:
        """Return the node's ID and the process."""
        return ray.get_runtime_context().get_node_id(), os.getpid()

    def hold(self, seconds: float) -> int:
        """Answer after a while."""
        time.sleep(seconds)
        return os.getpid()

    def record_autoscaling_stats(self) -> dict[str, float]:
        """Be idle."""
        return {"waiting": 0.0, "private_waiting": 0.0, "kv_use": 0.0}


def model(name: str, gpu: str | None, **changes: Any) -> ModelSpec:
    """Return a model of a class of GPUs, or of none."""
    fixed = {"family": "llama", "source": "x", "folder": name, "licence": "x", "context_tokens": 4096}
    return ModelSpec.model_validate({"name": name, "gpu": gpu, "cpus_per_replica": 0.1, **fixed, **changes})


ON_ONE_GPU = model("small", "l40s", scaling=SCALING)
IN_MUNICH = model("large", "h100", site="munich", engine=EngineSpec(tensor_parallel_size=2))
IN_STAGES = model("staged", "l40s", engine=EngineSpec(tensor_parallel_size=2, pipeline_parallel_size=2))
TWO_OF_THEM = model("pair", "h100", replicas=2, engine=EngineSpec(tensor_parallel_size=2))
UNDER_A_LAW = model("lawful", None, replicas=3, jurisdictions=("us",))
STAGES_UNDER_A_LAW = model(
    "bound", "l40s", jurisdictions=("eu",), engine=EngineSpec(tensor_parallel_size=1, pipeline_parallel_size=2)
)
TOO_LARGE = model("huge", "h100", engine=EngineSpec(tensor_parallel_size=4))


def application(spec: ModelSpec, _folder: Path) -> serve.Application:
    """Bind the stand-in as a model is bound."""
    return serve.deployment(StandIn).options(**model_options(spec)).bind()


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for it, not for ever."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            sys.exit(f"not within {WAIT_SECONDS:g} s: {what}; {serve.status()}")
        time.sleep(0.2)


def main() -> None:
    """Deploy, look, change the numbers, look again."""
    head, *others = NODES
    cluster = Cluster(
        initialize_head=True,
        head_node_args={**_offer(head), "include_dashboard": False},
    )
    for node in others:
        cluster.add_node(**_offer(node))
    ray.init(address=cluster.address, log_to_driver=False)
    try:
        sys.stdout.write(orjson.dumps(_story()).decode() + "\n")
    finally:
        serve.shutdown()
        ray.shutdown()
        cluster.shutdown()


def _offer(node: Node) -> dict[str, Any]:
    amounts = {"num_cpus": node.cpus, "num_gpus": node.gpu_count}
    return {**amounts, "resources": dict(offered_by(node)), "labels": dict(labels_of(node))}


def _story() -> dict[str, Any]:
    settings = read_settings(Path())
    fleet = Applications(settings, application)
    models = (ON_ONE_GPU, IN_MUNICH, IN_STAGES, TWO_OF_THEM, UNDER_A_LAW)
    names = {spec.name: model_application(spec, settings.models / spec.folder) for spec in models}
    version = InService(bundle_hash="0" * 64, folder=Path(), models=names, hosted=False)
    serve.run_many([RunTarget(application(spec, Path()), names[spec.name], None) for spec in models])
    before = {name: _replica(name, names) for name in names}
    groups = _groups()
    spread = {name: _nodes_of(names[name]) for name in ("pair", "lawful")}

    handle = serve.get_deployment_handle(deployment_name("small"), names["small"])
    held = handle.hold.remote(4.0)
    time.sleep(0.5)
    more = ON_ONE_GPU.model_copy(
        update={"scaling": SCALING.model_copy(update={"min_replicas": 2, "max_replicas": 2}), "max_ongoing_requests": 7}
    )
    fleet.adjust([more], version)
    until(lambda: len(_running(names["small"])) == 2, "two replicas of the adjusted model")
    asked = {handle.where.remote().result()[1] for _ in range(40)}
    stuck = TOO_LARGE.model_copy(update={"jurisdictions": ("us",)})
    serve.run_many([RunTarget(application(stuck, Path()), "stuck", None)], wait_for_applications_running=False)
    until(lambda: model_statuses([stuck], application_states())["huge"].lacks is not None, "what no node has room for")
    return {
        "lacks": {name: one.lacks for name, one in model_statuses([stuck, more], application_states()).items()},
        "stands": {name: node for name, (node, _) in before.items()},
        "groups": groups,
        "spread": spread,
        "no_room": _refusal(fleet, TOO_LARGE, version),
        "no_room_there": _refusal(fleet, STAGES_UNDER_A_LAW, version),
        "same_application": model_application(more, settings.models / more.folder) == names["small"],
        "went_on": before["small"][1] in asked,
        "replicas": len(asked),
        "held_by_the_first": held.result() == before["small"][1],
    }


def _replica(name: str, names: dict[str, str]) -> tuple[str, int]:
    sites = {node["NodeID"]: _named(node["Resources"]) for node in ray.nodes()}
    node, process = serve.get_deployment_handle(deployment_name(name), names[name]).where.remote().result()
    return sites[node], process


def _named(resources: dict[str, float]) -> str:
    offered = set(resources)
    return next(node.name for node in NODES if {*offered_by(node)} <= offered and node.gpu_count == resources["GPU"])


def _groups() -> dict[str, list[str]]:
    """Return the nodes of each placement group's bundles, by how many bundles it has."""
    sites = {node["NodeID"]: _named(node["Resources"]) for node in ray.nodes()}
    found = ray.util.placement_group_table().values()
    return {
        str(len(group["bundles"])): sorted(sites[node] for node in group["bundles_to_node_id"].values())
        for group in found
        if group["state"] == "CREATED"
    }


def _running(name: str) -> list[str]:
    states = [one.replica_states for one in serve.status().applications[name].deployments.values()]
    return [
        str(state) for one in states for state, count in one.items() if "RUNNING" in str(state) for _ in range(count)
    ]


def _nodes_of(application: str) -> list[str]:
    """Return the nodes of an application's replicas, as Serve has them."""
    sites = {node["NodeID"]: _named(node["Resources"]) for node in ray.nodes()}
    controller: Any = ray.get_actor(SERVE_CONTROLLER_NAME, namespace=SERVE_NAMESPACE)
    details: Any = ray.get(controller.get_serve_instance_details.remote())
    deployments = details["applications"][application]["deployments"].values()
    return sorted(sites[replica["node_id"]] for one in deployments for replica in one["replicas"])


def _refusal(fleet: Applications, spec: ModelSpec, version: InService) -> str:
    try:
        fleet.check_room([spec], version.model_copy(update={"models": {**version.models, spec.name: "new"}}))
    except NoRoom as error:
        return str(error)
    return ""


if __name__ == "__main__":
    main()
