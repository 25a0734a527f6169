"""How is a model of the catalogue served on these GPUs: which weights, how many replicas, in which layout, with which engine arguments?

The smallest replica that still holds a few whole requests is taken, and as many of it as the GPUs allow: each needs the least talk between
GPUs, and one that fails takes the least with it.
"""

from dataclasses import dataclass
from typing import Final

from models.catalogue.entry import Argument, Entry, Setup
from models.catalogue.load import engine_for
from models.errors import DoesNotFit, UnknownEntry
from models.fit import VLLM_UTILIZATION, Fit, NoLayout, Wish, fit, layouts, remedies
from models.gpus import CPU, Gpu, GpuCount
from models.memory import KvFormat, Layout, Precision
from models.spec import EngineSpec, ModelSpec

USUAL_CONTEXT: Final = 32_768
"""Prompt and answer, where nobody asks for another: enough for most documents, and a cache that still holds many requests."""

FEW_REQUESTS: Final = 4
"""A replica should hold so many requests of the whole context at once."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A spec for `models.yaml`, and why its fields have their values: dotted name to reason."""

    spec: ModelSpec
    because: dict[str, str]


def wish_for(
    entry: Entry, gpu: Gpu, context: int | None = None, precision: Precision | None = None, kv: KvFormat = "bf16"
) -> Wish:
    """Return what serving this model on that class asks for, by the engine arguments that it would get there."""
    arguments = {name: argument.value for name, argument in engine_for(entry, gpu.name).items()}
    engine = EngineSpec.model_validate(arguments)
    setup = entry.setup_for(gpu.name)
    return Wish(
        context=context or min(entry.architecture.context, USUAL_CONTEXT),
        precision=precision or (setup.precision if setup else entry.published_precision),
        kv=kv,
        sequences=engine.max_num_seqs or 256,
        batched_tokens=engine.max_num_batched_tokens or 8192,
        utilization=engine.gpu_memory_utilization or VLLM_UTILIZATION,
    )


def choose(entry: Entry, gpus: GpuCount | None, context: int | None = None) -> Choice:
    """Return how to serve an entry on these GPUs, or on CPUs. Raises `UnknownEntry` where the catalogue has no way, `DoesNotFit`."""
    name = gpus.gpu.name if gpus else CPU
    setup = entry.setup_for(name)
    if setup is None:
        on = ", ".join(name for one in entry.setups for name in one.gpus)
        because = f"it is served on {on}" if on else "it is there to size, not to serve"
        raise UnknownEntry(f"the catalogue does not say how {entry.name} is served on {name}: {because}")
    if gpus is None:
        chosen = Layout()
        replicas, room = 1, ""
        tokens = context or min(entry.architecture.context, 4096)
    else:
        best = _smallest(entry, gpus, context, entry.variants[setup.precision].block)
        chosen, replicas, tokens = best.layout, gpus.count // best.layout.gpus, best.wish.context
        room = f"{int(best.largest_batch.value)} requests of {tokens:,} tokens fit a replica"
    return _written(entry, setup, name, chosen, replicas, tokens, room)


def _smallest(entry: Entry, gpus: GpuCount, context: int | None, block: int) -> Fit:
    """Return the smallest layout with room for a few requests; where none has it, the one with most room."""
    architecture, wish = entry.architecture, wish_for(entry, gpus.gpu, context)
    found: list[Fit] = []
    for layout in layouts(architecture, gpus.count, block):
        match layout:
            case Layout():
                found.append(fit(architecture, gpus.gpu, layout, wish))
            case NoLayout():
                pass
    for one in found:
        if one.largest_batch.value >= FEW_REQUESTS:
            return one
    best = max(found, key=lambda one: one.largest_batch.value)
    if not best.fits:
        lacking = min(one.short_bytes for one in found) / 1024**3
        would = "; ".join(remedies(architecture, gpus.gpu, gpus.count, wish, block)) or "nothing that was tried"
        raise DoesNotFit(
            f"{entry.name} in {wish.precision} with {wish.context:,} tokens lacks {lacking:.1f} GiB a GPU on {gpus.count} × "
            f"{gpus.gpu.title}. What would do: {would}"
        )
    return best


def _written(entry: Entry, setup: Setup, gpu: str, layout: Layout, replicas: int, context: int, room: str) -> Choice:
    arguments = engine_for(entry, gpu)
    if layout.tensor > 1:
        why = f"the smallest number of GPUs with room for the weights and a few requests: {room}"
        arguments = {**arguments, "tensor_parallel_size": Argument(value=layout.tensor, because=why)}
    if layout.pipeline > 1:
        why = "its layers can't be split further"
        arguments = {**arguments, "pipeline_parallel_size": Argument(value=layout.pipeline, because=why)}
    engine = EngineSpec.model_validate({name: argument.value for name, argument in arguments.items()})
    spec = ModelSpec.model_validate(
        {
            "name": entry.name,
            "family": entry.family,
            "source": entry.variants[setup.precision].source,
            "folder": entry.name if gpu == CPU or setup.precision == "bf16" else f"{entry.name}-{setup.precision}",
            "licence": entry.licence,
            "context_tokens": context,
            "catalogue": entry.name,
            "gpu": None if gpu == CPU else gpu,
            "engine": engine,
            "replicas": replicas,
            "cpus_per_replica": 1 if gpu == CPU else 1 + layout.gpus,
            "gpus_per_replica": 0 if gpu == CPU else layout.gpus,
            "max_ongoing_requests": engine.max_num_seqs or 128,
        }
    )
    reasons = {f"engine.{name}": argument.because for name, argument in arguments.items()}
    reasons |= {
        "source": f"{setup.precision}: {setup.because}",
        "context_tokens": f"prompt and answer; the model takes {entry.architecture.context:,}",
    }
    if gpu != CPU:
        reasons |= {
            "replicas": f"{layout.name} each: {room}",
            "cpus_per_replica": "one for the engine's own loop, one for each GPU's worker",
            "max_ongoing_requests": "as many as the engine works on at once; more wait at the door, where another lane can take them",
        }
    return Choice(spec, reasons)
