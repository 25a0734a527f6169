"""Does the bundle hold together? Every condition evaluates, every route can be reached, every ladder ends in an answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from router.boundary import UNKNOWN, Boundary, enumerated
from router.bundle.cedar import policies_text, type_errors
from router.bundle.files import LaneSpec, RouteSpec
from router.bundle.ladder import planned_steps
from router.bundle.promises import PROPERTY_NAMES, all_questions, broken_property, representative_labels
from router.bundle.reach import World, reach
from router.bundle.references import reference_findings
from router.bundle.source import SCHEMA_FILE, Source
from router.bundle.variables import NAMES, TIER_NAMES, TopicHeads
from router.contract import RISK_TIERS, Label, RiskTier
from router.errors import BundleInvalid
from router.rules import Rule, RuleError, compile_rule


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check made on its way: compiled conditions (None: always holds) and the boundary. Whole when nothing was found."""

    routes: tuple[Rule | None, ...]
    tier_rules: tuple[Rule, ...]
    boundary: Boundary | None


def check_source(source: Source, heads: TopicHeads) -> Checked:
    """Run every check; findings are added to the source."""
    reference_findings(source)
    tier_rules = _tier_rules(source)
    routes = _route_rules(source)
    boundary = _boundary(source)
    if source.findings or boundary is None:
        # What follows reads the parts as a whole; with a part missing it would find faults of its own making.
        return Checked(routes, tier_rules, boundary)
    _promises(source, boundary)
    _reachable(source, routes, _world(source, heads))
    if not source.findings:
        _ladders_end(source, routes, boundary, _world(source, heads))
    return Checked(routes, tier_rules, boundary)


def _compile(source: Source, file: str, line: int, text: str, names: frozenset[str]) -> Rule | None:
    """Compile a condition; note what is wrong with it."""
    try:
        rule = compile_rule(text)
    except RuleError as error:
        said = " ".join(part for part in str(error).split() if part != "|")
        source.find(file, line, f"bad CEL: {said}", "mend the condition; docs/policy.md lists what it can say")
        return None
    strange = rule.variables - names
    if strange:
        listed = ", ".join(f"`{name}`" for name in sorted(strange))
        source.find(file, line, f"bad CEL: unknown variable {listed}", f"use {', '.join(sorted(names))}")
        return None
    return rule


def _tier_rules(source: Source) -> tuple[Rule, ...]:
    rules = []
    for index, spec in enumerate(source.tiers.rules if source.tiers else ()):
        rule = _compile(source, "tiers.yaml", source.line("tiers.yaml", "rules", index, "when"), spec.when, TIER_NAMES)
        if rule is not None:
            rules.append(rule)
    return tuple(rules)


def _route_rules(source: Source) -> tuple[Rule | None, ...]:
    rules: list[Rule | None] = []
    for index, spec in enumerate(source.routes.routes if source.routes else ()):
        line = source.line("routes.yaml", "routes", index, "when")
        rules.append(None if spec.when is None else _compile(source, "routes.yaml", line, spec.when, NAMES))
    if source.routes and (not source.routes.routes or source.routes.routes[-1].when is not None):
        line = source.line("routes.yaml", "routes", max(len(source.routes.routes) - 1, 0))
        source.find(
            "routes.yaml",
            line,
            "the last route has a condition: a request may match none",
            "end with a route without `when`",
        )
    return tuple(rules)


def _boundary(source: Source) -> Boundary | None:
    """Check policies against the schema and build the boundary, once names and types are sound."""
    if source.schema is None:
        return None
    errors = type_errors(source.policies, source.schema, SCHEMA_FILE)
    source.findings.extend(errors)
    if errors or source.lanes is None or source.tenants is None:
        return None
    try:
        orgs = [tenant.org for tenant in source.tenants.tenants]
        return Boundary(policies_text(source.policies), source.schema, source.lanes.lanes, orgs)
    except BundleInvalid as error:
        source.find(
            SCHEMA_FILE, 1, str(error), "keep the entities Tenant, Lane and the action send as config/starter has them"
        )
        return None


def _world(source: Source, heads: TopicHeads) -> World:
    assert source.tenants is not None
    assert source.tiers is not None
    assert source.schema is not None
    orgs = tuple(tenant.org for tenant in source.tenants.tenants)
    places = tuple(sorted(enumerated(source.schema, "Jurisdiction")))
    return World(heads, orgs, dict(source.tiers.levels), places)


def _told_apart(source: Source) -> tuple[list[str], list[LaneSpec]]:
    """One tenant and one lane of each kind that policies, properties and tests can tell apart; the others get the same verdicts."""
    assert source.lanes is not None
    assert source.tenants is not None
    spoken = policies_text(source.policies)
    spoken += " ".join(rule.when for rule in source.properties.properties) if source.properties else ""
    orgs = {
        (tenant.org if f'"{tenant.org}"' in spoken else ""): tenant.org for tenant in reversed(source.tenants.tenants)
    }
    lanes: dict[object, LaneSpec] = {}
    for lane in source.lanes.lanes:
        other_end = (lane.hosted.provider, lane.hosted.region) if lane.hosted else None
        named = lane.name if f'"{lane.name}"' in spoken else ""
        lanes.setdefault((named, other_end, lane.jurisdictions, lane.cleared_for), lane)
    return sorted(orgs.values()), list(lanes.values())


