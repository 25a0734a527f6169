"""What the rest of the system may know of a model: where it comes from, what it can take, how its engine is set up."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class EngineSpec(BaseModel):
    """Engine arguments, in vLLM's own words. None leaves vLLM's default. GPU and CPU set-ups differ: see `docs/models.md`.

    `stall_seconds` is ours: an engine that shows no sign of life for so long is replaced (`docs/scaling.md`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    enforce_eager: bool = False
    block_size: int | None = None
    kv_cache_gib: float | None = Field(
        default=None, gt=0, description="KV cache in GiB; CPU builds need it, GPU builds measure it"
    )
    gpu_memory_utilization: float | None = Field(default=None, gt=0, le=1)
    max_num_seqs: int | None = Field(default=None, ge=1)
    max_num_batched_tokens: int | None = Field(
        default=None,
        ge=1,
        description="tokens of one step; a longer prompt is read in pieces, between other answers' tokens",
    )
    enable_prefix_caching: bool | None = Field(
        default=None, description="whether beginnings that are known are not read again"
    )
    kv_cache_dtype: Literal["auto", "fp8", "fp8_e4m3", "fp8_e5m2"] = Field(
        default="auto", description="fp8 halves the cache of a bfloat16 model, at some loss of precision"
    )
    batch_invariant: bool = Field(
        default=False, description="set by `determinism: exact` of a lane: see docs/serving.md"
    )
    stream_interval: int = Field(default=1, ge=1, description="tokens between two pieces of a stream")
    tensor_parallel_size: int = Field(default=1, ge=1)
    pipeline_parallel_size: int = Field(default=1, ge=1)
    quantization: str | None = None
    tool_call_parser: str | None = None
    reasoning_parser: str | None = None
    stall_seconds: float = Field(
        default=60,
        ge=10,
        description="an engine silent for so long hangs; five times its longest step where that is more",
    )


class Adapter(BaseModel):
    """A LoRA adapter of a model: safetensors in a folder below the models folder, served beside the base by the same engine."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    folder: str
    max_rank: int = Field(default=16, ge=1, le=512)


class Scaling(BaseModel):
    """How many replicas run, and what makes it more or fewer. `lane plan --apply` derives it from a measured profile.

    `target_ongoing_requests` is what one replica should have open: its knee. `spare_replicas` run beyond what the load needs, so that
    one may be lost (N+1). `kv_use` is the share of the KV cache above which a replica counts as full, whatever it has open.
    `start_seconds` is how long a replica was seen to take from nothing to its first answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_replicas: int = Field(default=1, ge=0)
    max_replicas: int = Field(default=1, ge=1)
    initial_replicas: int | None = Field(default=None, ge=0, description="how many start first; None: min_replicas")
    spare_replicas: int = Field(default=0, ge=0)
    target_ongoing_requests: float = Field(default=16, gt=0)
    kv_use: float = Field(default=0.9, gt=0, le=1)
    upscale_delay_seconds: float = Field(default=10, ge=0)
    downscale_delay_seconds: float = Field(default=300, ge=0)
    start_seconds: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> "Scaling":
        if self.max_replicas < self.min_replicas:
            raise ValueError(f"max_replicas ({self.max_replicas}) is below min_replicas ({self.min_replicas})")
        if self.initial_replicas is not None and not self.min_replicas <= self.initial_replicas <= self.max_replicas:
            raise ValueError(f"initial_replicas ({self.initial_replicas}) is not between min_replicas and max_replicas")
        if self.spare_replicas and self.min_replicas <= self.spare_replicas:
            raise ValueError(
                f"min_replicas ({self.min_replicas}) must be above spare_replicas ({self.spare_replicas}): spares alone carry nothing"
            )
        return self


class ModelSpec(BaseModel):
    """An open-weight model that a private lane serves.

    `folder` is its safetensors folder below the models folder. `source` says how `make setup` or `lane models fetch` gets it there.
    `context_tokens` is prompt and answer together. `catalogue` names the entry that it was made from. `gpu` is the class of its GPUs
    (None: it runs on CPUs), `site` that of the nodes it runs on (None: any), `jurisdictions` the laws one of which those nodes are under
    (none: any); what its lanes claim is added. `replicas` counts where there is no `scaling`. `spread`: how replicas share the calls;
    `prefix` sends calls that begin alike to the same replica, whose cache then holds the beginning.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    family: Literal["llama", "mistral", "mixtral", "qwen2.5", "qwen3", "qwen3-moe", "bert"]
    source: str
    folder: str
    licence: str
    context_tokens: int = Field(ge=256)
    task: Literal["generate", "embed"] = "generate"
    catalogue: str | None = None
    gpu: str | None = None
    site: str | None = None
    jurisdictions: tuple[str, ...] = ()
    adapters: tuple[Adapter, ...] = ()
    spread: Literal["balanced", "prefix"] = "balanced"
    engine: EngineSpec = EngineSpec()
    scaling: Scaling | None = None
    replicas: int = Field(default=1, ge=1)
    cpus_per_replica: float = Field(default=1, ge=0)
    gpus_per_replica: float = Field(default=0, ge=0)
    max_ongoing_requests: int = Field(default=128, ge=1)

    @model_validator(mode="after")
    def _can_grow(self) -> "ModelSpec":
        if self.scaling is not None and self.scaling.target_ongoing_requests > self.max_ongoing_requests:
            raise ValueError(
                f"scaling.target_ongoing_requests ({self.scaling.target_ongoing_requests:g}) is above max_ongoing_requests "
                f"({self.max_ongoing_requests}): a replica never has so many open, and none would be added"
            )
        return self

    @property
    def gpus(self) -> float:
        """GPUs of one replica: one for each rank, where the spec names a class and no number."""
        if self.gpu is None or self.gpus_per_replica:
            return self.gpus_per_replica
        return self.engine.tensor_parallel_size * self.engine.pipeline_parallel_size

    @property
    def served_names(self) -> tuple[str, ...]:
        """What a lane may name: the model, and the model with each of its adapters."""
        return (self.name, *(f"{self.name}:{adapter.name}" for adapter in self.adapters))

    @property
    def least_replicas(self) -> int:
        """How many replicas there are at least: none where the model is scaled to nothing while nobody asks."""
        return self.replicas if self.scaling is None else self.scaling.min_replicas

    @property
    def first_replicas(self) -> int:
        """How many replicas start first."""
        initial = self.scaling.initial_replicas if self.scaling is not None else None
        return self.least_replicas if initial is None else initial

    @property
    def as_replica(self) -> "ModelSpec":
        """What one replica of it is, however many there are: two specs that agree in this are served by the same engines.

        On CPUs an engine binds its threads by whether it may have a neighbour, so that much of the numbers stays.
        """
        several = self.gpu is None and self.most_replicas > 1
        fields = type(self).model_fields
        return self.model_copy(
            update={
                "scaling": None,
                "replicas": 2 if several else 1,
                "max_ongoing_requests": fields["max_ongoing_requests"].default,
            }
        )

    def starting_with(self, replicas: int) -> "ModelSpec":
        """Return the model with at least so many replicas to start first, as far as its bounds allow; a fixed number stays."""
        if self.scaling is None:
            return self
        first = max(self.first_replicas, min(replicas, self.scaling.max_replicas))
        return self.model_copy(update={"scaling": self.scaling.model_copy(update={"initial_replicas": first})})

    @property
    def going_on(self) -> "ModelSpec":
        """The model as it is set while it runs: how many replicas start first is behind it."""
        if self.scaling is None:
            return self
        return self.model_copy(update={"scaling": self.scaling.model_copy(update={"initial_replicas": None})})

    @property
    def most_replicas(self) -> int:
        """How many replicas there are at most."""
        return self.replicas if self.scaling is None else self.scaling.max_replicas


def split_served_name(name: str) -> tuple[str, str | None]:
    """Return the model and the adapter that a served name stands for: `base:adapter` or `base`."""
    model, _, adapter = name.partition(":")
    return model, adapter or None
