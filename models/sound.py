"""Can this spec be served as it is written? Each field that stands against another, with what to do.

Above all: what helps on a CPU must not reach a GPU, where it costs most of the speed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from models.spec import ModelSpec

_LONGEST_GPU_INTERVAL: Final = 4
"""Tokens between two pieces of a stream that a GPU may be given: readers notice more, and gain nothing."""


@dataclass(frozen=True, slots=True)
class SpecFault:
    """A field of a spec that can't stay: `field` is its path below the model's entry."""

    field: tuple[str, ...]
    because: str
    mend: str


def spec_faults(spec: ModelSpec) -> tuple[SpecFault, ...]:
    """Return what is wrong with a spec, in the order of its fields; nothing where it can be served."""
    return (*_names(spec), *_parallel(spec), *(_cpu_settings(spec) if spec.gpu is not None else ()))


def _names(spec: ModelSpec) -> Iterator[SpecFault]:
    if ":" in spec.name:
        yield SpecFault(("name",), "a colon parts a model's name from its adapter's", "name the model without one")
    names = [adapter.name for adapter in spec.adapters]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield SpecFault(("adapters",), f"adapter `{name}` is there twice", "give each a name of its own")
    for name in sorted({name for name in names if ":" in name}):
        yield SpecFault(("adapters",), f"adapter `{name}`: a colon parts the names", "name the adapter without one")
    if spec.adapters and spec.task == "embed":
        yield SpecFault(("adapters",), "adapters are for models that generate", "leave them out")


def _parallel(spec: ModelSpec) -> Iterator[SpecFault]:
    ranks = spec.engine.tensor_parallel_size * spec.engine.pipeline_parallel_size
    if spec.gpu is None and spec.gpus_per_replica:
        yield SpecFault(("gpus_per_replica",), "GPUs of which class?", "name it under `gpu` (`lane models fit --help`)")
    if spec.gpu is not None and spec.gpus_per_replica not in {0, ranks}:
        because = f"{spec.gpus_per_replica:g} GPUs for {ranks} rank(s): tensor_parallel_size x pipeline_parallel_size"
        yield SpecFault(("gpus_per_replica",), because, f"leave it out, or say {ranks}")
    if spec.gpu is None and spec.engine.pipeline_parallel_size > 1:
        because = "a pipeline runs on GPUs: vLLM's Ray workers know no CPU"
        yield SpecFault(("engine", "pipeline_parallel_size"), because, "leave it out, or name a `gpu`")


def _cpu_settings(spec: ModelSpec) -> Iterator[SpecFault]:
    """Settings that are there for CPUs. Each would start on a GPU and serve, slowly."""
    engine = spec.engine
    if engine.dtype == "float32":
        yield _cpu_only("dtype", "float32 halves the cache and leaves the matrix units idle")
    if engine.enforce_eager:
        yield _cpu_only("enforce_eager", "without CUDA graphs most of the speed is gone")
    if engine.block_size is not None:
        yield _cpu_only("block_size", "vLLM takes the size that its attention kernel wants")
    if engine.kv_cache_gib is not None:
        because = "vLLM measures what memory is left; a fixed size wastes it"
        yield _cpu_only("kv_cache_gib", because, "leave it out; `gpu_memory_utilization` limits it")
    if engine.stream_interval > _LONGEST_GPU_INTERVAL:
        because = f"{engine.stream_interval} tokens at a time save processor time where the engine shares its cores"
        yield _cpu_only("stream_interval", because, f"leave it out, or say at most {_LONGEST_GPU_INTERVAL}")


def _cpu_only(field: str, because: str, mend: str = "leave it out") -> SpecFault:
    return SpecFault(("engine", field), f"a setting for CPUs beside `gpu`: {because}", mend)
