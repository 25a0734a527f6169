"""Does a model fit on these GPUs, in which layouts, and with how much context and how many requests at once? Pure.

The budget is vLLM's own: a share of each GPU's memory (`gpu_memory_utilization`), from which weights, one step's activations and the
engine's overhead are taken; the rest is KV cache.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from models.architecture import Architecture, GroupedAttention, LatentAttention
from models.gpus import Gpu
from models.memory import (
    CONFIG,
    Figure,
    KvFormat,
    Layout,
    Precision,
    activation_bytes,
    kv_bytes_of_sequence,
    kv_bytes_per_token,
    overhead_bytes,
    weight_bytes,
)

VLLM_UTILIZATION: Final = 0.92
"""vLLM's default share of the GPU's memory."""

_COUNTS: Final = (1, 2, 4, 8)
"""GPUs that one machine has: a replica is not spread further here."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be served: `context` tokens a sequence, so many sequences and tokens a step, in these formats."""

    context: int
    precision: Precision
    kv: KvFormat = "bf16"
    sequences: int = 256
    batched_tokens: int = 8192
    utilization: float = VLLM_UTILIZATION


@dataclass(frozen=True, slots=True)
class Fit:
    """One layout's arithmetic on one GPU, the fullest of a replica. `largest_batch` counts sequences of the whole wished context."""

    layout: Layout
    wish: Wish
    budget: Figure
    weights: Figure
    activations: Figure
    overhead: Figure
    kv_per_token: Figure
    kv_room: Figure
    kv_capacity: Figure
    largest_context: Figure
    largest_batch: Figure
    short_bytes: float
    """Bytes a GPU that one sequence of the wished context lacks; 0 where it fits."""

    @property
    def fits(self) -> bool:
        """Whether at least one sequence of the wished context can be served."""
        return self.short_bytes == 0


@dataclass(frozen=True, slots=True)
class NoLayout:
    """A layout that can't be, and why."""

    layout: Layout
    because: str


