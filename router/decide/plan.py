"""What happens with this request: which route, which lane first and which next, with what context, tools, shape and budgets?"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from router.boundary import StoreQuestion
from router.bundle import Bundle, CompiledRoute, compile_route
from router.bundle.demands import PROFILE
from router.bundle.files import EVIDENCE, RouteSpec, TenantSpec
from router.bundle.ladder import Step
from router.bundle.references import CLASSIFICATION_FAILED, EMBEDDINGS
from router.contract import (
    Action,
    Decision,
    Keep,
    Label,
    PolicyFired,
    RiskTier,
    RouteRequest,
)
from router.decide.aids import Wanting, aids_of
from router.decide.bounds import budgets_of, contract_of, fitted, sampling_of, stream_of
from router.decide.judge import Judgement, Scan, failed, judge, judge_tier
from router.decide.precheck import Reaction, react
from router.decide.redactions import Redactions
from router.decide.rungs import Asked, Ladder, compile_ladder
from router.decide.spans import raised, span
from router.errors import BadRequest, UnknownModel
from router.labels import highest, join
from router.rules import Facts, RuleError
from router.scan import scan_text
from router.state import State

EGRESS_NONE: Final = "egress-none"


def decide(request: RouteRequest, bundle: Bundle, state: State, *, scan: Scan = scan_text) -> Decision:
    """Return the plan for a request: pure, so equal arguments give equal bytes. Never a wider lane on error.

    An empty ladder under the action `answer` means that nothing may answer; `refusal_of` says why. Raises `BadRequest` for an
    unknown tenant, `UnknownModel` for a model that is neither `auto`, a lane nor a model of the bundle.
    """
    tenant = bundle.tenants.get(request.org)
    if tenant is None:
        raise BadRequest(f"unknown org `{request.org}`: the bundle's tenants.yaml does not have it", "org")
    embeds = request.task == "embed"
    pinned = _pinned_lanes(request, bundle)
    chosen = _choose(request, bundle, judge(request, bundle, state, tenant, scan), state.route)
    route = chosen.route.spec
    allowed = chosen.route.allowed[chosen.tier]
    budgets = budgets_of(request, allowed.budgets)
    judged = chosen.judgement
    reaction = react(judged.flagged, bundle.profiles[chosen.tier], bundle.tiers)
    demanded = bundle.demands.of(chosen.tier, judged.label, judged.topic)
    demand, profile = demanded.demand, f"{PROFILE}{chosen.tier}"
    asked = Asked(
        org=request.org,
        tenant=tenant,
        lanes=request.allowed_lanes,
        label=judged.label,
        tier=chosen.tier,
        attack=judged.attack,
        harm=judged.harm,
        kept_in=(*_kept_in(route, tenant, bundle), *reaction.keeps_in),
        evidence=bundle.boundary.may_store(StoreQuestion(request.org, EVIDENCE, judged.label)),
        input_tokens=0
        if embeds
        else judged.input_tokens,  # Each text is read by itself: the engine holds it against its context.
        budgets=budgets,
        cost_limited=allowed.cost_limited,
        redactions=Redactions(request, judged, bundle, scan),
        demanded=() if embeds else demand.lanes,
        profile=profile,
    )
    # Embeddings answer nobody: what a text asks of a model, or asks for, reaches none.
    action, message = ("answer", None) if embeds else _end(chosen, reaction)
    ladder = _ladder(chosen, pinned, asked, bundle, state) if action == "answer" else Ladder((), (), ())
    first = ladder.rungs[0] if ladder.rungs else None
    wanting = Wanting(
        request, tenant, judged.label, chosen.tier, judged.attack, judged.harm, asked.kept_in, demand, profile
    )
    aids = aids_of(route, wanting, bundle)
    return Decision(
        action=action,
        message=message,
        route=route.id,
        risk_tier=chosen.tier,
        topic=judged.topic,
        label=judged.label,
        attack=judged.attack,
        harm=judged.harm,
        spans=judged.spans,
        findings=judged.findings,
        lane=first.lane if first else None,
        model=first.model if first else None,
        sampling=sampling_of(request.sampling, route.sampling, demand),
        retrieval=aids.retrieval,
        tools=() if reaction.strips else aids.tools,
        client_tools=not reaction.strips,
        output_contract=contract_of(request, route, cites=demand.citations and aids.retrieval is not None),
        stream=stream_of(route, demand, chosen.tier, judged.label),
        on_stream_cut=route.on_stream_cut,
        review=demand.review,
        disclaimer=demand.disclaimer,
        checks=demand.checks,
        keep=demand.keep or Keep(),
        fallback={} if pinned else dict(route.fallback),
        ladder=ladder.rungs,
        closed=ladder.closed,
        budgets=budgets if embeds else fitted(budgets, ladder, judged.input_tokens, bundle),
        policies=tuple(
            dict.fromkeys([*chosen.fired, *demanded.fired, *reaction.fired, *aids.withheld, *ladder.policies])
        ),
        bundle_hash=bundle.hash,
        classifier=bundle.heads.version,
    )


def _end(chosen: "_Chosen", reaction: Reaction) -> tuple[Action, str | None]:
    """Return how the request ends: a refusal outweighs what the route says, and a route's own end outweighs a person's look.

    A question back is an end of the route's: it needs no model, and what is flagged gets no further by it.
    """
    route = chosen.route.spec
    own: tuple[Action, str | None] = ("clarify", chosen.asks) if chosen.asks else (route.action, route.message)
    if reaction.action is None or (own[0] != "answer" and reaction.action != "refuse"):
        return own
    return reaction.action, reaction.message


def _kept_in(route: RouteSpec, tenant: TenantSpec, bundle: Bundle) -> tuple[PolicyFired, ...]:
    """Say what closes every hosted lane to this request, whatever it holds."""
    said = {"the bundle": bundle.egress, f"tenant {tenant.org}": tenant.egress, f"route {route.id}": route.egress}
    return tuple(
        PolicyFired(id=EGRESS_NONE, effect="forbid", because=f"{who} lets nothing leave (`egress: none`)")
        for who, egress in said.items()
        if egress == "none"
    )


def _pinned_lanes(request: RouteRequest, bundle: Bundle) -> tuple[str, ...]:
    """Return the lanes that a request's `model` allows; none for `auto`, which leaves it to the routes (for embeddings, to every lane)."""
    model = request.model
    fit = {name: lane for name, lane in bundle.lanes.items() if bundle.task_of(lane) == request.task}
    if model == "auto" and request.task == "generate":
        return ()
    if model in fit:
        return (model,)
    holding = tuple(name for name, lane in fit.items() if model in {"auto", lane.model_name})
    if holding:
        return holding
    if model == "auto":
        raise UnknownModel("no lane of this bundle gives embeddings: add a model with `task: embed`, and a lane for it")
    if any(model in {name, lane.model_name} for name, lane in bundle.lanes.items()):
        does, asked = ("embeddings", "answers") if request.task == "generate" else ("answers", "embeddings")
        raise UnknownModel(f"`{model}` gives {does}, no {asked}")
    known = ["auto", *fit, *dict.fromkeys(lane.model_name for lane in fit.values())]
    near = difflib.get_close_matches(model, known, n=3) or known
    raise UnknownModel(f"unknown model `{model}`; did you mean {', '.join(near)}?")


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The route taken, for what reason, at which tier, and the label as the route raised it. `asks`: what it asks back first, if so."""

    route: CompiledRoute
    judgement: Judgement
    tier: RiskTier
    fired: tuple[PolicyFired, ...]
    asks: str | None = None


def _choose(request: RouteRequest, bundle: Bundle, judgement: Judgement, taken: str | None) -> _Chosen:
    """Take the first route whose condition holds, or stay on the one that was taken.

    A condition that can't be evaluated might have been meant for this: closed path.
    """
    tier, fired, facts = judge_tier(request, bundle, judgement)
    if judgement.failed is not None:
        return _closed_path(judgement, fired, bundle)
    if request.task == "embed":
        return _embedding_path(judgement, tier, fired, bundle)
    try:
        route = _route_taken(bundle, taken) or _first_route(bundle, facts)
        # Who has been answered in part is not asked back: the plan is only made again.
        asks = next((one.ask for one in route.clarify if one.when.holds(facts)), None) if taken is None else None
    except RuleError as error:
        return _closed_path(failed(judgement, f"a route's condition failed: {error}"), fired, bundle)
    if route.spec.label != Label():
        label = raised(route.spec.label, bundle.tiers.levels)
        judgement = replace(
            judgement,
            label=join(judgement.label, label),
            declared=join(judgement.declared, label),
            spans=(*judgement.spans, span(None, label, "declared")),
        )
        # The tier follows the label; the route stays, or a route could lead to itself.
        later, fired, _ = judge_tier(request, bundle, judgement)
        tier = highest((tier, later))
    spoke = PolicyFired(id=route.spec.id, effect="route", because=route.spec.because)
    if asks is None:
        return _Chosen(route, judgement, tier, (spoke, *fired))
    because = "what it takes to answer is not there yet, so the caller is asked first"
    asking = PolicyFired(id=f"{route.spec.id}-clarify", effect="route", because=because)
    return _Chosen(route, judgement, tier, (spoke, asking, *fired), asks)


def _route_taken(bundle: Bundle, taken: str | None) -> CompiledRoute | None:
    return next((route for route in bundle.routes if route.spec.id == taken), None)


def _first_route(bundle: Bundle, facts: Facts) -> CompiledRoute:
    for route in bundle.routes:
        if route.when is None or route.when.holds(facts):
            return route
    raise RuleError("no route takes this request")


def _closed_path(judgement: Judgement, fired: tuple[PolicyFired, ...], bundle: Bundle) -> _Chosen:
    """The built-in route for what could not be judged: restricted, private lanes alone, no tools, no context."""
    because = f"{judgement.failed}, so the request counts as restricted"
    spec = RouteSpec.model_construct(id=CLASSIFICATION_FAILED, because=because)
    # INVARIANT: what could not be judged never leaves, whatever a bundle's policies permit restricted text.
    answering = [lane for lane in bundle.lanes.values() if bundle.task_of(lane) == "generate"]
    private = [lane.name for lane in answering if not lane.is_hosted]
    steps = tuple(Step(lane, ("start", "connection", "overload", "timeout")) for lane in private)
    route = replace(compile_route(spec, None, {}, bundle.profiles), steps=steps)
    spoke = PolicyFired(id=CLASSIFICATION_FAILED, effect="route", because=because)
    return _Chosen(route, judgement, "restricted", (spoke, *fired))


def _embedding_path(judgement: Judgement, tier: RiskTier, fired: tuple[PolicyFired, ...], bundle: Bundle) -> _Chosen:
    """The built-in route for texts that become embeddings: the lane is the request's own, and the boundary is asked as always."""
    because = "texts that are to become embeddings"
    spec = RouteSpec.model_construct(id=EMBEDDINGS, because=because)
    route = compile_route(spec, None, {}, bundle.profiles)
    return _Chosen(route, judgement, tier, (PolicyFired(id=EMBEDDINGS, effect="route", because=because), *fired))


def _ladder(chosen: _Chosen, pinned: tuple[str, ...], asked: Asked, bundle: Bundle, state: State) -> Ladder:
    steps: Sequence[Step] = chosen.route.steps
    if pinned:
        steps = [Step(lane, ("start",)) for lane in pinned]
        if chosen.judgement.failed is not None:
            steps = [step for step in steps if not bundle.lanes[step.lane].is_hosted]
    return compile_ladder(steps, asked, bundle, state, pinned=bool(pinned))
