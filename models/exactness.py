"""Does this model answer a request alike whatever else it answers at the time? How that is kept, what it costs, or why it can't be.

Kernels add up in an order that depends on how many requests they hold, so the same question may get other tokens in a busy batch. Two
things keep an answer exact: kernels whose order does not depend on the batch (vLLM's `VLLM_BATCH_INVARIANT`), or one request at a time.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from models.spec import ModelSpec

# vLLM 0.32: NVIDIA from compute capability 8.0 on, AMD gfx90a, gfx942 and gfx950 (`docs/features/batch_invariance`). Classes by name.
_INVARIANT_GPUS: Final = re.compile(
    r"(a100|a30|a10|a40|l4|l40|h20|h100|h200|h800|gh200|b100|b200|b300|gb200|gb300|rtx-pro|mi2[15]0|mi3[0-9]{2})",
    re.ASCII,
)
# vLLM 0.32's sources: Marlin's kernels are passed over in this mode, and what is left has no fixed order for these.
_VARIANT_FORMATS: Final = frozenset(
    {"gptq", "gptq_marlin", "awq", "awq_marlin", "auto-round", "marlin", "bitsandbytes", "gguf"}
)


@dataclass(frozen=True, slots=True)
class Exact:
    """How a model's answers are kept exact. `throughput_factor`: what is left of its throughput, beside the limit on its batch."""

    kept_by: Literal["one request at a time", "batch-invariant kernels"]
    throughput_factor: float
    factor_is: Literal["measured", "assumed"]


@dataclass(frozen=True, slots=True)
class NotExact:
    """A model whose answers can't be kept exact: which field stands in the way, and what to do."""

    field: str
    because: str
    mend: str


def exactness(spec: ModelSpec) -> Exact | NotExact:
    """Return how a model with this spec answers exactly.

    The factor of one at a time is 1 because its whole cost is the batch of one, which any plan reads from `max_num_seqs`. That of the
    kernels is a cautious guess between published slowdowns of a third and of two thirds; no GPU has confirmed it here.
    """
    engine = spec.engine
    if engine.max_num_seqs == 1:
        return Exact("one request at a time", throughput_factor=1.0, factor_is="assumed")
    alone = "or set engine.max_num_seqs: 1 (one request at a time), or leave `determinism: any`"
    if spec.gpu is None:
        because = "the CPU build has no kernels whose order of adding is free of the batch"
        return NotExact("gpu", because, f"name a GPU class that has them, {alone}")
    if _INVARIANT_GPUS.match(spec.gpu.lower()) is None:
        because = f"vLLM is not known to have batch-invariant kernels for `{spec.gpu}`"
        return NotExact(
            "gpu", because, f"serve it on NVIDIA from compute capability 8.0 on or AMD from gfx90a on, {alone}"
        )
    if engine.quantization in _VARIANT_FORMATS:
        because = f"vLLM has no batch-invariant kernels for `{engine.quantization}` weights"
        return NotExact("engine.quantization", because, f"take fp8 or unquantised weights, {alone}")
    return Exact("batch-invariant kernels", throughput_factor=0.6, factor_is="assumed")


def variant_format(config: Mapping[str, Any]) -> str | None:
    """Return the weights' format, from a folder's `config.json`, where no kernel adds it up in a fixed order; None: some do.

    A spec rarely names the format, since vLLM finds it in the folder; so the folder is asked before an exact engine starts.
    """
    quantized = config.get("quantization_config") or {}
    method = str(quantized.get("quant_method") or "")
    if method in _VARIANT_FORMATS:
        return method
    # compressed-tensors: integers beside activations that are not quantised go to Marlin.
    for group in (quantized.get("config_groups") or {}).values():
        weights = group.get("weights") or {}
        if weights.get("type") == "int" and group.get("input_activations") is None:
            return f"{method}, integers of {weights.get('num_bits')} bits"
    return None


def made_exact(spec: ModelSpec) -> ModelSpec:
    """Return the spec with the settings that an exact lane forces on its model, whatever the spec says of them.

    One at a time, a hit in the prefix cache would still change what is computed, and with it the last bits: so no such cache.
    Batch-invariant kernels give the same bits either way; where they do not, vLLM turns the cache off itself.
    """
    verdict = exactness(spec)
    if isinstance(verdict, NotExact):
        raise ValueError(f"{spec.name}: {verdict.field}: {verdict.because}")  # noqa: TRY004 - the value is wrong, not its type
    alone = verdict.kept_by == "one request at a time"
    forced = {"enable_prefix_caching": False} if alone else {"batch_invariant": True}
    return spec.model_copy(update={"engine": spec.engine.model_copy(update=forced)})
