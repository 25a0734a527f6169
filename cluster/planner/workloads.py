"""What does a bundle want of its nodes? Each model's replicas with what one takes, and which nodes may hold it."""

from collections.abc import Callable, Collection, Iterator
from typing import Final

from cluster.nodes import Node
from cluster.planner.packing import Workload
from models.errors import UnknownGpu
from models.gpus import find_gpu
from models.spec import ModelSpec
from router.bundle.files import LaneSpec

GPU_REPLICA_GIB: Final = 8.0
"""Main memory of a replica whose weights are on GPUs: process, pinned buffers, tokenizer (assumed)."""
CPU_REPLICA_GIB: Final = 3.0
"""Main memory of a replica on CPUs beside its cache: process and a small model's weights (seen here: about 3 GiB)."""

EU: Final = frozenset(
    ("at", "be", "bg", "hr", "cy", "cz", "dk", "ee", "fi", "fr", "de", "gr", "hu", "ie", "it", "lv", "lt", "lu", "mt", "nl", "pl", "pt",
     "ro", "sk", "si", "es", "se")
)  # fmt: skip
"""Members of the European Union by ISO code: what runs under the law of one runs under the Union's."""


def workloads(models: Collection[ModelSpec], lanes: Collection[LaneSpec], n_plus: int) -> Iterator[Workload]:
    """Yield each model's demand. At least `n_plus` spares: those that the bundle does not have yet come on top of its minimum."""
    for spec in models:
        its_lanes = [lane for lane in lanes if lane.base_model == spec.name]
        least, most, spare = _replicas(spec)
        missing = max(0, n_plus - spare) if least else 0
        stages = spec.engine.pipeline_parallel_size
        yield Workload(
            model=spec.name,
            guaranteed=least + missing,
            elastic=most - least,
            spare=spare + missing,
            gpus=spec.gpus / stages,
            cpus=spec.cpus_per_replica / stages,
            memory_gib=(GPU_REPLICA_GIB if spec.gpu else CPU_REPLICA_GIB + (spec.engine.kv_cache_gib or 0)) / stages,
            stages=stages,
            refuses=_refusals(spec, its_lanes),
        )


def _replicas(spec: ModelSpec) -> tuple[int, int, int]:
    """Return the fewest, the most, and how many of the fewest are spares."""
    if spec.scaling is None:
        return spec.replicas, spec.replicas, 0
    return spec.scaling.min_replicas, spec.scaling.max_replicas, getattr(spec.scaling, "spare_replicas", 0)


def _refusals(spec: ModelSpec, lanes: Collection[LaneSpec]) -> Callable[[Node], str | None]:
    """Return what says why a node won't do for a model: class, site, jurisdiction, and whether it may run private ones at all."""
    claimed = [{each.casefold() for each in lane.jurisdictions} for lane in lanes if lane.jurisdictions]

    def refuses(node: Node) -> str | None:
        if not node.private:
            return "is not private: no model of ours runs there"
        if spec.gpu is not None and _class(node.gpu) != _class(spec.gpu):
            return f"has {f'GPUs of class {node.gpu}' if node.gpu else 'no GPUs'}, {spec.gpu} is needed"
        if spec.site is not None and node.site != spec.site:
            return f"stands in {node.site}, {spec.site} is asked for"
        law = node.jurisdiction.casefold()
        if any(law not in allowed and not (law in EU and "eu" in allowed) for allowed in claimed):
            named = ", ".join(sorted(set.intersection(*claimed))) or "none"
            return f"is under the law of {node.jurisdiction}; the lanes of {spec.name} claim {named}"
        return None

    return refuses


def _class(gpu: str | None) -> str | None:
    """Return the class that a name means; a name that nobody knows means itself."""
    if gpu is None:
        return None
    try:
        return find_gpu(gpu).name
    except UnknownGpu:
        return gpu.casefold()
