"""Where does a replica of a model run, and who starts its workers? As Ray Serve wants it said; pure.

Ranks of one tensor-parallel group exchange sums after every layer, so they share a node: one placement group bundle that holds all of
a replica's GPUs. The replica's process has them, and vLLM starts the ranks below it (`mp`). Stages of a pipeline pass on activations
alone and may stand on several nodes: then vLLM's Ray executor starts the ranks, which wants one bundle with one GPU for each
(vLLM 0.32, `ray_utils.initialize_ray_cluster`), and the replica's own process holds none.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cluster.nodes.resources import node_demand
from models.spec import ModelSpec


@dataclass(frozen=True, slots=True)
class Placement:
    """What a replica demands. No bundles: the replica's process is all there is, and needs no group."""

    num_cpus: float
    num_gpus: float
    resources: Mapping[str, float]
    bundles: tuple[Mapping[str, float], ...] = field(default=())
    strategy: Literal["STRICT_PACK", "PACK"] = "STRICT_PACK"

    def options(self) -> dict[str, Any]:
        """Return the part of a deployment's options that says where it runs."""
        actor = {"num_cpus": self.num_cpus, "num_gpus": self.num_gpus, "resources": dict(self.resources)}
        if not self.bundles:
            return {"ray_actor_options": actor}
        group = {
            "placement_group_bundles": [dict(bundle) for bundle in self.bundles],
            "placement_group_strategy": self.strategy,
        }
        return {"ray_actor_options": actor, **group}


def executor_backend(spec: ModelSpec) -> Literal["mp", "ray"] | None:
    """Return who starts a replica's ranks; None where there is one rank.

    Said always: inside a placement group vLLM would take Ray by itself, which knows no bundle with several GPUs.
    """
    if spec.engine.pipeline_parallel_size > 1:
        return "ray"
    return "mp" if spec.engine.tensor_parallel_size > 1 else None


def placement_of(spec: ModelSpec) -> Placement:
    """Return what a replica of this model demands of the cluster."""
    marks = node_demand(spec.gpu, spec.site)
    match executor_backend(spec):
        case None:
            return Placement(spec.cpus_per_replica, spec.gpus, marks)
        case "mp":
            whole = {"CPU": spec.cpus_per_replica, **({"GPU": spec.gpus} if spec.gpus else {}), **marks}
            return Placement(spec.cpus_per_replica, spec.gpus, marks, (whole,), "STRICT_PACK")
        case "ray":
            rank: Mapping[str, float] = {"GPU": 1, **marks}
            ranks = spec.engine.tensor_parallel_size * spec.engine.pipeline_parallel_size
            first = {"CPU": spec.cpus_per_replica, **rank}
            # PACK fills a node before it takes the next; whether each stage is whole is seen when the group stands.
            return Placement(spec.cpus_per_replica, 0, {}, (first, *[rank] * (ranks - 1)), "PACK")


def stages_are_whole(nodes: Iterable[str], tensor_parallel_size: int) -> bool:
    """Whether each pipeline stage has its ranks on one node. `nodes` are those of the group's bundles, in any order.

    vLLM numbers the ranks node by node, so a stage is torn iff some node holds a number of ranks that no stages fill.
    """
    return all(ranks % tensor_parallel_size == 0 for ranks in Counter(nodes).values())
