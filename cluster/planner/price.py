"""What does a million tokens cost on our own GPUs, what does a hosted lane take for them, and from which load on is our own cheaper?"""

import math
from dataclasses import dataclass

from cluster.planner.sizing import Size

_HOUR_SECONDS = 3600
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Offer:
    """A hosted lane's price, in US dollars for a million tokens in and out."""

    lane: str
    model: str
    input_usd: float
    output_usd: float

    def usd_per_request(self, prompt_tokens: float, output_tokens: float) -> float:
        """Return what one request costs there."""
        return (prompt_tokens * self.input_usd + output_tokens * self.output_usd) / _MILLION


@dataclass(frozen=True, slots=True)
class BreakEven:
    """From which load on our own GPUs cost less than a hosted lane. None: never, even fully loaded.

    `replica_requests_per_second` is what one more replica must serve to pay for itself, `utilisation` that as a share of what it can take.
    `requests_per_second` is the smallest whole load from which all of it, spares included, is cheaper here.
    """

    lane: str
    replica_requests_per_second: float
    utilisation: float
    requests_per_second: float | None


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The elastic part's price both ways, for one hosted lane."""

    lane: str
    model: str
    usd_per_million_tokens: float
    elastic_usd_per_hour: float
    all_usd_per_hour: float
    break_even: BreakEven


@dataclass(frozen=True, slots=True)
class Cost:
    """What a plan costs an hour and a million tokens, in and out together."""

    usd_per_hour: float
    guaranteed_usd_per_hour: float
    elastic_usd_per_hour: float
    usd_per_million_tokens: float
    usd_per_million_output_tokens: float
    hosted: tuple[Elsewhere, ...]


def cost_of(
    size: Size, requests_per_second: float, private_share: float, usd_per_gpu_hour: float, offers: tuple[Offer, ...]
) -> Cost:
    """Price a size at its load beside each hosted offer. The private part has no price elsewhere: it may not leave."""
    trace = size.capacity.trace
    prompt, output = trace.mean_prompt_tokens, trace.mean_output_tokens
    an_hour = requests_per_second * _HOUR_SECONDS
    whole = size.gpus * usd_per_gpu_hour
    return Cost(
        usd_per_hour=whole,
        guaranteed_usd_per_hour=size.guaranteed_gpus * usd_per_gpu_hour,
        elastic_usd_per_hour=whole - size.guaranteed_gpus * usd_per_gpu_hour,
        usd_per_million_tokens=whole / (an_hour * (prompt + output)) * _MILLION,
        usd_per_million_output_tokens=whole / (an_hour * output) * _MILLION,
        hosted=tuple(
            Elsewhere(
                lane=offer.lane,
                model=offer.model,
                usd_per_million_tokens=offer.usd_per_request(prompt, output) / (prompt + output) * _MILLION,
                elastic_usd_per_hour=an_hour * (1 - private_share) * offer.usd_per_request(prompt, output),
                all_usd_per_hour=an_hour * offer.usd_per_request(prompt, output),
                break_even=break_even(size, usd_per_gpu_hour, offer),
            )
            for offer in offers
        ),
    )


def break_even(size: Size, usd_per_gpu_hour: float, offer: Offer) -> BreakEven:
    """Find where the lines cross: k replicas and the spares pay from (k + spares) times one replica's break-even on."""
    trace = size.capacity.trace
    request = offer.usd_per_request(trace.mean_prompt_tokens, trace.mean_output_tokens)
    replica = size.capacity.option.gpus * usd_per_gpu_hour
    pays = replica / (request * _HOUR_SECONDS) if request > 0 else math.inf
    takes = size.capacity.requests_per_second
    if pays >= takes:
        return BreakEven(offer.lane, pays, pays / takes, None)
    replicas = max(1, math.ceil(size.spare * pays / (takes - pays)))
    return BreakEven(offer.lane, pays, pays / takes, (replicas + size.spare) * pays)
