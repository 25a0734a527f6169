"""How many GPUs for this load at this level, what do people wait, what does it cost, and what if a node dies? With its grounds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from cluster.planner.answer import (
    Expected,
    Ground,
    Interval,
    LoadAnswer,
    NodeLost,
    OptionAnswer,
    Plan,
    Plateau,
    PriceAnswer,
    hosted_answer,
)
from cluster.planner.capacity import SIZING_REQUESTS, Capacity, Option, capacity_of
from cluster.planner.load import Trace
from cluster.planner.outcome import Outcome
from cluster.planner.price import Offer, cost_of
from cluster.planner.simulate import Fleet, Routing, simulate
from cluster.planner.sizing import Demand, Size, cheapest, machines_of, size_of
from cluster.planner.slo import Level

_A_REPLICA: Final = 400
_SHOWN_REQUESTS: Final = 20_000
_SHOWN_REPLICAS: Final = 48


@dataclass(frozen=True, slots=True)
class Question:
    """What is planned for. `trace` gives lengths, beginnings and rhythm; the rate is the demand's. `gpus_of_node`: what a machine holds."""

    model: str
    gpu: str
    trace: Trace
    demand: Demand
    level: Level
    options: tuple[Option, ...]
    gpus_of_node: int
    usd_per_gpu_hour: float | None
    offers: tuple[Offer, ...] = ()
    routing: Routing = "balanced"
    grounds: tuple[Ground, ...] = ()
    unfit: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def plan(question: Question) -> Plan:
    """Answer. A plan without replicas says why there is none."""
    capacities = [
        capacity
        for option in question.options
        if (capacity := capacity_of(option, question.trace, question.level, question.routing)) is not None
    ]
    size = cheapest(capacities, question.demand)
    options = tuple(_option(capacity, size_of(capacity, question.demand), question) for capacity in capacities)
    notes = [*question.notes, *(f"{layout}: {because}" for layout, because in question.unfit)]
    common = Plan(
        model=question.model,
        gpu=question.gpu,
        load=_load(question),
        slo={term.name: term.seconds for term in question.level.terms},
        options=options,
        grounds=question.grounds,
        notes=tuple(notes),
    )
    if size is None:
        return common.model_copy(update={"because": _why_none(capacities, question)})
    return _sized(common, size, question)


def _sized(common: Plan, size: Size, question: Question) -> Plan:
    capacity, demand = size.capacity, question.demand
    factor = capacity.option.times.error_factor
    outcome = _simulated(size, size.replicas, demand.requests_per_second, question)
    notes = [*common.notes, *_notes(size, outcome, question)]
    return common.model_copy(
        update={
            "layout": capacity.option.layout,
            "gpus_per_replica": capacity.option.gpus,
            "replicas": size.replicas,
            "guaranteed_replicas": size.guaranteed,
            "elastic_replicas": size.elastic,
            "spare_replicas": size.spare,
            "gpus": size.gpus,
            "guaranteed_gpus": size.guaranteed_gpus,
            "max_concurrency": capacity.max_concurrency,
            "requests_per_second_per_replica": capacity.requests_per_second,
            "knee_concurrency": capacity.knee.concurrency,
            "knee_concurrency_within_slo": capacity.knee_within_level,
            "target_ongoing_requests": max(1.0, capacity.knee_within_level),
            "expected": _expected(outcome, factor, max(1.0, size.replicas / _SHOWN_REPLICAS)),
            "plateau": _plateau(size, demand),
            "kv_headroom": 1 - outcome.kv_mean_share,
            "cost": _price(size, question),
            "node_lost": _node_lost(size, question),
            "notes": tuple(notes),
        }
    )


def _load(question: Question) -> LoadAnswer:
    trace, demand = question.trace, question.demand
    return LoadAnswer(
        requests_per_second=demand.requests_per_second,
        input_tokens=trace.mean_prompt_tokens,
        output_tokens=trace.mean_output_tokens,
        source=trace.source,
        restricted_share=demand.private_share,
        n_plus=demand.n_plus,
    )


def _option(capacity: Capacity, size: Size | None, question: Question) -> OptionAnswer:
    price = question.usd_per_gpu_hour
    return OptionAnswer(
        layout=capacity.option.layout,
        gpus_per_replica=capacity.option.gpus,
        max_concurrency=capacity.max_concurrency,
        knee_concurrency=capacity.knee.concurrency,
        knee_concurrency_within_slo=capacity.knee_within_level,
        plateau_requests_per_second=capacity.plateau_requests_per_second,
        requests_per_second_within_slo=capacity.requests_per_second,
        replicas=size and size.replicas,
        gpus=size and size.gpus,
        usd_per_hour=size.gpus * price if size and price is not None else None,
    )


def _simulated(size: Size, replicas: int, requests_per_second: float, question: Question) -> Outcome:
    """Serve the load with so many replicas; long enough to see a queue grow, short enough to wait for.

    Of a large fleet a part is simulated with its part of the load: more replicas to choose from than these change nothing that shows.
    """
    shown = min(replicas, _SHOWN_REPLICAS)
    trace = question.trace.first(min(_SHOWN_REQUESTS, max(SIZING_REQUESTS, _A_REPLICA * shown)))
    option = size.capacity.option
    fleet = Fleet(option.times, shown, option.limits, question.routing)
    return simulate(fleet, trace.at_rate(requests_per_second * shown / replicas))