def _labels(source: Source) -> list[Label]:
    assert source.schema is not None
    categories = enumerated(source.schema, "Category") - {UNKNOWN}
    return list(representative_labels(categories, enumerated(source.schema, "Jurisdiction") - {UNKNOWN}))


def _promises(source: Source, boundary: Boundary) -> None:
    """Hold the boundary against the bundle's own properties and tests."""
    orgs, lanes = _told_apart(source)
    file = "boundary/properties.yaml"
    for index, rule in enumerate(source.properties.properties if source.properties else ()):
        line = source.line(file, "properties", index, "when")
        if _compile(source, file, line, rule.when, PROPERTY_NAMES) is None:
            continue
        broken = broken_property(rule, all_questions(orgs, lanes, _labels(source)), boundary)
        if broken is not None:
            source.find(
                file,
                line,
                f"the boundary breaks `{rule.id}` ({rule.must}): {broken}",
                "mend the policies, or the property",
            )
    _tests(source, boundary)


def _tests(source: Source, boundary: Boundary) -> None:
    assert source.lanes is not None
    lanes = {lane.name: lane for lane in source.lanes.lanes}
    file = "boundary/tests.yaml"
    for index, test in enumerate(source.tests.tests if source.tests else ()):
        line = source.line(file, "tests", index)
        if test.lane not in lanes:
            source.find(file, line, f"unknown lane `{test.lane}`", f"use one of {', '.join(lanes)}")
            continue
        verdict = boundary.may_send(test.org, lanes[test.lane], test.label, test.risk_tier)
        fired = [policy.id for policy in verdict.policies]
        if verdict.allowed != (test.expect == "allow") or (test.by is not None and test.by not in fired):
            answer = "allow" if verdict.allowed else "deny"
            source.find(
                file,
                line,
                f"`{test.name}`: the boundary answers {answer} by {', '.join(fired)}",
                "mend the policies, or the test",
            )


def _reachable(source: Source, rules: Sequence[Rule | None], world: World) -> None:
    """Note routes that no request reaches, and conditions that some request breaks."""
    assert source.routes is not None
    for index, route in enumerate(source.routes.routes):
        line = source.line("routes.yaml", "routes", index, "when")
        walk = reach(rules, index, world)
        for condition, error in walk.errors.items():
            if route.when == condition:
                source.find(
                    "routes.yaml",
                    line,
                    f"bad CEL: {error}",
                    "make it answer for every request; docs/policy.md lists the types",
                )
        if walk.witness is None and not walk.errors:
            how = f" (looked at {walk.steps} situations, not at all)" if walk.sampled else ""
            mend = "move it before the route that takes its requests, change `when`, or remove it"
            source.find("routes.yaml", line, f"no request reaches the route `{route.id}`{how}", mend)


def _ladders_end(source: Source, rules: Sequence[Rule | None], boundary: Boundary, world: World) -> None:
    """Note routes that some label reaches and the boundary leaves without any lane."""
    assert source.routes is not None
    orgs, _ = _told_apart(source)
    for index, route in enumerate(source.routes.routes):
        if route.action != "answer":
            continue
        for org in orgs:
            stuck = _stuck(source, index, org, rules, boundary, world)
            if stuck is not None:
                line = source.line("routes.yaml", "routes", index)
                source.find(
                    "routes.yaml", line, stuck, "add `on_boundary` with a ladder of private lanes to its `fallback`"
                )
                break


def _stuck(
    source: Source, index: int, org: str, rules: Sequence[Rule | None], boundary: Boundary, world: World
) -> str | None:
    assert source.routes is not None
    route = source.routes.routes[index]
    for label in _labels(source):
        for tier in RISK_TIERS:
            closed_by = _closed(source, route, org, label, tier, boundary)
            if closed_by is None:
                continue
            fixed = {
                "level": label.level,
                "categories": list(label.categories),
                "jurisdictions": list(label.jurisdictions),
                "risk_tier": tier,
            }
            if reach(rules, index, world, fixed).witness is not None:
                held = ", ".join((*label.categories, *label.jurisdictions)) or "no category"
                return (
                    f"the ladder of `{route.id}` ends in nothing for {label.level} text ({held}) at tier {tier}: "
                    f"closed by {', '.join(closed_by)}"
                )
    return None


def _closed(
    source: Source, route: RouteSpec, org: str, label: Label, tier: RiskTier, boundary: Boundary
) -> tuple[str, ...] | None:
    """Return the policies that close the route's whole ladder for this label; None when a rung is open."""
    assert source.ladders is not None
    assert source.lanes is not None
    lanes = {lane.name: lane for lane in source.lanes.lanes}
    policies: list[str] = []
    for step in planned_steps(route, {ladder.name: ladder for ladder in source.ladders.ladders}):
        if "start" in step.on or "boundary" in step.on:
            verdict = boundary.may_send(org, lanes[step.lane], label, tier)
            if verdict.allowed:
                return None
            policies.extend(policy.id for policy in verdict.policies)
    return tuple(dict.fromkeys(policies))
