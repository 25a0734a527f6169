"""How many bytes do a model's weights, its KV cache and one step's activations take on one GPU? Pure; each answer brings its formula.

Where GPUs of one replica differ (pipeline stages), the answer is that of the fullest one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, get_args

from models.architecture import Architecture, Attention, GroupedAttention, LatentAttention
from models.errors import UnknownPrecision

Precision = Literal["fp32", "bf16", "fp16", "fp8", "int8", "int4", "fp4", "mxfp4"]
"""The format of the weights that matrices are multiplied with; embeddings, norms and routers stay as they were."""

KvFormat = Literal["fp32", "bf16", "fp16", "fp8"]
"""The format of the KV cache."""

GIB: Final = 1024**3
CONFIG: Final = "the model's config.json"

WEIGHT_BYTES: Final[Mapping[Precision, float]] = MappingProxyType(
    {
        "fp32": 4.0,
        "bf16": 2.0,
        "fp16": 2.0,
        "fp8": 1.0,
        "int8": 1.0,
        "int4": 0.5 + 2.5 / 128,  # AWQ and GPTQ: for each 128 weights a 16-bit scale and a 4-bit zero point.
        "fp4": 0.5 + 1 / 16,  # NVFP4: an 8-bit scale for each 16 weights.
        "mxfp4": 0.5 + 1 / 32,  # OCP MXFP4: an 8-bit scale for each 32 weights.
    }
)
KV_BYTES: Final[Mapping[KvFormat, int]] = MappingProxyType({"fp32": 4, "bf16": 2, "fp16": 2, "fp8": 1})

_SAMPLING_BYTES: Final = 38.3
"""Bytes that sampling takes for each logit: copies in float32, the sorted ones with their indices, probabilities, sums.

vLLM's start-up logs on an H100 with 1,024 sequences (published by llm-d-benchmark): 4.76 GiB for Llama 3.1 8B, 4.84 for 3.3 70B on two,
5.56 for Qwen3 0.6B, 7.38 for gpt-oss-20b. Less the hidden states, each is 38.2 to 38.5 bytes a logit.
"""

_ALSO_CALLED: Final[Mapping[str, Precision]] = MappingProxyType(
    {
        "float32": "fp32",
        "bfloat16": "bf16",
        "float16": "fp16",
        "half": "fp16",
        "w8a8": "fp8",
        "awq": "int4",
        "gptq": "int4",
        "w4a16": "int4",
        "nvfp4": "fp4",
    }
)

_KV_FORMATS: Final[Mapping[str, KvFormat]] = MappingProxyType(
    {
        "auto": "bf16",
        "bf16": "bf16",
        "fp16": "fp16",
        "fp32": "fp32",
        "fp8": "fp8",
        "fp8_e4m3": "fp8",
        "fp8_e5m2": "fp8",
    }
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with where it comes from: `formula` has the numbers filled in, `source` names who vouches for them."""

    value: float
    unit: Literal["bytes", "bytes/token", "tokens", "sequences"]
    formula: str
    source: str

    @property
    def gib(self) -> float:
        """The value in GiB."""
        return self.value / GIB


@dataclass(frozen=True, slots=True)
class Layout:
    """How one replica's GPUs share a model: `tensor` split each layer, `pipeline` split the layers, `data` repeat the attention.

    With `data` above 1 (DeepSeek's way: attention data-parallel, experts spread) routed experts are split over all GPUs of a stage.
    """

    tensor: int = 1
    pipeline: int = 1
    data: int = 1

    @property
    def gpus(self) -> int:
        """GPUs of one replica."""
        return self.tensor * self.pipeline * self.data

    @property
    def name(self) -> str:
        """As tables name it: TP2, TP4×PP2, DEP8."""
        if self.data > 1:
            return f"DEP{self.data}" if self.tensor == 1 else f"TP{self.tensor}×DEP{self.data}"
        return f"TP{self.tensor}" + (f"×PP{self.pipeline}" if self.pipeline > 1 else "")


ONE_GPU: Final = Layout()


def read_precision(text: str) -> Precision:
    """Return the precision of that name: `FP8`, `bf16`, `nvfp4`, `awq`, in any case. Raises `UnknownPrecision`."""
    folded = text.strip().lower()
    for known in get_args(Precision):
        if folded == known:
            return known  # type: ignore[no-any-return]  # one of Precision's own
    if folded in _ALSO_CALLED:
        return _ALSO_CALLED[folded]
    raise UnknownPrecision(
        f"no precision is called {text!r}; known: {', '.join((*get_args(Precision), *_ALSO_CALLED))}"
    )


def read_kv_format(text: str) -> KvFormat:
    """Return the cache's format of that name, vLLM's own names too, in any case. Raises `UnknownPrecision`."""
    found = _KV_FORMATS.get(text.strip().lower())
    if found is None:
        raise UnknownPrecision(f"no KV format is called {text!r}; known: {', '.join(_KV_FORMATS)}")
    return found


def published_precision(architecture: Architecture) -> Precision:
    """Return the precision that the published weights have: quantised as `config.json` says, else their dtype."""
    return read_precision(architecture.quantised_as or architecture.dtype)