def _plateau(size: Size, demand: Demand) -> Plateau:
    """Say what all replicas give at most, and how many it would take if the engine is as slow, or as fast, as its interval allows."""
    capacity, factor = size.capacity, size.capacity.option.times.error_factor
    tokens = size.replicas * capacity.knee.plateau
    slow, fast = (
        size_of(replace(capacity, requests_per_second=capacity.requests_per_second * by), demand)
        for by in (1 / factor, factor)
    )
    assert slow is not None
    assert fast is not None
    return Plateau(
        output_tokens_per_second=tokens,
        interval=(tokens / factor, tokens * factor),
        replicas_interval=(fast.replicas, slow.replicas),
    )


def _expected(outcome: Outcome, factor: float, whole: float) -> Expected:
    """Sum up; `whole` is how much larger the fleet is than what was simulated of it."""
    ttft, tpot = outcome.quantiles("ttft"), outcome.quantiles("tpot")
    return Expected(
        ttft_seconds=ttft,
        tpot_seconds=tpot,
        itl_seconds=outcome.quantiles("itl"),
        end_to_end_seconds=outcome.quantiles("e2e"),
        queue_seconds=outcome.quantiles("queue"),
        requests_per_second=outcome.requests_per_second * whole,
        output_tokens_per_second=outcome.output_tokens_per_second * whole,
        concurrency=outcome.batch_mean,
        kv_peak_share=outcome.kv_peak_share,
        kv_mean_share=outcome.kv_mean_share,
        prefix_hit_share=outcome.prefix_hit_share,
        preemptions=outcome.preemptions,
        refused=outcome.refused,
        interval=Interval(
            factor=factor,
            ttft_p95_seconds=(ttft.p95 / factor, ttft.p95 * factor),
            tpot_p95_seconds=(tpot.p95 / factor, tpot.p95 * factor),
        ),
    )


def _price(size: Size, question: Question) -> PriceAnswer | None:
    if question.usd_per_gpu_hour is None:
        return None
    demand = question.demand
    cost = cost_of(size, demand.requests_per_second, demand.private_share, question.usd_per_gpu_hour, question.offers)
    return PriceAnswer(
        usd_per_gpu_hour=question.usd_per_gpu_hour,
        usd_per_hour=cost.usd_per_hour,
        guaranteed_usd_per_hour=cost.guaranteed_usd_per_hour,
        elastic_usd_per_hour=cost.elastic_usd_per_hour,
        usd_per_million_tokens=cost.usd_per_million_tokens,
        usd_per_million_output_tokens=cost.usd_per_million_output_tokens,
        hosted=tuple(hosted_answer(one, cost) for one in cost.hosted),
    )


def _node_lost(size: Size, question: Question) -> NodeLost:
    """Lose a machine of the fewest that hold all replicas; serve all of the load on the others, then only what is private."""
    machines = machines_of(size, question.gpus_of_node)
    lost = math.ceil(size.replicas / machines)
    left = size.replicas - lost
    demand = question.demand
    if left == 0:
        because = "one machine holds all of it: no answer until it is back; `--n-plus 1` takes a second one"
        return NodeLost(machines=machines, replicas_lost=lost, replicas_left=0, because=because)
    whole = _simulated(size, left, demand.requests_per_second, question)
    private_rate = demand.requests_per_second * demand.private_share
    private = (
        whole if demand.private_share == 1 else _simulated(size, left, private_rate, question) if private_rate else None
    )
    return NodeLost(
        machines=machines,
        replicas_lost=lost,
        replicas_left=left,
        requests_per_second_per_replica=demand.requests_per_second / left,
        load_of_level=demand.requests_per_second / left / size.capacity.requests_per_second,
        ttft_p95_seconds=whole.at("ttft", 95),
        tpot_p95_seconds=whole.at("tpot", 95),
        keeps_slo=not question.level.broken_by(whole),
        private_ttft_p95_seconds=private and private.at("ttft", 95),
        private_tpot_p95_seconds=private and private.at("tpot", 95),
        private_keeps_slo=private and not question.level.broken_by(private),
    )


def _notes(size: Size, outcome: Outcome, question: Question) -> list[str]:
    said = [f"in the simulation of the whole, {broken}" for broken in question.level.broken_by(outcome)]
    if outcome.refused:
        said.append(f"{outcome.refused} requests of the load are longer than the cache of a replica: they are refused")
    if not size.capacity.knee.flattens:
        said.append("throughput still rises where the cache is full: the knee is where memory ends")
    if outcome.preemptions:
        said.append(f"{outcome.preemptions} requests had to start over for want of KV cache")
    return said


def _why_none(capacities: Sequence[Capacity], question: Question) -> str:
    if not question.options:
        return (
            "; ".join(f"{layout}: {because}" for layout, because in question.unfit)
            or "none of the layouts that were asked for fits"
        )
    if not capacities:
        return "no option's cache holds a request of this length"
    least = [
        f"{capacity.option.layout}: {broken}"
        for capacity in capacities
        for broken in question.level.broken_by(_idle(capacity, question))
    ]
    return (
        "no option keeps the level, even alone with one request at a time: " + "; ".join(least)
        if least
        else ("no option keeps the level at any rate that was tried")
    )


def _idle(capacity: Capacity, question: Question) -> Outcome:
    """Serve each request alone."""
    option = capacity.option
    seldom = question.trace.dealt(capacity.plateau_requests_per_second / 100).first(100)
    return simulate(Fleet(option.times, 1, option.limits, question.routing), seldom)
