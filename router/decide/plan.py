"""What happens with this request: which route, which lane first and which next, with what context, tools, shape and budgets?"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from router.bundle import Bundle
from router.bundle.files import RouteSpec, TenantSpec, TierProfile
from router.bundle.ladder import Step, planned_steps
from router.bundle.references import CLASSIFICATION_FAILED
from router.contract import (
    Budgets,
    Decision,
    Label,
    OutputContract,
    PolicyFired,
    RiskTier,
    RouteRequest,
    Sampling,
    ToolPlan,
)
from router.decide.judge import Judgement, Scan, failed, judge, judge_tier, raised
from router.decide.rungs import Asked, Ladder, compile_ladder
from router.errors import BadRequest, UnknownModel
from router.labels import highest, join
from router.rules import Facts, RuleError
from router.scan import scan_text
from router.state import State


def decide(request: RouteRequest, bundle: Bundle, state: State, *, scan: Scan = scan_text) -> Decision:
    """Return the plan for a request: pure, so equal arguments give equal bytes. Never a wider lane on error.

    An empty ladder under the action `answer` means that nothing may answer; `refusal_of` says why. Raises `BadRequest` for an
    unknown tenant, `UnknownModel` for a model that is neither `auto`, a lane nor a model of the bundle.
    """
    tenant = bundle.tenants.get(request.org)
    if tenant is None:
        raise BadRequest(f"unknown org `{request.org}`: the bundle's tenants.yaml does not have it", "org")
    pinned = _pinned_lanes(request.model, bundle)
    chosen = _choose(request, bundle, judge(request, bundle, state, tenant, scan))
    route = chosen.route
    budgets, cost_limited = _budgets(request, route, bundle.profiles[chosen.tier])
    asked = Asked(
        request.org, tenant, chosen.judgement.label, chosen.tier, chosen.judgement.input_tokens, budgets, cost_limited
    )
    ladder = _ladder(chosen, pinned, asked, bundle, state)
    first = ladder.rungs[0] if ladder.rungs else None
    tools, withheld = _tools(request, route, tenant, bundle)
    return Decision(
        action=route.action,
        message=route.message,
        route=route.id,
        risk_tier=chosen.tier,
        topic=chosen.judgement.topic,
        label=chosen.judgement.label,
        findings=chosen.judgement.findings,
        lane=first.lane if first else None,
        model=first.model if first else None,
        sampling=_sampling(request.sampling, route.sampling, bundle.profiles[chosen.tier]),
        retrieval=route.retrieval,
        tools=tools,
        output_contract=_output_contract(request, route),
        fallback={} if pinned else dict(route.fallback),
        ladder=ladder.rungs,
        closed=ladder.closed,
        budgets=_fitted(budgets, ladder, chosen.judgement.input_tokens, bundle),
        policies=tuple(dict.fromkeys([*chosen.fired, *withheld, *ladder.policies])),
        bundle_hash=bundle.hash,
        classifier=bundle.heads.version,
    )


def _pinned_lanes(model: str, bundle: Bundle) -> tuple[str, ...]:
    """Return the lanes that a request's `model` allows; none for `auto`, which leaves it to the routes."""
    if model == "auto":
        return ()
    if model in bundle.lanes:
        return (model,)
    holding = tuple(lane.name for lane in bundle.lanes.values() if lane.model_name == model)
    if holding:
        return holding
    known = ["auto", *bundle.lanes, *dict.fromkeys(lane.model_name for lane in bundle.lanes.values())]
    near = difflib.get_close_matches(model, known, n=3) or known
    raise UnknownModel(f"unknown model `{model}`; did you mean {', '.join(near)}?")


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The route taken, for what reason, at which tier, and the label as the route raised it."""

    route: RouteSpec
    judgement: Judgement
    tier: RiskTier
    fired: tuple[PolicyFired, ...]


def _choose(request: RouteRequest, bundle: Bundle, judgement: Judgement) -> _Chosen:
    """Take the first route whose condition holds. One that can't be evaluated might have been meant for this: closed path."""
    tier, fired, facts = judge_tier(request, bundle, judgement)
    if judgement.failed is not None:
        return _closed_path(judgement, fired, bundle)
    try:
        route = _first_route(bundle, facts)
    except RuleError as error:
        return _closed_path(failed(judgement, f"a route's condition failed: {error}"), fired, bundle)
    if route.label != Label():
        label = raised(join(judgement.label, route.label), bundle.tiers.levels)
        judgement = Judgement(label, judgement.findings, judgement.topic, judgement.text, judgement.input_tokens)
        # The tier follows the label; the route stays, or a route could lead to itself.
        later, fired, _ = judge_tier(request, bundle, judgement)
        tier = highest((tier, later))
    return _Chosen(route, judgement, tier, (PolicyFired(id=route.id, effect="route", because=route.because), *fired))