def stages(layers: int, pipeline: int) -> tuple[range, ...]:
    """Return the layers of each pipeline stage, divided as vLLM does: what is left over goes to the stages before the last."""
    counts = [layers // pipeline] * pipeline
    for place in range(layers % pipeline):
        counts[-(place + 2)] += 1
    return tuple(range(sum(counts[:place]), sum(counts[: place + 1])) for place in range(pipeline))


def weight_bytes(
    architecture: Architecture, precision: Precision, layout: Layout = ONE_GPU, stage: int | None = None
) -> Figure:
    """Return the bytes of weights on one GPU: of that pipeline stage, or of the fullest."""
    parts = stages(architecture.layers, layout.pipeline)
    chosen = range(len(parts)) if stage is None else (stage,)
    value = max(_stage_weights(architecture, precision, layout, parts[place], place) for place in chosen)
    wide, narrow = _plain_bytes(precision), WEIGHT_BYTES[precision]
    plain = _plain_parameters(architecture, precision)
    split = "" if layout.gpus == 1 else f", split {layout.name} (what can't be split is held by each)"
    return Figure(
        value,
        "bytes",
        f"{architecture.parameters - plain:,} parameters × {narrow:.4g} B ({precision}) + {plain:,} × {wide} B "
        f"(embeddings, norms, what stays unquantised){split}",
        CONFIG,
    )


def kv_bytes_per_token(architecture: Architecture, kv: KvFormat, layout: Layout = ONE_GPU) -> Figure:
    """Return the bytes that one token adds to the KV cache of one GPU, while it is inside every layer's window."""
    stage = max(stages(architecture.layers, layout.pipeline), key=len)
    value = len(stage) * _kv_layer_bytes(architecture, kv, layout)
    formula = f"{len(stage)} layers × {_kv_formula(architecture.attention, kv, layout)}"
    windowed = [window for window in architecture.windows if window is not None]
    if windowed:
        formula += f"; {len(windowed)} of {architecture.layers} layers keep at most {max(windowed):,} tokens"
    return Figure(value, "bytes/token", formula, CONFIG)


def kv_bytes_of_sequence(
    architecture: Architecture, tokens: int, kv: KvFormat, layout: Layout = ONE_GPU, stage: int | None = None
) -> float:
    """Return the KV bytes on one GPU of one sequence of that many tokens: a layer with a window keeps no more than that."""
    parts = stages(architecture.layers, layout.pipeline)
    chosen = parts if stage is None else (parts[stage],)
    kept = max(sum(min(tokens, architecture.windows[layer] or tokens) for layer in part) for part in chosen)
    return kept * _kv_layer_bytes(architecture, kv, layout)


def activation_bytes(
    architecture: Architecture, batched_tokens: int, sequences: int, layout: Layout = ONE_GPU
) -> Figure:
    """Return the peak of one step's intermediate results: in the widest layer for all its tokens, or in sampling for all its sequences.

    Sampling sorts and sums the logits of the whole vocabulary on each GPU: with many sequences that is the peak, whatever the size.
    """
    widest = max(_attention_width(architecture, layout), *_mlp_widths(architecture, layout))
    states = batched_tokens * architecture.hidden * 2
    layer = batched_tokens * (4 * architecture.hidden + widest) * 2
    sampling = sequences * architecture.vocabulary * _SAMPLING_BYTES + states
    if sampling > layer:
        formula = (
            f"{sequences:,} sequences × {architecture.vocabulary:,} logits × {_SAMPLING_BYTES} B of sampling "
            f"+ {batched_tokens:,} tokens × {architecture.hidden:,} hidden × 2 B"
        )
    else:
        formula = (
            f"{batched_tokens:,} tokens × (4 × {architecture.hidden:,} hidden + {widest:,} of the widest layer) × 2 B"
        )
    return Figure(
        max(layer, sampling),
        "bytes",
        formula,
        "form reasoned; bytes a logit fitted to four published start-up logs of vLLM",
    )


def overhead_bytes(layout: Layout = ONE_GPU) -> Figure:
    """Return what the engine takes beside: libraries' workspaces, CUDA graphs, and buffers to talk with other GPUs."""
    graphs, workspaces, links = 0.5, 0.15, 0.4 if layout.gpus > 1 else 0.0
    talk = f" + {links} GiB NCCL and all-reduce buffers" if links else ""
    return Figure(
        (graphs + workspaces + links) * GIB,
        "bytes",
        f"{workspaces} GiB workspaces + {graphs} GiB CUDA graphs{talk}",
        "from published start-up logs of vLLM: 0.13 GiB beside PyTorch on one GPU, 0.55 on two; graphs 0 to 1 GiB",
    )


def kv_cache_tokens(architecture: Architecture, kv_bytes: float, kv: KvFormat, block_tokens: int) -> int:
    """Return the tokens that a cache of so many bytes holds in whole blocks, for a model without windows: vLLM's own `KV cache size`."""
    block = block_tokens * kv_bytes_per_token(architecture, kv).value
    return int(kv_bytes // block) * block_tokens


def _kv_formula(attention: Attention, kv: KvFormat, layout: Layout) -> str:
    match attention:
        case GroupedAttention(_, kv_heads, head_size):
            held = _kv_heads_held(kv_heads, layout.tensor)
            of = "" if held == kv_heads else f" of {kv_heads}"
            return f"2 (K and V) × {held}{of} KV heads × {head_size} × {KV_BYTES[kv]} B"
        case LatentAttention(_, kv_rank, rope_size):
            return f"({kv_rank} latent + {rope_size} rope) × {KV_BYTES[kv]} B, the same on each GPU (MLA)"


def _kv_heads_held(kv_heads: int, tensor: int) -> int:
    """KV heads on one GPU: with more GPUs than heads, each head lies on several."""
    return max(1, kv_heads // tensor)


def _kv_layer_bytes(architecture: Architecture, kv: KvFormat, layout: Layout) -> int:
    """Return the KV bytes of one token in one layer on one GPU."""
    match architecture.attention:
        case GroupedAttention(_, kv_heads, head_size):
            return 2 * _kv_heads_held(kv_heads, layout.tensor) * head_size * KV_BYTES[kv]
        case LatentAttention(_, kv_rank, rope_size):
            return (kv_rank + rope_size) * KV_BYTES[kv]


def _plain_bytes(precision: Precision) -> int:
    return 4 if precision == "fp32" else 2


def _plain_parameters(architecture: Architecture, precision: Precision) -> int:
    """Count what quantisation leaves as it is: embeddings, head, norms, routers; with MXFP4 all but the experts."""
    head = 0 if architecture.tied_embeddings else architecture.head_parameters
    always = architecture.embedding_parameters + head + architecture.norm_parameters + architecture.router_parameters
    return (
        architecture.parameters - architecture.routed_parameters if _experts_alone(architecture, precision) else always
    )


def _experts_alone(architecture: Architecture, precision: Precision) -> bool:
    """Whether that precision is for the experts alone: MXFP4 as it is published (gpt-oss)."""
    return precision == "mxfp4" and architecture.experts is not None


def _stage_weights(
    architecture: Architecture, precision: Precision, layout: Layout, layers: range, place: int
) -> float:
    plain, narrow = _plain_bytes(precision), WEIGHT_BYTES[precision]
    dense = plain if _experts_alone(architecture, precision) else narrow
    moe = sum(architecture.moe_layers[layer] for layer in layers)
    share = len(layers) / architecture.layers
    dense_layers = architecture.layers - architecture.moe_layer_count
    parameters = dense * len(layers) * _attention_share(architecture, layout)
    if dense_layers:
        parameters += dense * architecture.dense_mlp_parameters * (len(layers) - moe) / dense_layers / layout.tensor
    if moe:
        part = moe / architecture.moe_layer_count
        parameters += narrow * architecture.routed_parameters * part / (layout.tensor * layout.data)
        parameters += dense * architecture.shared_expert_parameters * part / layout.tensor
        parameters += plain * architecture.router_parameters * part
    parameters += plain * architecture.norm_parameters * share
    first, last = place == 0, place == layout.pipeline - 1
    if first or (last and architecture.tied_embeddings):
        parameters += plain * architecture.embedding_parameters / layout.tensor
    if last and not architecture.tied_embeddings:
        parameters += plain * architecture.head_parameters / layout.tensor
    return parameters


def _attention_share(architecture: Architecture, layout: Layout) -> float:
    """Return one layer's attention parameters on one GPU."""
    hidden, tensor = architecture.hidden, layout.tensor
    match architecture.attention:
        case GroupedAttention() as grouped:
            held = _kv_heads_held(grouped.kv_heads, tensor) / grouped.kv_heads
            return grouped.query_parameters(hidden) / tensor + grouped.kv_parameters(hidden) * held
        case LatentAttention() as latent:
            return latent.split_parameters(hidden) / tensor + latent.whole_parameters(hidden)


def _attention_width(architecture: Architecture, layout: Layout) -> int:
    """Return the numbers that one token's attention holds at its widest on one GPU: queries, keys, values and the result."""
    match architecture.attention:
        case GroupedAttention(heads, kv_heads, head_size):
            return (2 * heads // layout.tensor + 2 * _kv_heads_held(kv_heads, layout.tensor)) * head_size
        case LatentAttention() as latent:
            a_head = 2 * (latent.nope_size + latent.rope_size) + 2 * latent.value_size
            return a_head * latent.heads // layout.tensor


def _mlp_widths(architecture: Architecture, layout: Layout) -> tuple[int, ...]:
    """Return the numbers that one token's MLP holds on one GPU, in a layer with one MLP and in one with experts."""
    ups = 2 if architecture.gated_mlp else 1
    widths = []
    if architecture.moe_layer_count < architecture.layers:
        widths.append((ups + 1) * architecture.intermediate // layout.tensor)
    if architecture.experts is not None:
        middle = architecture.experts.intermediate // layout.tensor
        # vLLM's fused kernel keeps a row for each expert chosen: the two halves (or the result, in the same place), and their product.
        widths.append(architecture.experts.active * (max(ups * middle, architecture.hidden) + middle))
    return tuple(widths)
