"""What throughput, and what waiting, does one engine settle at under a constant load? In closed form, for tables of published figures.

`requests at once` stay open; each reads its prompt, then takes one token a step. In the steady state a step carries as many
prompt tokens as are finished answers' worth: so a token takes a step, and its share of the others' prompts.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from cluster.planner.efficiencies import Calibration
from cluster.planner.roofline import Roofline, roofline
from models.catalogue import find_model
from models.errors import ModelError
from models.fit import VLLM_UTILIZATION, Fit, Wish, fit, impossible
from models.gpus import find_gpu
from models.memory import GIB, KvFormat, Layout, Precision, read_precision
from router.errors import RouterError

COLUMNS: Final = ("model", "gpu", "gpu_count", "parallelism", "precision", "isl", "osl", "concurrency_or_batch")
_BUDGET_TOKENS: Final = 8192
"""Tokens that a step takes at most, as engines are set up for throughput."""

_TIGHTEST: Final = 0.97
"""Share of a GPU's memory that published runs were seen to take where vLLM's default does not hold the model."""

_LAYOUT: Final = re.compile(r"(TP|DEP|DP|EP|PP)(\d+)", re.IGNORECASE)


class RowUnreadable(RouterError):
    """A row can't be predicted; the message says which field is why."""

    code = "row_unreadable"
    exit_code = 2


@dataclass(frozen=True, slots=True)
class Case:
    """What a row asks. `at_once`: requests open all the time, of all copies together; None is as many as memory holds.

    `static`: the batch is filled once, read, and answered to the end before the next. `copies`: whole engines side by side.
    """

    model: str
    gpu: str
    precision: Precision
    kv: KvFormat
    layout: Layout
    copies: int
    input_tokens: int
    output_tokens: int
    at_once: int | None
    static: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """The steady state of all copies together; `interval` holds nine of ten figures, as far as the calibration has seen."""

    output_tokens_per_second: float
    ttft_seconds: float
    tpot_seconds: float
    concurrency: float
    interval: tuple[float, float]


def read_case(row: Mapping[str, str | None]) -> Case:
    """Read one row of a table of figures. Raises `RowUnreadable`."""
    for column in COLUMNS:
        if row.get(column) is None:
            raise RowUnreadable(f"{column}: the column is missing; a row has {', '.join(COLUMNS)}")
    text = {column: str(row[column]).strip() for column in COLUMNS}
    try:
        entry, gpu = find_model(text["model"]), find_gpu(text["gpu"])
        precision = read_precision(text["precision"])
    except ModelError as error:
        raise RowUnreadable(str(error)) from error
    count = _number("gpu_count", text["gpu_count"])
    if entry.published_precision == "mxfp4" and precision in {"fp8", "fp4"}:
        precision = "mxfp4"  # What is called FP8 of these models is the format of activations and cache.
    layout, copies = _layout(text["parallelism"], count, entry.name, gpu.name, precision)
    if because := impossible(entry.architecture, layout):
        raise RowUnreadable(f"parallelism: {entry.name} can't be shared as {layout.name}: {because}")
    load = text["concurrency_or_batch"]
    found = re.search(r"\d+", load)
    return Case(
        model=entry.name,
        gpu=gpu.name,
        precision=precision,
        kv="fp8" if read_precision(text["precision"]) in {"fp8", "fp4", "mxfp4"} else "bf16",
        layout=layout,
        copies=copies,
        input_tokens=_number("isl", text["isl"]),
        output_tokens=_number("osl", text["osl"]),
        at_once=max(1, int(found.group())) if found else None,
        static="batch" in load.lower(),
    )


def _number(column: str, text: str) -> int:
    """Read a positive whole number; words beside it ("OpenOrca ~294") are let be."""
    found = re.findall(r"\d+(?:\.\d+)?", text.replace(",", ""))
    if len(found) != 1 or float(found[0]) < 1:
        raise RowUnreadable(f"{column}: {text!r} holds no single number of at least 1")
    return round(float(found[0]))


