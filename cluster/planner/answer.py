"""What does `lane plan --json` say? One document; seconds, US dollars and shares of 1, each in its name."""

from typing import Literal

from pydantic import Field

from cluster.planner.price import Cost, Elsewhere
from cluster.planner.steps import Provenance
from cluster.profile import Quantiles
from router.contract import Frozen


class Ground(Frozen):
    """One kind of number in the plan, and where it comes from. `computed`: arithmetic on published facts."""

    what: str
    provenance: Provenance | Literal["computed"]
    source: str


class LoadAnswer(Frozen):
    """The load that was planned for; lengths are means."""

    requests_per_second: float
    input_tokens: float
    output_tokens: float
    source: str
    restricted_share: float
    n_plus: int


class OptionAnswer(Frozen):
    """One layout that was looked at; `replicas` is None where it can't keep the level."""

    layout: str
    gpus_per_replica: int
    max_concurrency: int
    knee_concurrency: float
    knee_concurrency_within_slo: float
    plateau_requests_per_second: float
    requests_per_second_within_slo: float
    replicas: int | None
    gpus: int | None
    usd_per_hour: float | None


class Interval(Frozen):
    """Nine of ten known cases lay within a factor of what was predicted; here as ranges."""

    factor: float
    ttft_p95_seconds: tuple[float, float]
    tpot_p95_seconds: tuple[float, float]


class Plateau(Frozen):
    """What all replicas give at most, and how many it takes at the interval's fast and slow end."""

    output_tokens_per_second: float
    interval: tuple[float, float]
    replicas_interval: tuple[int, int]


class Expected(Frozen):
    """What the simulation of all replicas under the whole load gave. `concurrency`: mean batch of a replica."""

    ttft_seconds: Quantiles
    tpot_seconds: Quantiles
    itl_seconds: Quantiles
    end_to_end_seconds: Quantiles
    queue_seconds: Quantiles
    requests_per_second: float
    output_tokens_per_second: float
    concurrency: float
    kv_peak_share: float
    kv_mean_share: float
    prefix_hit_share: float
    preemptions: int
    refused: int
    interval: Interval


class HostedAnswer(Frozen):
    """A hosted lane beside our own GPUs. `elastic_cheaper`: where the traffic that may leave costs less.

    `break_even_requests_per_second` is the load from which all of it is cheaper here (None: never); `break_even_utilisation` is the share
    of its rate that one more replica must be busy to pay for itself.
    """

    lane: str
    model: str
    usd_per_million_tokens: float
    elastic_usd_per_hour: float
    all_usd_per_hour: float
    elastic_cheaper: Literal["own", "hosted", "equal"]
    break_even_requests_per_second: float | None
    break_even_utilisation: float


class PriceAnswer(Frozen):
    """The plan's price. Tokens are in and out together unless it says otherwise."""

    usd_per_gpu_hour: float
    usd_per_hour: float
    guaranteed_usd_per_hour: float
    elastic_usd_per_hour: float
    usd_per_million_tokens: float
    usd_per_million_output_tokens: float
    hosted: tuple[HostedAnswer, ...]


class NodeLost(Frozen):
    """One of so many machines dies with the replicas it held: everything on what is left, then only what must stay private.

    `machines`: the fewest that hold all replicas, over which these are spread evenly.
    """

    machines: int
    replicas_lost: int
    replicas_left: int
    requests_per_second_per_replica: float | None = None
    load_of_level: float | None = Field(
        default=None, description="share of the rate that keeps the level; above 1 it is broken"
    )
    ttft_p95_seconds: float | None = None
    tpot_p95_seconds: float | None = None
    keeps_slo: bool = False
    private_ttft_p95_seconds: float | None = None
    private_tpot_p95_seconds: float | None = None
    private_keeps_slo: bool | None = None
    because: str | None = None


class Plan(Frozen):
    """The whole answer. Without replicas, `because` says why there is none."""

    model: str
    gpu: str
    load: LoadAnswer
    slo: dict[str, float]
    layout: str | None = None
    gpus_per_replica: int | None = None
    replicas: int | None = None
    guaranteed_replicas: int | None = None
    elastic_replicas: int | None = None
    spare_replicas: int | None = None
    gpus: int | None = None
    guaranteed_gpus: int | None = None
    max_concurrency: int | None = None
    requests_per_second_per_replica: float | None = None
    knee_concurrency: float | None = None
    knee_concurrency_within_slo: float | None = None
    target_ongoing_requests: float | None = None
    start_seconds: float | None = Field(default=None, description="what the autoscaler's delays follow")
    warm_start_seconds: float | None = None
    cold_start_seconds: float | None = None
    expected: Expected | None = None
    plateau: Plateau | None = None
    kv_headroom: float | None = None
    cost: PriceAnswer | None = None
    node_lost: NodeLost | None = None
    options: tuple[OptionAnswer, ...] = ()
    grounds: tuple[Ground, ...] = ()
    notes: tuple[str, ...] = ()
    because: str | None = None


def hosted_answer(one: Elsewhere, cost: Cost) -> HostedAnswer:
    """Say which way the elastic part costs less."""
    own, hosted = cost.elastic_usd_per_hour, one.elastic_usd_per_hour
    return HostedAnswer(
        lane=one.lane,
        model=one.model,
        usd_per_million_tokens=one.usd_per_million_tokens,
        elastic_usd_per_hour=hosted,
        all_usd_per_hour=one.all_usd_per_hour,
        elastic_cheaper="equal" if own == hosted else "own" if own < hosted else "hosted",
        break_even_requests_per_second=one.break_even.requests_per_second,
        break_even_utilisation=one.break_even.utilisation,
    )