def layouts(architecture: Architecture, gpus: int, block: int = 1) -> tuple[Layout | NoLayout, ...]:
    """Return each way to share a model over up to that many GPUs evenly: TP first, then with PP. One that can't be says why.

    Weights that are scaled in blocks of `block` can only be cut between blocks.
    """
    counts = [count for count in range(1, gpus + 1) if gpus % count == 0]
    splits = [
        Layout(tensor, count // tensor) for count in counts for tensor in range(count, 0, -1) if count % tensor == 0
    ]
    return tuple(NoLayout(one, because) if (because := impossible(architecture, one, block)) else one for one in splits)


def impossible(architecture: Architecture, layout: Layout, block: int = 1) -> str | None:
    """Say why a model can't be shared in a layout; None where it can."""
    tensor = layout.tensor
    if layout.pipeline > architecture.layers:
        return f"{architecture.layers} layers are fewer than {layout.pipeline} stages"
    if architecture.attention.heads % tensor:
        return f"{architecture.attention.heads} heads are not divisible by {tensor}"
    match architecture.attention:
        case GroupedAttention(_, kv_heads) if kv_heads % tensor and tensor % kv_heads:
            return f"{kv_heads} KV heads neither divide nor are divisible by {tensor}"
        case GroupedAttention() | LatentAttention():
            pass
    middles = [architecture.intermediate] if architecture.moe_layer_count < architecture.layers else []
    middles += [architecture.experts.intermediate] if architecture.experts else []
    for middle in middles:
        if middle % tensor:
            return f"an MLP of {middle} is not divisible by {tensor}"
        if tensor > 1 and middle // tensor % block:
            return f"an MLP of {middle} cut in {tensor} is no whole number of the weights' blocks of {block}"
    return None


def fit(architecture: Architecture, gpu: Gpu, layout: Layout, wish: Wish) -> Fit:
    """Reckon one layout. All figures are of one GPU but capacity, context and batch, which are the replica's."""
    activations = activation_bytes(architecture, wish.batched_tokens, wish.sequences, layout)
    overhead = overhead_bytes(layout)
    budget = Figure(
        gpu.memory_bytes * wish.utilization,
        "bytes",
        f"{gpu.memory_bytes:,} B × {wish.utilization} (gpu_memory_utilization)",
        gpu.source,
    )
    beside = activations.value + overhead.value
    weights = [weight_bytes(architecture, wish.precision, layout, stage) for stage in range(layout.pipeline)]
    rooms = [budget.value - beside - one.value for one in weights]

    def holds(tokens: int) -> bool:
        needs = _needs(architecture, wish, layout, tokens)
        return all(room >= need for room, need in zip(rooms, needs, strict=True))

    needed = _needs(architecture, wish, layout, wish.context)
    context = _largest(holds, architecture.context)
    sequences = max(0.0, min(room / need for room, need in zip(rooms, needed, strict=True)))
    ranks = f" × {layout.data} data-parallel ranks" if layout.data > 1 else ""
    per_token = kv_bytes_per_token(architecture, wish.kv, layout)
    room = min(rooms)
    return Fit(
        layout=layout,
        wish=wish,
        budget=budget,
        weights=max(weights, key=lambda figure: figure.value),
        activations=activations,
        overhead=overhead,
        kv_per_token=per_token,
        kv_room=Figure(room, "bytes", "budget - weights - activations - overhead", "the lines above"),
        kv_capacity=Figure(
            int(sequences * wish.context) * layout.data,
            "tokens",
            f"KV room ÷ KV bytes of a sequence of {wish.context:,} tokens × {wish.context:,}" + ranks,
            "the lines above",
        ),
        largest_context=Figure(
            context, "tokens", f"KV room ÷ KV bytes of a sequence, at most the model's {architecture.context:,}", CONFIG
        ),
        largest_batch=Figure(
            int(sequences) * layout.data,
            "sequences",
            f"KV room ÷ {max(needed):,.0f} B of a sequence of {wish.context:,} tokens" + ranks,
            "the lines above",
        ),
        short_bytes=max(0.0, *(need - room for room, need in zip(rooms, needed, strict=True))),
    )


def _needs(architecture: Architecture, wish: Wish, layout: Layout, tokens: int) -> list[float]:
    """Return the KV bytes of one sequence on a GPU of each stage."""
    stages = range(layout.pipeline)
    return [kv_bytes_of_sequence(architecture, tokens, wish.kv, layout, stage) for stage in stages]


def caveats(gpu: Gpu, precision: Precision) -> tuple[str, ...]:
    """Return what a precision means on a class of GPUs whose units can't multiply it: memory is saved, arithmetic is not."""
    kind = "fp4" if precision == "mxfp4" else precision
    if kind in {"fp32", "bf16", "fp16"} or kind in gpu.flops:
        return ()
    return (
        f"{gpu.title} has no units for {precision}: weights are kept in it and multiplied in a wider format, where vLLM has a kernel",
    )


def _largest(holds: Callable[[int], bool], most: int) -> int:
    """Return the largest number up to `most` for which `holds`, 0 if none. What holds for a number holds for all below it."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(middle) else (low, middle - 1)
    return low


def remedies(architecture: Architecture, gpu: Gpu, gpus: int, wish: Wish, block: int = 1) -> tuple[str, ...]:
    """Return what would make a model fit that doesn't: less context, a narrower cache, narrower weights, or more of these GPUs."""
    found = []
    best = max((one.largest_context.value for one in _fits(architecture, gpu, gpus, wish, block)), default=0)
    if best:
        found.append(f"--context {int(best)}: the largest that these GPUs hold")
    narrower: dict[str, Wish] = {}
    if wish.kv != "fp8":
        narrower["--kv fp8"] = replace(wish, kv="fp8")
    for precision in _NARROWER[wish.precision]:
        narrower[f"--precision {precision}"] = replace(wish, precision=precision)
    found += [
        f"{option}: {_in_words(one)}"
        for option, other in narrower.items()
        if (one := next((fit for fit in _fits(architecture, gpu, gpus, other) if fit.fits), None))
    ]
    for count in _COUNTS:
        enough = (
            next((one for one in _fits(architecture, gpu, count, wish) if one.fits), None) if count > gpus else None
        )
        if enough:
            found.append(f"--gpu {gpu.name}:{count}: {_in_words(enough)}")
            break
    return tuple(found)


_NARROWER: Final[Mapping[Precision, tuple[Precision, ...]]] = {
    "fp32": ("bf16", "fp8", "int4"),
    "bf16": ("fp8", "int4"),
    "fp16": ("fp8", "int4"),
    "fp8": ("int4",),
    "int8": ("int4",),
    "int4": (),
    "fp4": (),
    "mxfp4": (),
}


def _in_words(one: Fit) -> str:
    return f"{one.layout.name}, weights {one.weights.gib:.1f} GiB a GPU, {int(one.largest_batch.value)} such sequences at once"


def _fits(architecture: Architecture, gpu: Gpu, gpus: int, wish: Wish, block: int = 1) -> Iterator[Fit]:
    for layout in layouts(architecture, gpus, block):
        match layout:
            case Layout():
                yield fit(architecture, gpu, layout, wish)
            case NoLayout():
                pass