def _first_route(bundle: Bundle, facts: Facts) -> RouteSpec:
    for route in bundle.routes:
        if route.when is None or route.when.holds(facts):
            return route.spec
    raise RuleError("no route takes this request")


def _closed_path(judgement: Judgement, fired: tuple[PolicyFired, ...], bundle: Bundle) -> _Chosen:
    """The built-in route for what could not be judged: restricted, private lanes alone, no tools, no context."""
    because = f"{judgement.failed}, so the request counts as restricted"
    private = next((lane.name for lane in bundle.lanes.values() if not lane.is_hosted), None)
    route = RouteSpec.model_construct(id=CLASSIFICATION_FAILED, because=because, lane=private)
    spoke = PolicyFired(id=CLASSIFICATION_FAILED, effect="route", because=because)
    return _Chosen(route, judgement, "restricted", (spoke, *fired))


def _ladder(chosen: _Chosen, pinned: tuple[str, ...], asked: Asked, bundle: Bundle, state: State) -> Ladder:
    if chosen.route.action != "answer":
        return Ladder((), (), ())
    if pinned:
        steps: Sequence[Step] = [Step(lane, ("start",)) for lane in pinned]
    elif chosen.judgement.failed is not None:
        steps = [Step(lane, ("start", "connection", "overload", "timeout")) for lane in bundle.lanes]
    else:
        steps = planned_steps(chosen.route, bundle.ladders)
    if chosen.judgement.failed is None:
        return compile_ladder(steps, asked, bundle, state, pinned=bool(pinned))
    # INVARIANT: what could not be judged never leaves, whatever a bundle's policies permit restricted text.
    private = [step for step in steps if not bundle.lanes[step.lane].is_hosted]
    return compile_ladder(private, asked, bundle, state, pinned=bool(pinned))


def _budgets(request: RouteRequest, route: RouteSpec, profile: TierProfile) -> tuple[Budgets, bool]:
    """Return the least of what route, tier and caller allow, and whether anyone limits the cost.

    What a route or profile leaves out does not limit; where both leave it out, the contract's default holds.
    """
    given = [budgets for budgets in (route.budgets, profile.budgets) if budgets is not None]
    limits = {
        name: min(getattr(budgets, name) for budgets in given if name in budgets.model_fields_set)
        for name in Budgets.model_fields
        if any(name in budgets.model_fields_set for budgets in given)
    }
    budgets = Budgets.model_construct(**limits)
    asked: dict[str, object] = {}
    if request.limits.max_tokens is not None:
        asked["output_tokens"] = min(budgets.output_tokens, request.limits.max_tokens)
    if request.limits.deadline_seconds is not None:
        asked["latency_seconds"] = min(budgets.latency_seconds, request.limits.deadline_seconds)
    if route.retrieval is not None:
        chunks = route.retrieval.top_k
        asked["context_chunks"] = min(chunks, budgets.context_chunks) if "context_chunks" in limits else chunks
    return budgets.model_copy(update=asked), "cost_usd" in limits


def _fitted(budgets: Budgets, ladder: Ladder, input_tokens: int, bundle: Bundle) -> Budgets:
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


def _sampling(asked: Sampling, route: Sampling, profile: TierProfile) -> Sampling:
    """What the caller sets outweighs the route's; the tier bounds the temperature of both."""
    merged = {name: getattr(route, name) for name in route.model_fields_set}
    merged |= {name: getattr(asked, name) for name in asked.model_fields_set if getattr(asked, name) is not None}
    bound = profile.temperature_at_most
    if bound is not None:
        temperature = merged.get("temperature")
        merged["temperature"] = bound if temperature is None else min(temperature, bound)
    return Sampling.model_construct(**merged) if merged else Sampling()


def _tools(
    request: RouteRequest, route: RouteSpec, tenant: TenantSpec, bundle: Bundle
) -> tuple[tuple[ToolPlan, ...], tuple[PolicyFired, ...]]:
    """The route's tools that tenant and caller both allow; one that changes anything waits for a person."""
    kept: list[ToolPlan] = []
    withheld: list[PolicyFired] = []
    for tool in route.tools:
        if tenant.tools and tool.name not in tenant.tools:
            because = f"tool {tool.name} is not among the tenant's tools"
            withheld.append(PolicyFired(id="tenant-tools", effect="forbid", because=because))
        elif request.allowed_tools and tool.name not in request.allowed_tools:
            because = f"tool {tool.name} is not among the tools the request allows"
            withheld.append(PolicyFired(id="request-tools", effect="forbid", because=because))
        else:
            changes = bundle.tools[tool.name].side_effect != "read"
            kept.append(tool.model_copy(update={"needs_approval": True}) if changes else tool)
    return tuple(kept), tuple(withheld)


def _output_contract(request: RouteRequest, route: RouteSpec) -> OutputContract:
    if request.response_format.type == "text":
        return route.output_contract
    return OutputContract(type="json", schema_name="request", citations=route.output_contract.citations)
