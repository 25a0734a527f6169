"""How much of what hardware could do does an engine reach? A few factors, fitted to published figures by `python -m benchmarks.capacity`.

The fit is robust and pulled towards a prior (what the field reports), so that a factor which the figures say little about stays sensible.
"""

import math
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final

import yaml
from pydantic import Field

from router.contract import Frozen

FILE: Final = "efficiencies.yaml"


class Efficiencies(Frozen):
    """Shares are of the maker's figure; seconds are beside what arithmetic and memory take.

    memory, cache: of the bandwidth, reading weights and KV cache. matmul, experts: of the FLOPs, in dense layers, and of that in routed
    ones. fp4: of that again in four bits. attention: of the FLOPs, reading a prompt. link: of the bandwidth between GPUs.
    elementwise: how often a token's activations go to memory and back. step_seconds: a step, whatever is in it. sequence_seconds:
    each sequence of it. collective_seconds: the latency of one all-reduce or all-to-all. expert_prefill_seconds,
    expert_decode_seconds: a token in a layer with experts, beside its arithmetic. by_gpu: a class's own factor on `matmul`.
    by_model: a model's own factor on throughput: what its shape does not explain. most_sequences: in a step, if memory holds more.
    spread_throughput: what is left of throughput where experts are spread over data-parallel ranks: some ranks get more tokens than others.
    static_throughput, static_collectives: figures of fixed batches, from before continuous batching was common.
    reserved: the share of an answer's length for which the cache must have room when it begins.
    """

    memory: float = Field(gt=0, le=1)
    cache: float = Field(gt=0, le=1)
    matmul: float = Field(gt=0, le=1)
    experts: float = Field(gt=0, le=1)
    fp4: float = Field(gt=0, le=1)
    attention: float = Field(gt=0, le=1)
    link: float = Field(gt=0, le=1)
    elementwise: float = Field(gt=0)
    step_seconds: float = Field(gt=0)
    sequence_seconds: float = Field(gt=0)
    collective_seconds: float = Field(gt=0)
    expert_prefill_seconds: float = Field(gt=0)
    expert_decode_seconds: float = Field(gt=0)
    most_sequences: float = Field(gt=0)
    reserved: float = Field(gt=0, le=1)
    spread_throughput: float = Field(gt=0, le=1)
    static_throughput: float = Field(gt=0)
    static_collectives: float = Field(gt=0)
    by_gpu: dict[str, float] = Field(default_factory=dict)
    by_model: dict[str, float] = Field(default_factory=dict)


class Calibration(Frozen):
    """The fitted factors, and how far off they were for pairs of model and GPU that they had not seen.

    median_error: of the relative error, each pair held out. error_factor: nine of ten held-out figures were within it, either way.
    """

    source: str
    rows: int
    median_error: float
    error_factor: float
    factors: Efficiencies


@cache
def calibration() -> Calibration:
    """Return the factors that ship with this version."""
    text = resources.files("cluster.planner").joinpath(FILE).read_text(encoding="utf-8")
    return Calibration.model_validate(yaml.safe_load(text))


def perturbed(factors: Efficiencies, logarithms: Mapping[str, float]) -> Efficiencies:
    """Return the factors with some of them multiplied by e to the given power, shares kept at most 1. Names of groups are `by_gpu.h100`."""
    changed = factors.model_dump()
    for name, power in logarithms.items():
        group, _, member = name.partition(".")
        if member:
            changed[group][member] = changed[group].get(member, 1.0) * math.exp(power)
        else:
            most = 1.0 if name in SHARES else math.inf
            changed[name] = min(changed[name] * math.exp(power), most)
    return Efficiencies.model_construct(**changed)


SHARES: Final = frozenset(
    {"memory", "cache", "matmul", "experts", "fp4", "attention", "link", "reserved", "spread_throughput"}
)
