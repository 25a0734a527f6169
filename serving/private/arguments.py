"""Which engine arguments and which environment does a model's spec mean? In vLLM's words, and free of vLLM, so that any test can read them.

What the spec leaves open stays vLLM's own default.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from models.spec import ModelSpec
from serving.private.placement import executor_backend

_GIB: Final = 1024**3
_ADAPTER_RANKS: Final = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""The ranks that vLLM 0.32 has kernels for (`vllm/config/lora.py`); a smaller adapter is padded."""


def engine_settings(spec: ModelSpec, folder: Path, cpu: Mapping[str, object]) -> dict[str, Any]:
    """Return vLLM's engine arguments. `cpu`: what the processor can do, where the engine computes on one."""
    engine = spec.engine
    chosen: dict[str, Any] = {
        "block_size": engine.block_size,
        "kv_cache_memory_bytes": engine.kv_cache_gib and int(engine.kv_cache_gib * _GIB),
        "gpu_memory_utilization": engine.gpu_memory_utilization,
        "max_num_seqs": engine.max_num_seqs,
        "max_num_batched_tokens": engine.max_num_batched_tokens,
        "enable_prefix_caching": engine.enable_prefix_caching,
        "quantization": engine.quantization,
        "distributed_executor_backend": executor_backend(spec),
    }
    return {
        "model": str(folder),
        "served_model_name": [spec.name],
        "dtype": _dtype(engine.dtype, cpu),
        "kv_cache_dtype": engine.kv_cache_dtype,
        "max_model_len": spec.context_tokens,
        "enforce_eager": engine.enforce_eager,
        "stream_interval": engine.stream_interval,
        "tensor_parallel_size": engine.tensor_parallel_size,
        "pipeline_parallel_size": engine.pipeline_parallel_size,
        "reasoning_parser": engine.reasoning_parser or "",
        "trust_remote_code": False,
        "enable_log_requests": False,
        **_adapter_settings(spec),
        **{name: value for name, value in chosen.items() if value is not None},
    }


def _adapter_settings(spec: ModelSpec) -> dict[str, Any]:
    """All adapters stay loaded, and any mix of them may stand in one batch: none waits for another's turn."""
    if not spec.adapters:
        return {}
    largest = max(adapter.max_rank for adapter in spec.adapters)
    return {
        "enable_lora": True,
        "max_lora_rank": next(rank for rank in _ADAPTER_RANKS if rank >= largest),
        "max_loras": len(spec.adapters),
    }


def adapter_folders(spec: ModelSpec, folder: Path) -> dict[str, Path]:
    """Return the adapters' folders by served name. `folder` is the model's own: all lie below the same models folder."""
    models = folder.parents[len(Path(spec.folder).parts) - 1]
    return {f"{spec.name}:{adapter.name}": models / adapter.folder for adapter in spec.adapters}


def environment_settings(spec: ModelSpec) -> dict[str, str | None]:
    """Return what vLLM's processes read from the environment alone; None: it must not be there."""
    fixed_cache, uncompiled = spec.engine.kv_cache_gib is not None, spec.engine.enforce_eager
    on_gpu = spec.gpu is not None
    settings: dict[str, str | None] = {"VLLM_BATCH_INVARIANT": "1" if spec.engine.batch_invariant else None}
    if fixed_cache or on_gpu:
        settings["VLLM_CPU_KVCACHE_SPACE"] = None  # It would silently win over the model's own setting.
    if uncompiled or on_gpu:
        # vLLM compiles its sampling even then: the first call with logprobs was seen to take 29 s for it, 2 s without.
        settings["TORCHDYNAMO_DISABLE"] = None if on_gpu else "1"
    if not on_gpu and max(spec.replicas, spec.scaling.max_replicas if spec.scaling else 0) > 1:
        # Left to itself each engine of a machine binds its threads to the same cores.
        settings["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"
    return settings


def _dtype(asked: str, cpu: Mapping[str, object]) -> str:
    """Return the number format to compute in; `cpu` is empty on GPUs.

    `auto` is the weights' own, but float32 on an x86 CPU that can't multiply bfloat16: oneDNN needs AVX-512 for it; without, PyTorch falls
    back to plain loops. Measured on AVX2: a 2,041-token prompt took 78 s in bfloat16, 14 s in float32; eight tokens after a short one
    2.5 s and 0.6 s. float32 holds every bfloat16 weight exactly.
    """
    slow_bfloat16 = cpu.get("architecture") == "x86_64" and not cpu.get("avx512_bw")
    return "float32" if asked == "auto" and slow_bfloat16 else asked
