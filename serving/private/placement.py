"""Where does a replica of a model run, and who starts its workers? As Ray Serve wants it said; pure.

Ranks of one tensor-parallel group exchange sums after every layer, so they share a node: the replica's process holds all of their GPUs,
and vLLM starts the ranks below it (`mp`). Serve spreads such replicas over the nodes; one bundle of a placement group it would pack onto
the fullest. Stages of a pipeline pass on activations alone and may stand on several nodes: then vLLM's Ray executor starts the ranks,
which wants one bundle with one GPU for each (vLLM 0.32, `ray_utils.initialize_ray_cluster`), and the replica's own process holds none.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cluster.nodes.resources import law_demand, node_demand
from models.spec import ModelSpec


@dataclass(frozen=True, slots=True)
class Placement:
    """What a replica demands. No bundles: the replica's process is all there is, and needs no group. `labels`: of each node it is on."""

    num_cpus: float
    num_gpus: float
    resources: Mapping[str, float]
    labels: Mapping[str, str] = field(default_factory=dict)
    bundles: tuple[Mapping[str, float], ...] = ()

    def options(self) -> dict[str, Any]:
        """Return the part of a deployment's options that says where it runs."""
        actor: dict[str, Any] = {
            "num_cpus": self.num_cpus,
            "num_gpus": self.num_gpus,
            "resources": dict(self.resources),
        }
        if not self.bundles:
            return {"ray_actor_options": actor | ({"label_selector": dict(self.labels)} if self.labels else {})}
        # PACK fills a node before it takes the next; whether each stage is whole is seen when the group stands.
        group = {
            "placement_group_bundles": [dict(bundle) for bundle in self.bundles],
            "placement_group_strategy": "PACK",
        }
        selectors = [dict(self.labels) for _ in self.bundles]
        return {
            "ray_actor_options": actor,
            **group,
            **({"placement_group_bundle_label_selector": selectors} if self.labels else {}),
        }


def executor_backend(spec: ModelSpec) -> Literal["mp", "ray"] | None:
    """Return who starts a replica's ranks; None where there is one rank.

    Said always: below Ray vLLM would otherwise look for a placement group, and take Ray by itself where it finds one.
    """
    if spec.engine.pipeline_parallel_size > 1:
        return "ray"
    return "mp" if spec.engine.tensor_parallel_size > 1 else None


def placement_of(spec: ModelSpec) -> Placement:
    """Return what a replica of this model demands of the cluster."""
    marks, labels = node_demand(spec.gpu, spec.site), law_demand(spec.jurisdictions)
    if executor_backend(spec) != "ray":
        return Placement(spec.cpus_per_replica, spec.gpus, marks, labels)
    rank: Mapping[str, float] = {"GPU": 1, **marks}
    ranks = spec.engine.tensor_parallel_size * spec.engine.pipeline_parallel_size
    first = {"CPU": spec.cpus_per_replica, **rank}
    return Placement(spec.cpus_per_replica, 0, {}, labels, (first, *[rank] * (ranks - 1)))


def demand_of(spec: ModelSpec) -> str:
    """Say what a replica asks of the cluster: processors and GPUs, and on what kind of node."""
    amounts = [f"{amount:g} {what}" for amount, what in ((spec.cpus_per_replica, "CPU"), (spec.gpus, "GPU")) if amount]
    kind = [
        *([f"of class {spec.gpu}"] if spec.gpu else []),
        *([f"at {spec.site}"] if spec.site else []),
        *([f"under the law of {' or '.join(spec.jurisdictions)}"] if spec.jurisdictions else []),
    ]
    return " ".join([" and ".join(amounts) or "a place", *kind])


def stages_are_whole(nodes: Iterable[str], tensor_parallel_size: int) -> bool:
    """Whether each pipeline stage has its ranks on one node. `nodes` are those of the group's bundles, in any order.

    vLLM numbers the ranks node by node, so a stage is torn iff some node holds a number of ranks that no stages fill.
    """
    return all(ranks % tensor_parallel_size == 0 for ranks in Counter(nodes).values())
