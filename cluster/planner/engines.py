"""Which ways are there to run this model on this class of GPUs, and how fast is each? Measured where there is a profile, else reckoned.

A profile of that model on that class counts for the layout that it was measured with, and corrects the roofline of the others.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cluster.planner.answer import Ground
from cluster.planner.capacity import Option
from cluster.planner.efficiencies import calibration
from cluster.planner.exact import ExactSteps
from cluster.planner.layouts import measured, options_of
from cluster.planner.load import Trace
from cluster.planner.price import Offer
from cluster.planner.profiles import Chosen, Wanted, choose_profile
from cluster.planner.simulate import Routing
from cluster.profile import Profile, profiles_of
from models.catalogue import Entry, engine_for, find_model
from models.errors import UnknownEntry, UnknownGpu, UnknownPrecision
from models.exactness import Exact, exactness
from models.fit import VLLM_UTILIZATION, Wish
from models.gpus import CPU, Gpu, parse_gpus
from models.memory import KvFormat, Precision, published_precision, read_kv_format, read_precision
from models.spec import ModelSpec
from router.bundle.files import LaneSpec
from router.errors import BadRequest

_SEQUENCES: Final = 256
_BATCHED_TOKENS: Final = 8192
_NARROW: Final[frozenset[Precision]] = frozenset({"fp8", "fp4", "mxfp4"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to run where. `precision` and `kv` None: what the catalogue serves there, and what the engine does by default.

    `tensor`: this tensor parallelism alone is looked at. `weights_hash`: that of the model's folder on this machine, where it has one.
    """

    model: str
    gpu: str
    trace: Trace
    precision: str | None = None
    kv: str | None = None
    max_gpus: int = 8
    tensor: int | None = None
    weights_hash: str | None = None


@dataclass(frozen=True, slots=True)
class Ways:
    """The layouts that fit, those that don't with why, prices, and where the numbers come from."""

    gpu: str
    trace: Trace
    options: tuple[Option, ...]
    unfit: tuple[tuple[str, str], ...]
    usd_per_gpu_hour_assumed: float | None
    offers: tuple[Offer, ...]
    routing: Routing
    grounds: tuple[Ground, ...]
    notes: tuple[str, ...] = ()
    profile: Profile | None = None


def ways_to_run(asked: Asked, models: Collection[ModelSpec], lanes: Collection[LaneSpec], profiles: Path) -> Ways:
    """Find them. Raises `BadRequest` for a model or class that nobody knows, and for `cpu` without a profile."""
    spec = next((model for model in models if model.name == asked.model), None)
    routing: Routing = spec.spread if spec is not None else "balanced"
    offers = tuple(
        Offer(lane.name, lane.model_name, lane.price.input_usd, lane.price.output_usd)
        for lane in lanes
        if lane.is_hosted and (lane.price.input_usd or lane.price.output_usd)
    )
    if asked.gpu.strip().lower() == CPU:
        chosen = choose_profile(profiles_of(profiles, asked.model), _wanted_on_cpus(asked, spec))
        profile = chosen.profile
        if profile is None:
            unsuited = f" that suits ({'; '.join(chosen.passed_over)})" if chosen.passed_over else ""
            raise BadRequest(
                f"what {asked.model} does on CPUs must be measured, and {profiles / asked.model} holds no profile of it{unsuited}: "
                f"lane bench run {asked.model} --sweep",
                "--gpu",
            )
        trace, notes = _within(asked.trace, spec.context_tokens if spec is not None else None)
        option = _kept_exact(measured(profile), spec, lanes)
        return Ways(CPU, trace, (option,), (), None, offers, routing, _grounds(chosen, priced=False), notes, profile)
    entry, gpu, most = _known(asked, spec)
    trace, notes = _within(asked.trace, entry.architecture.context)
    wish = _wish(asked, spec, entry, gpu, trace)
    chosen = choose_profile(profiles_of(profiles, asked.model), _wanted(asked, spec, entry, gpu, wish))
    profile = chosen.profile
    options, unfit = options_of(entry, gpu, most, wish, profile)
    if asked.tensor is not None:
        options = [option for option in options if option.layout.partition("×")[0] == f"TP{asked.tensor}"]
    return Ways(
        gpu=gpu.name,
        trace=trace,
        options=tuple(_kept_exact(option, spec, lanes) for option in options),
        unfit=tuple(unfit),
        usd_per_gpu_hour_assumed=gpu.usd_per_hour_assumed,
        offers=offers,
        routing=routing,
        grounds=(*_grounds(chosen, priced=True), *_memory_grounds(entry, gpu, wish)),
        notes=(*notes, *_cache_note(asked, spec, wish)),
        profile=profile,
    )


def _known(asked: Asked, spec: ModelSpec | None) -> tuple[Entry, Gpu, int]:
    name = asked.model if spec is None or spec.catalogue is None else spec.catalogue
    try:
        count = parse_gpus(asked.gpu)
        entry = find_model(name)
    except (UnknownGpu, UnknownEntry) as error:
        raise BadRequest(str(error)) from error
    return entry, count.gpu, count.count if ":" in asked.gpu else asked.max_gpus


def _within(trace: Trace, context_tokens: int | None) -> tuple[Trace, tuple[str, ...]]:
    """Leave out what the model can't take at all: the lane refuses it."""
    if context_tokens is None:
        return trace, ()
    kept = trace.within(context_tokens)
    if kept is None:
        raise BadRequest(f"every request of the load is longer than the model's context of {context_tokens:,} tokens")
    left_out = len(trace.requests) - len(kept.requests)
    if not left_out:
        return trace, ()
    return kept, (f"{left_out} requests are longer than the model's context of {context_tokens:,} tokens: left out",)


