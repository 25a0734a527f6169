"""What the rest of the system may know of a model: where it comes from, what it can take, how its engine is set up."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class EngineSpec(BaseModel):
    """Engine arguments, in vLLM's own words. None leaves vLLM's default. GPU and CPU set-ups differ: see `docs/models.md`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    enforce_eager: bool = False
    block_size: int | None = None
    kv_cache_gib: float | None = Field(
        default=None, gt=0, description="KV cache in GiB; CPU builds need it, GPU builds measure it"
    )
    gpu_memory_utilization: float | None = Field(default=None, gt=0, le=1)
    max_num_seqs: int | None = Field(default=None, ge=1)
    max_num_batched_tokens: int | None = Field(default=None, ge=1)
    stream_interval: int = Field(default=1, ge=1, description="tokens between two pieces of a stream")
    tensor_parallel_size: int = Field(default=1, ge=1)
    pipeline_parallel_size: int = Field(default=1, ge=1)
    quantization: str | None = None
    tool_call_parser: str | None = None
    reasoning_parser: str | None = None


class ModelSpec(BaseModel):
    """An open-weight model that a private lane serves.

    `folder` is its safetensors folder below the models folder. `source` says how `make setup` or `lane models fetch` gets it there.
    `context_tokens` is prompt and answer together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    family: Literal["llama", "mistral", "mixtral", "qwen2.5", "qwen3", "qwen3-moe"]
    source: str
    folder: str
    licence: str
    context_tokens: int = Field(ge=256)
    engine: EngineSpec = EngineSpec()
    replicas: int = Field(default=1, ge=1)
    cpus_per_replica: float = Field(default=1, ge=0)
    gpus_per_replica: float = Field(default=0, ge=0)
    max_ongoing_requests: int = Field(default=128, ge=1)
