"""How long does a step take by the model's shape and the GPU's figures? Arithmetic against bandwidth, each at the share that engines reach.

A step reads the weights once and the cache of every sequence in it, multiplies each token with the active weights, and has GPUs talk
twice a layer. Arithmetic and weights overlap (a smooth maximum of the two); the rest adds up.

The roofline of Williams et al. (2009), with terms for attention over long prompts, all-reduce, experts and fixed costs.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

from cluster.planner.efficiencies import Calibration, Efficiencies
from cluster.planner.steps import Provenance
from models.architecture import Architecture
from models.fit import Fit
from models.gpus import FlopsFormat, Gpu
from models.memory import WEIGHT_BYTES, KvFormat, Layout, Precision, kv_bytes_of_sequence

_OVERLAP: Final = 4.0
"""Exponent of the smooth maximum of two times that overlap: 19% above the larger one where they are equal."""

_MULTIPLIED_IN: Final[dict[Precision, FlopsFormat]] = {
    "fp32": "bf16",
    "bf16": "bf16",
    "fp16": "bf16",
    "fp8": "fp8",
    "int8": "int8",
    "int4": "bf16",
    "fp4": "fp4",
    "mxfp4": "fp4",
}
_COLLECTIVES_PER_LAYER: Final = 2
_ACTIVATION_BYTES: Final = 2


@dataclass(frozen=True)
class Roofline:
    """A `StepTimes`: an engine on one replica's GPUs. Capacity and batch are the replica's: of all data-parallel ranks."""

    architecture: Architecture
    gpu: Gpu
    precision: Precision
    kv: KvFormat
    layout: Layout
    factors: Efficiencies
    kv_capacity_tokens: int
    max_batch: int
    error_factor: float = 1.0
    speed: float = 1.0
    """A model's own factor on throughput (`by_model`): every time is divided by it."""

    collectives: float = 1.0

    @property
    def provenance(self) -> Provenance:
        return "fitted"

    def prefill_seconds(self, tokens: int, context: int) -> float:
        """Reading prompts: arithmetic, attention over what is before each token, and talk."""
        if tokens <= 0:
            return 0.0
        one = self._share(tokens)
        seen = context + one / 2
        attention = one * self._whole_attention_flops(seen) / (self._flops("bf16") * self.factors.attention)
        elementwise = one * self._expert_layers * self.factors.expert_prefill_seconds
        seconds = self._layers_seconds(one) + attention + elementwise + self._talk_seconds(one)
        return seconds / self.speed

    def prompt_seconds(self, tokens: int, budget: int) -> float:
        """A prompt's share of steps that carry `budget` prompt tokens each: short prompts are read together, long ones in pieces."""
        linear = self._layers_seconds(budget) + self._talk_seconds(budget)
        flops = tokens * self._whole_attention_flops(tokens / 2)
        attention = flops / (self._flops("bf16") * self.factors.attention)
        elementwise = tokens * self._expert_layers * self.factors.expert_prefill_seconds
        return (linear * tokens / budget + attention + elementwise) / self.speed

    def decode_seconds(self, batch: float, context_tokens: float) -> float:
        """One token for each sequence: weights against arithmetic, the whole cache, logits, talk, and what every step costs."""
        if batch <= 0:
            return 0.0
        stages = self.layout.pipeline
        one = self._share(batch) / stages
        factors = self.factors
        cache = context_tokens / self.layout.data * self._kv_token_bytes(context_tokens / batch)
        fixed = factors.step_seconds + one * factors.sequence_seconds
        # A pipeline's stages take turns with parts of the batch: each reads its own weights for each part.
        return (
            stages
            * (self._layers_seconds(one) / stages + self._head_seconds(one) + self._talk_seconds(one) / stages + fixed)
            + cache / (self.gpu.bandwidth_bytes_per_second * factors.cache)
            + one * self._expert_layers * factors.expert_decode_seconds
        ) / self.speed

    def _share(self, count: float) -> float:
        """Tokens or sequences of one data-parallel rank."""
        return count / self.layout.data

    @property
    def _expert_layers(self) -> int:
        return self.architecture.moe_layer_count

    def _flops(self, wanted: FlopsFormat) -> float:
        """FLOPs a second of one GPU in that format; where it can't multiply in it, in bfloat16 after unpacking."""
        return self.gpu.flops.get(wanted, self.gpu.flops["bf16"])

    @cached_property
    def _matmul_flops(self) -> float:
        factors = self.factors
        wanted = _MULTIPLIED_IN[self.precision]
        four_bits = factors.fp4 if wanted == "fp4" and wanted in self.gpu.flops else 1.0
        return self._flops(wanted) * factors.matmul * factors.by_gpu.get(self.gpu.name, 1.0) * four_bits

    @cached_property
    def _dense_parameters(self) -> float:
        """Parameters that every token is multiplied with, without the head, on one GPU of all stages together."""
        shape = self.architecture
        return (
            shape.attention_parameters + shape.dense_mlp_parameters + shape.shared_expert_parameters
        ) / self.layout.tensor

    @cached_property
    def _activation_numbers(self) -> float:
        """Numbers that one token's layers write and read on one GPU: ten times the hidden size, heads, the middles of MLP and experts."""
        shape, tensor = self.architecture, self.layout.tensor
        queries, values = shape.attention.widths
        middle = (shape.layers - shape.moe_layer_count) * shape.intermediate
        chosen = 0.0
        if shape.experts is not None:
            experts = shape.experts
            middle += shape.moe_layer_count * experts.shared * experts.shared_intermediate
            chosen = shape.moe_layer_count * experts.active * (3 * experts.intermediate / tensor + 4 * shape.hidden)
        return shape.layers * (10 * shape.hidden + (queries + values) / tensor) + 3 * middle / tensor + chosen

    def _layers_seconds(self, tokens: float) -> float:
        """All layers' matrices over so many tokens of each rank: weights and arithmetic overlap, activations come on top."""
        factors = self.factors
        bandwidth = self.gpu.bandwidth_bytes_per_second * factors.memory
        narrow = WEIGHT_BYTES[self.precision]
        dense_bytes = 2.0 if self.precision == "mxfp4" else narrow
        dense_flops = self._flops("bf16") * factors.matmul if self.precision == "mxfp4" else self._matmul_flops
        arithmetic = 2 * self._dense_parameters * tokens / dense_flops
        seconds = _overlapped(arithmetic, self._dense_parameters * dense_bytes / bandwidth)
        shape = self.architecture
        if shape.experts is not None:
            spread = self.layout.tensor * self.layout.data
            together = tokens * self.layout.data
            an_expert = shape.moe_layer_count * shape.expert_parameters / spread
            arithmetic = 2 * shape.experts.active * together * an_expert / (self._matmul_flops * factors.experts)
            read = shape.experts_read(max(1, round(together))) * an_expert * narrow / bandwidth
            seconds += _overlapped(arithmetic, read)
        activations = factors.elementwise * self._activation_numbers * _ACTIVATION_BYTES * tokens
        return seconds + activations / bandwidth

    def _head_seconds(self, sequences: float) -> float:
        """Logits: the head stays in 16 bits."""
        share = self.architecture.head_parameters / self.layout.tensor / self.layout.pipeline
        return max(
            2 * share * sequences / (self._flops("bf16") * self.factors.matmul),
            2 * share / (self.gpu.bandwidth_bytes_per_second * self.factors.memory),
        )

    def _talk_seconds(self, tokens: float) -> float:
        """Two all-reduces a layer (or two all-to-alls): a latency, and each number out and back to all but one of the others."""
        ranks = self.layout.tensor * self.layout.data
        if ranks == 1:
            return 0.0
        moved = tokens * self.architecture.hidden * _ACTIVATION_BYTES * 2 * (ranks - 1) / ranks
        link = self.gpu.link_bytes_per_second / 2 * self.factors.link
        once = self.factors.collective_seconds + moved / link
        return self.architecture.layers * _COLLECTIVES_PER_LAYER * once * self.collectives

    def _whole_attention_flops(self, seen: float) -> float:
        return self.architecture.attention_flops(seen) / self.layout.tensor

    def _kv_token_bytes(self, context: float) -> float:
        """Bytes of cache read for one token of a sequence of that length, on the fullest GPU, times the stages that take turns."""
        length = max(1, round(context))
        return kv_bytes_of_sequence(self.architecture, length, self.kv, self.layout) / length * self.layout.pipeline


def _overlapped(one: float, other: float) -> float:
    return float((one**_OVERLAP + other**_OVERLAP) ** (1 / _OVERLAP))


def roofline(name: str, architecture: Architecture, gpu: Gpu, found: Fit, calibration: Calibration) -> Roofline:
    """Return the engine of a model (by its catalogue name) in a layout that fits; see `models.fit`."""
    factors = calibration.factors
    return Roofline(
        architecture=architecture,
        gpu=gpu,
        precision=found.wish.precision,
        kv=found.wish.kv,
        layout=found.layout,
        factors=factors,
        kv_capacity_tokens=int(found.kv_capacity.value),
        max_batch=found.wish.sequences * found.layout.data,
        error_factor=calibration.error_factor,
        speed=factors.by_model.get(name, 1.0) * (factors.spread_throughput if found.layout.data > 1 else 1.0),
    )