def _wish(asked: Asked, spec: ModelSpec | None, entry: Entry, gpu: Gpu, trace: Trace) -> Wish:
    """Return what one engine is to hold. `--precision fp8` is meant as published tables mean it: weights and cache.

    Without it the cache is in the format that the bundle or the catalogue sets, which is mostly 16 bits.
    """
    arguments = {name: argument.value for name, argument in engine_for(entry, gpu.name).items()}
    precision = _precision(asked, entry, gpu)
    own = spec.engine.kv_cache_dtype if spec is not None else str(arguments.get("kv_cache_dtype", "auto"))
    if asked.precision is not None and own == "auto" and precision in _NARROW and "fp8" in gpu.flops:
        own = "fp8"
    return Wish(
        context=max(request.prompt_tokens + request.output_tokens for request in trace.requests),
        precision=precision,
        kv=_read_kv(asked.kv or own),
        sequences=int(arguments.get("max_num_seqs", _SEQUENCES)),
        batched_tokens=int(arguments.get("max_num_batched_tokens", _BATCHED_TOKENS)),
        utilization=float(arguments.get("gpu_memory_utilization", VLLM_UTILIZATION)),
    )


def _wanted(asked: Asked, spec: ModelSpec | None, entry: Entry, gpu: Gpu, wish: Wish) -> Wanted:
    own = replace(asked, precision=None)
    engine = None if spec is None else spec.engine
    return Wanted(
        gpu=gpu.name,
        precision=wish.precision,
        own_precision=_precision(own, entry, gpu),
        kv=wish.kv,
        engine=engine,
        weights_hash=asked.weights_hash,
    )


def _wanted_on_cpus(asked: Asked, spec: ModelSpec | None) -> Wanted:
    """Return what is asked of a profile where nothing can be reckoned: formats count where they are named."""
    return Wanted(
        gpu=CPU,
        precision=None if asked.precision is None else _read_precision(asked.precision),
        kv=None if asked.kv is None else _read_kv(asked.kv),
        engine=None if spec is None else spec.engine,
        weights_hash=asked.weights_hash,
    )


def _precision(asked: Asked, entry: Entry, gpu: Gpu) -> Precision:
    """Return the precision that is asked for, else the one that the catalogue serves there, else the published weights'."""
    if asked.precision is not None:
        return _read_precision(asked.precision)
    setup = entry.setup_for(gpu.name)
    return setup.precision if setup is not None else published_precision(entry.architecture)


def _read_precision(text: str) -> Precision:
    try:
        return read_precision(text)
    except UnknownPrecision as error:
        raise BadRequest(str(error), "--precision") from error


def _read_kv(text: str) -> KvFormat:
    try:
        return read_kv_format(text)
    except UnknownPrecision as error:
        raise BadRequest(str(error), "--kv") from error


def _cache_note(asked: Asked, spec: ModelSpec | None, wish: Wish) -> tuple[str, ...]:
    if wish.kv != "fp8" or asked.kv is not None or (spec is not None and spec.engine.kv_cache_dtype != "auto"):
        return ()
    return (
        "planned with an FP8 cache, as FP8 figures are published: set engine.kv_cache_dtype: fp8, or plan with --kv bf16",
    )


def _kept_exact(option: Option, spec: ModelSpec | None, lanes: Collection[LaneSpec]) -> Option:
    """Return the option at the speed that a lane with `determinism: exact` leaves it."""
    if spec is None or not any(lane.determinism == "exact" and lane.base_model == spec.name for lane in lanes):
        return option
    how = exactness(spec)
    return replace(option, times=ExactSteps(option.times, how)) if isinstance(how, Exact) else option


def _grounds(chosen: Chosen, *, priced: bool) -> tuple[Ground, ...]:
    if (profile := chosen.profile) is not None:
        knee = "" if profile.knee_concurrency is None else f", measured knee {profile.knee_concurrency:.0f}"
        said = (
            f"fitted to the profile of {profile.at}: {len(profile.points)} levels measured at the {profile.side}{knee}"
        )
        if chosen.differences:
            said += f"; measured with {', '.join(chosen.differences)}"
    else:
        found = calibration()
        said = (
            f"roofline, fitted to {found.rows} published figures, most of them TensorRT-LLM's: an upper anchor for vLLM; "
            f"pairs of model and GPU held out were off by {found.median_error:.0%} at the median"
        )
    if chosen.passed_over:
        said += f"; profiles passed over: {'; '.join(chosen.passed_over)}"
    steps = Ground(what="step times", provenance="fitted", source=said)
    queues = Ground(
        what="waits and queues",
        provenance="computed",
        source="simulation of the engine's scheduler over the load, requests shared out among the replicas",
    )
    price = Ground(
        what="price of a GPU hour", provenance="assumed", source="models/ (GPU classes); yours: --usd-per-gpu-hour"
    )
    return (steps, queues, price) if priced else (steps, queues)


def _memory_grounds(entry: Entry, gpu: Gpu, wish: Wish) -> tuple[Ground, ...]:
    return (
        Ground(
            what="weights and KV cache",
            provenance="computed",
            source=f"{entry.title}'s config.json, {wish.precision} weights, {wish.kv} cache; {gpu.source}",
        ),
    )
