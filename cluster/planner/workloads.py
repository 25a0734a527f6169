"""What does a bundle want of its nodes? Each model's replicas with what one takes, and which nodes may hold it."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Final

from cluster.nodes import Node
from cluster.planner.packing import Workload
from models.architecture import Architecture, GroupedAttention, LatentAttention
from models.catalogue import find_model
from models.errors import UnknownEntry, UnknownGpu, UnknownPrecision
from models.fit import VLLM_UTILIZATION, Fit, Wish, fit
from models.gpus import Gpu, find_gpu
from models.laws import accepted
from models.memory import GIB, Layout, kv_bytes_of_sequence, published_precision, read_kv_format, read_precision
from models.spec import Adapter, ModelSpec
from router.bundle.files import LaneSpec
from router.bundle.served import claimed_laws

GPU_REPLICA_GIB: Final = 8.0
"""Main memory of a replica whose weights are on GPUs: process, pinned buffers, tokenizer (assumed)."""
CPU_REPLICA_GIB: Final = 3.0
"""Main memory of a replica on CPUs beside its cache: process and a small model's weights (seen here: about 3 GiB)."""

SEQUENCES: Final = 256
BATCHED_TOKENS: Final = 8192
"""What an engine takes at once and in a step where nobody says: what the catalogue mostly sets on GPUs."""


def workloads(models: Collection[ModelSpec], lanes: Collection[LaneSpec], n_plus: int) -> Iterator[Workload]:
    """Yield each model's demand. At least `n_plus` spares, and those that its lanes promise: what the bundle lacks comes on top."""
    for spec in models:
        its_lanes = [lane for lane in lanes if lane.base_model == spec.name]
        least, most, spare = _replicas(spec, max((lane.n_plus for lane in its_lanes), default=0))
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
            refuses=_refusals(spec, claimed_laws(spec, its_lanes)),
        )


def _replicas(spec: ModelSpec, promised: int) -> tuple[int, int, int]:
    """Return the fewest, the most, and how many of the fewest are spares."""
    if spec.scaling is None:
        return spec.replicas, spec.replicas, min(promised, spec.replicas - 1)
    return spec.scaling.min_replicas, spec.scaling.max_replicas, spec.scaling.spare_replicas


def _refusals(spec: ModelSpec, laws: tuple[str, ...] | None) -> Callable[[Node], str | None]:
    """Return what says why a node won't do for a model: class, site, law, and whether it may run private ones at all."""
    short = gpu_shortage(spec)

    def refuses(node: Node) -> str | None:
        if not node.private:
            return "is not private: no model of ours runs there"
        if spec.gpu is not None and _class(node.gpu) != _class(spec.gpu):
            return f"has {f'GPUs of class {node.gpu}' if node.gpu else 'no GPUs'}, {spec.gpu} is needed"
        if short is not None:
            return short
        if spec.site is not None and node.site != spec.site:
            return f"stands in {node.site}, {spec.site} is asked for"
        if laws is not None and not accepted(laws, node.jurisdiction):
            return (
                f"is under the law of {node.jurisdiction}; the lanes of {spec.name} claim {', '.join(laws) or 'none'}"
            )
        return None

    return refuses


def gpu_shortage(spec: ModelSpec) -> str | None:
    """Say what a GPU of the spec's class lacks for a replica with its adapters; None where it is enough, or nobody knows the model."""
    known = _known(spec)
    if known is None:
        return None
    shape, gpu, reckoned = known.architecture, known.gpu, known.fit
    layout = reckoned.layout
    adapters = adapter_bytes(shape, spec.adapters) / layout.gpus
    needed = kv_bytes_of_sequence(shape, spec.context_tokens, reckoned.wish.kv, layout) + adapters
    short = max(reckoned.short_bytes, needed - reckoned.kv_room.value)
    if short <= 0:
        return None
    beside = f" and {adapters / GIB:.1f} GiB of adapters" if adapters else ""
    return (
        f"a GPU of class {gpu.name} is {short / GIB:.1f} GiB short: {layout.name}, {reckoned.weights.gib:.1f} GiB of weights{beside}, "
        f"one request of {spec.context_tokens:,} tokens"
    )


def reckoned_cache_tokens(spec: ModelSpec) -> int | None:
    """Return what a replica's cache holds by the arithmetic of `lane models fit`; None on CPUs, or where nobody knows the model."""
    known = _known(spec)
    return None if known is None else int(known.fit.kv_capacity.value)


@dataclass(frozen=True, slots=True)
class _Known:
    """A model on GPUs that the catalogue has, and what one of its replicas takes."""

    architecture: Architecture
    gpu: Gpu
    fit: Fit


def _known(spec: ModelSpec) -> _Known | None:
    if spec.gpu is None:
        return None
    try:
        entry, gpu = find_model(spec.catalogue or spec.name), find_gpu(spec.gpu)
        shape = entry.architecture
        setup, engine = entry.setup_for(gpu.name), spec.engine
        precision = (
            read_precision(engine.quantization)
            if engine.quantization
            else setup.precision
            if setup is not None
            else published_precision(shape)
        )
    except (UnknownGpu, UnknownEntry, UnknownPrecision):
        return None
    wish = Wish(
        context=spec.context_tokens,
        precision=precision,
        kv=read_kv_format(engine.kv_cache_dtype),
        sequences=engine.max_num_seqs or SEQUENCES,
        batched_tokens=engine.max_num_batched_tokens or BATCHED_TOKENS,
        utilization=engine.gpu_memory_utilization or VLLM_UTILIZATION,
    )
    layout = Layout(engine.tensor_parallel_size, engine.pipeline_parallel_size)
    return _Known(shape, gpu, fit(shape, gpu, layout, wish))


def adapter_bytes(shape: Architecture, adapters: Collection[Adapter]) -> float:
    """Return what a model's LoRA adapters take on all GPUs of a replica: vLLM keeps room for each at the largest rank.

    Two thin matrices in 16 bits beside each dense projection: rank x (in + out). Experts carry none.
    """
    if not adapters:
        return 0.0
    attention = 0
    match shape.attention:
        case GroupedAttention(heads, kv_heads, head_size):
            attention = 2 * (shape.hidden + heads * head_size) + 2 * (shape.hidden + kv_heads * head_size)
        case LatentAttention() as latent:
            attention = 2 * (shape.hidden + latent.heads * latent.value_size)
    mlp = 3 * (shape.hidden + shape.intermediate) if shape.moe_layer_count < shape.layers else 0
    numbers = shape.layers * attention + (shape.layers - shape.moe_layer_count) * mlp
    return 2.0 * len(adapters) * max(adapter.max_rank for adapter in adapters) * numbers


def _class(gpu: str | None) -> str | None:
    """Return the class that a name means; a name that nobody knows means itself."""
    if gpu is None:
        return None
    try:
        return find_gpu(gpu).name
    except UnknownGpu:
        return gpu.casefold()