def _layout(text: str, count: int, model: str, gpu: str, precision: Precision) -> tuple[Layout, int]:
    """Return one engine's layout and how many of them there are. Where the row does not say: the smallest TP that holds the model."""
    named = {kind.upper(): int(ranks) for kind, ranks in _LAYOUT.findall(text)}
    if not named:
        tensor = next(
            (ranks for ranks in (1, 2, 4, 8) if count % ranks == 0 and _room(model, gpu, precision, Layout(ranks))),
            count,
        )
        return Layout(tensor), count // tensor
    data = named.get("DEP", named.get("EP", 1))
    layout = Layout(named.get("TP", 1), named.get("PP", 1), data)
    if count % layout.gpus:
        raise RowUnreadable(f"parallelism: {text} takes {layout.gpus} GPUs, gpu_count is {count}")
    return layout, count // layout.gpus


def _room(model: str, gpu: str, precision: Precision, layout: Layout) -> bool:
    entry = find_model(model)
    return fit(entry.architecture, find_gpu(gpu), layout, Wish(context=2048, precision=precision, kv="fp8")).fits


def engine_of(case: Case, calibration: Calibration) -> Roofline:
    """Return the engine that a case speaks of. Raises `RowUnreadable` where its GPUs can't hold the model and one request."""
    factors = calibration.factors
    entry, gpu = find_model(case.model), find_gpu(case.gpu)
    found = _fit(case, case.input_tokens + math.ceil(case.output_tokens * factors.reserved))
    engine = roofline(case.model, entry.architecture, gpu, found, calibration)
    if case.static:
        engine = replace(engine, speed=engine.speed * factors.static_throughput, collectives=factors.static_collectives)
    return replace(engine, max_batch=int(factors.most_sequences) * case.layout.data)


@lru_cache(maxsize=4096)
def _fit(case: Case, context: int) -> Fit:
    """Return what one GPU of a case holds. Cached: a fit of the factors asks for the same few hundred again and again."""
    architecture, gpu = find_model(case.model).architecture, find_gpu(case.gpu)
    wish = Wish(context=context, precision=case.precision, kv=case.kv, sequences=64, batched_tokens=_BUDGET_TOKENS)
    found = fit(architecture, gpu, case.layout, replace(wish, utilization=VLLM_UTILIZATION))
    if not found.fits:
        found = fit(architecture, gpu, case.layout, replace(wish, utilization=_TIGHTEST))
    if found.fits:
        return found
    missing = found.short_bytes / GIB
    raise RowUnreadable(
        f"{case.model} on {case.gpu} as {case.layout.name}: a GPU lacks {missing:.1f} GiB for one request"
    )


def settle(case: Case, engine: Roofline) -> Settled:
    """Return the steady state of a case on its engine (one of `copies`).

    tpot = step(batch) + batch / osl prompts a step: in the time of one answer each other sequence reads one prompt and gives osl tokens.
    """
    held = engine.kv_capacity_tokens / (case.input_tokens + case.output_tokens * engine.factors.reserved)
    asked = math.inf if case.at_once is None else case.at_once / case.copies
    ranks = case.layout.data
    # A step's token budget lets in only so many prompts: where more wait than that, sequences end as fast as others begin.
    budget = _BUDGET_TOKENS * ranks * case.output_tokens / (case.input_tokens + case.output_tokens)
    batch = max(1.0, min(held, engine.max_batch, asked, math.inf if case.static else max(budget, ranks)))
    context = case.input_tokens + case.output_tokens / 2
    step = engine.decode_seconds(batch, batch * context)
    prompt = engine.prompt_seconds(case.input_tokens, _BUDGET_TOKENS)
    tpot = step + prompt * batch / ranks / case.output_tokens
    throughput = case.copies * batch / tpot
    # A prompt that arrives waits for half a step and is read; what is asked beyond the batch queues for a place in it.
    queue = 0.0 if math.isinf(asked) else max(0.0, asked - batch) / batch * tpot * case.output_tokens
    alone = engine.prefill_seconds(min(case.input_tokens, _BUDGET_TOKENS), 0)
    ttft = tpot / 2 + max(prompt, alone) + queue
    error = engine.error_factor
    return Settled(throughput, ttft, tpot, batch * case.copies, (throughput / error, throughput * error))
