"""Why does this request go where it goes? The derivation, rule by rule.

Whose label it carries, which tier rules held, which routes were tried, what the boundary answers for each lane, what closed it. The
decision is `decide`'s own; what is told beside it asks the same pure functions again, so it can't differ.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from router.bundle import Bundle
from router.bundle.space import Question, Way, ask, values_of
from router.bundle.variables import variables_of
from router.contract import Cause, Decision, Label, PolicyFired, RouteRequest
from router.decide import decide
from router.decide.judge import Judgement, judge, judge_tier
from router.decide.spans import raised
from router.errors import BadRequest
from router.labels import join
from router.rules import Facts, Rule, RuleError
from router.scan import scan_text
from router.state import State

_LONGEST = 100


@dataclass(frozen=True, slots=True)
class LabelPart:
    """A label that joined, and whose it is."""

    of: str
    label: Label


@dataclass(frozen=True, slots=True)
class RuleTried:
    """A condition, the values of the variables it asks about, whether it held, and what it leads to, or why it could not be evaluated."""

    id: str
    when: str
    values: Mapping[str, object]
    held: Literal["yes", "no", "error"]
    says: str


@dataclass(frozen=True, slots=True)
class LaneAsked:
    """A lane of the ladder: after which causes it is tried, what the boundary answers, and why it is closed (None: it is open)."""

    lane: str
    hosted: bool
    on: tuple[Cause, ...]
    allowed: bool
    policies: tuple[PolicyFired, ...]
    closed: str | None


@dataclass(frozen=True, slots=True)
class Derivation:
    """A decision and how it came about. `failed`: why the request could not be judged, if so; no rule is then asked."""

    decision: Decision
    failed: str | None
    labels: tuple[LabelPart, ...]
    tier_rules: tuple[RuleTried, ...]
    routes: tuple[RuleTried, ...]
    lanes: tuple[LaneAsked, ...]


def derive(request: RouteRequest, bundle: Bundle, state: State) -> Derivation:
    """Return the decision and how it came about. Raises what `decide` raises."""
    decision = decide(request, bundle, state)
    tenant = bundle.tenants.get(request.org)
    if tenant is None:
        raise BadRequest(f"unknown org `{request.org}`", "org")
    judgement = judge(request, bundle, state, tenant, scan_text)
    tier, _, facts = judge_tier(request, bundle, judgement)
    variables = variables_of(request, judgement.label, judgement.topic, judgement.text, judgement.input_tokens)
    return Derivation(
        decision,
        judgement.failed,
        tuple(_labels(request, bundle, state, judgement, decision)),
        tuple(
            _tried(rule.spec.id, rule.when, facts, variables, f"at least {rule.spec.tier}: {rule.spec.because}")
            for rule in bundle.tier_rules
        ),
        tuple(_routes(bundle, facts, {**variables, "risk_tier": tier})) if judgement.failed is None else (),
        tuple(_lanes(request, bundle, decision)),
    )


def _labels(
    request: RouteRequest, bundle: Bundle, state: State, judgement: Judgement, decision: Decision
) -> Iterator[LabelPart]:
    """Every label that joined and is not empty, then the whole."""
    counted = (finding for finding in judgement.findings if finding.score >= bundle.tiers.raise_at)
    parts = {
        "tenant": bundle.tenants[request.org].label,
        "declared": request.labels,
        "earlier turns": join(*(message.label for message in request.messages)),
        "session": state.session_label,
        "found": raised(Label(categories=tuple(finding.category for finding in counted)), bundle.tiers.levels),
        "route": next((route.spec.label for route in bundle.routes if route.spec.id == decision.route), Label()),
    }
    yield from (LabelPart(of, label) for of, label in parts.items() if label != Label())
    yield LabelPart("together", decision.label)


def _routes(bundle: Bundle, facts: Facts, variables: Mapping[str, object]) -> Iterator[RuleTried]:
    """Every route up to the one that took the request. One that can't be evaluated ends the search."""
    for route in bundle.routes:
        because = f"{route.spec.action}: {route.spec.because}"
        if route.when is None:
            yield RuleTried(route.spec.id, "always", {}, "yes", because)
            return
        tried = _tried(route.spec.id, route.when, facts, variables, because)
        yield tried
        if tried.held != "no":
            return


def _tried(name: str, rule: Rule, facts: Facts, variables: Mapping[str, object], leads_to: str) -> RuleTried:
    values = {asked: _shortened(variables[asked]) for asked in sorted(rule.variables) if asked in variables}
    try:
        held: Literal["yes", "no"] = "yes" if rule.holds(facts) else "no"
    except RuleError as error:
        return RuleTried(name, rule.source, values, "error", str(error))
    return RuleTried(name, rule.source, values, held, leads_to)


def _shortened(value: object) -> object:
    """The words of a long text tell nobody anything; their beginning tells which text it was."""
    return f"{value[:_LONGEST]}…" if isinstance(value, str) and len(value) > _LONGEST else value


def _lanes(request: RouteRequest, bundle: Bundle, decision: Decision) -> Iterator[LaneAsked]:
    """Ask the boundary again for every lane that the plan holds or has closed, in the order of the route's ladder."""
    closed = {rung.lane: rung.because for rung in decision.closed}
    steps = next((route.steps for route in bundle.routes if route.spec.id == decision.route), ())
    causes: dict[str, tuple[Cause, ...]] = {}
    # A lane can be on several rungs, and on the ladder of a cause that no rung was left for.
    tried = [(rung.lane, rung.on) for rung in decision.ladder]
    tried += [(step.lane, step.on) for step in steps if step.lane in closed]
    for name, on in tried:
        causes[name] = tuple(dict.fromkeys((*causes.get(name, ()), *on)))
    planned = [step.lane for step in steps if step.lane in causes]
    for name in dict.fromkeys([*planned, *causes, *closed]):
        lane = bundle.lanes[name]
        (verdict,) = ask(bundle.boundary, [Question(request.org, Way("send", name), values_of(decision, name))])
        yield LaneAsked(
            name, lane.is_hosted, causes.get(name, ("start",)), verdict.allowed, verdict.policies, closed.get(name)
        )
