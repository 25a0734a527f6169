"""How is an answer bounded? In cost and length, in its decoding, in its shape, and in when its pieces may go out."""

from typing import Final

from router.bundle import Bundle
from router.bundle.files import RouteSpec
from router.bundle.files.demands import Demand, stricter
from router.contract import Budgets, Label, OutputContract, RiskTier, RouteRequest, Sampling, StreamRule
from router.decide.rungs import Ladder

_HOLD: Final = StreamRule(release="hold")


def budgets_of(request: RouteRequest, allowed: Budgets) -> Budgets:
    """Return the lesser of what route and tier allow and the caller asks for."""
    limits = request.limits
    asked: dict[str, object] = {}
    if limits.max_tokens is not None:
        asked["output_tokens"] = min(allowed.output_tokens, limits.max_tokens)
    if limits.deadline_seconds is not None:
        asked["latency_seconds"] = min(allowed.latency_seconds, limits.deadline_seconds)
    return allowed.model_copy(update=asked) if asked else allowed


def fitted(budgets: Budgets, ladder: Ladder, input_tokens: int, bundle: Bundle) -> Budgets:
    """Shorten the answer to what every rung's context has room for; say how long the prompt may be on the first."""
    rooms = [room for rung in ladder.rungs if (room := bundle.context_tokens(bundle.lanes[rung.lane])) is not None]
    if not rooms:
        return budgets
    output = min(budgets.output_tokens, min(rooms) - input_tokens)
    room = rooms[0] - output
    return budgets.model_copy(
        update={
            "output_tokens": output,
            "input_tokens": min(room, budgets.input_tokens) if budgets.input_tokens else room,
        }
    )


def sampling_of(asked: Sampling, route: Sampling, demand: Demand) -> Sampling:
    """What the caller sets outweighs the route's; what tier and topics demand bounds the temperature and top_p of both."""
    merged = {name: getattr(route, name) for name in route.model_fields_set}
    merged |= {name: getattr(asked, name) for name in asked.model_fields_set if getattr(asked, name) is not None}
    for name, bound in (("temperature", demand.temperature_at_most), ("top_p", demand.top_p_at_most)):
        if bound is not None:
            wanted = merged.get(name)
            merged[name] = bound if wanted is None else min(wanted, bound)
    return Sampling.model_construct(**merged) if merged else Sampling()


def contract_of(request: RouteRequest, route: RouteSpec, *, cites: bool) -> OutputContract:
    """Return the shape of the answer: the caller's own, else the route's; with citations where either the route or its demands ask."""
    own = route.output_contract
    if request.response_format.type != "text":
        return OutputContract(type="json", schema_name="request", citations=own.citations or cites)
    return own.model_copy(update={"citations": True}) if cites and not own.citations else own


def stream_of(route: RouteSpec, demand: Demand, tier: RiskTier, label: Label) -> StreamRule:
    """Return when pieces of the answer may go out. INVARIANT: what is restricted, or a person must see, goes out whole or not at all."""
    if demand.review or tier == "restricted" or label.level == "restricted":
        return _HOLD
    return demand.stream if route.stream is None else stricter(route.stream, demand.stream)
