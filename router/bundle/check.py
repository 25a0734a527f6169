"""Does the bundle hold together? Every condition evaluates, every route can be reached, every ladder ends in an answer."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from router.boundary import UNKNOWN, Boundary, House, SendQuestion, enumerated
from router.bundle.cedar import policies_text, type_errors
from router.bundle.conditions import Conditions, compile_condition, compile_conditions
from router.bundle.demanding import demand_findings
from router.bundle.files import LanesFile, LaneSpec, TenantsFile, ToolFile
from router.bundle.ladder import planned_steps
from router.bundle.promises import PROPERTY_NAMES, representative_labels
from router.bundle.proof import all_verdicts, in_words, prove
from router.bundle.reach import World, reach
from router.bundle.references import reference_findings
from router.bundle.served import serving_findings
from router.bundle.source import SCHEMA_FILE, Source
from router.bundle.space import space_of
from router.bundle.variables import TopicHeads
from router.contract import RISK_TIERS, Label
from router.errors import BundleInvalid, NotProved
from router.rules import Rule


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check made on its way: compiled conditions and the boundary. Whole when nothing was found."""

    conditions: Conditions
    boundary: Boundary | None


def check_source(source: Source, heads: TopicHeads) -> Checked:
    """Run every check; findings are added to the source."""
    reference_findings(source)
    serving_findings(source)
    demand_findings(source)
    conditions = compile_conditions(source)
    boundary = _boundary(source)
    if source.tenants is None or source.tiers is None or source.schema is None:
        return Checked(conditions, boundary)
    world = _world(source, heads)
    _reachable(source, conditions.routes, conditions.broken, world)
    # A policy that does not parse is not there; what follows would find the faults of its absence.
    if boundary is not None and not any(finding.file.startswith("boundary/") for finding in source.findings):
        kinds = kinds_of(source)
        lanes = {lane.name for lane in kinds.lanes.values()}
        boundary.settle(
            SendQuestion(org, lane, label, tier)
            for org, lane, label, tier in product(kinds.orgs, lanes, _labels(source), RISK_TIERS)
        )
        _promises(source, boundary)
        _ladders_end(source, conditions.routes, boundary, world, kinds)
    return Checked(conditions, boundary)


def _boundary(source: Source) -> Boundary | None:
    """Check policies against the schema and build the boundary, once names and types are sound."""
    if source.schema is None:
        return None
    errors = type_errors(source.policies, source.schema, SCHEMA_FILE)
    source.findings.extend(errors)
    if errors or source.lanes is None or source.tenants is None:
        return None
    try:
        return Boundary(
            policies_text(source.policies), source.schema, house_of(source.lanes, source.tenants, source.tools.values())
        )
    except BundleInvalid as error:
        source.find(
            SCHEMA_FILE,
            1,
            str(error),
            "keep the entities and actions that config/starter has, as it has them",
        )
        return None


def house_of(lanes: LanesFile, tenants: TenantsFile, tools: Collection[ToolFile]) -> House:
    """Return all that a question to the boundary can name."""
    return House(lanes.lanes, tenants.tenants, tools, lanes.indexes, lanes.stores)


def _world(source: Source, heads: TopicHeads) -> World:
    assert source.tenants is not None
    assert source.tiers is not None
    assert source.schema is not None
    orgs = tuple(tenant.org for tenant in source.tenants.tenants)
    places = tuple(sorted(enumerated(source.schema, "Jurisdiction")))
    return World(heads, orgs, dict(source.tiers.levels), places)


@dataclass(frozen=True, slots=True)
class Kinds:
    """One tenant of each kind that policies and properties can tell apart, and for each lane the one that stands for its kind."""

    orgs: tuple[str, ...]
    lanes: Mapping[str, LaneSpec]


def kinds_of(source: Source) -> Kinds:
    """Group tenants and lanes that get the same verdicts: what no policy names differs by its attributes alone."""
    assert source.lanes is not None
    assert source.tenants is not None
    spoken = policies_text(source.policies)
    spoken += " ".join(rule.when for rule in source.properties.properties) if source.properties else ""
    orgs = {(tenant.org if tenant.org in spoken else ""): tenant.org for tenant in reversed(source.tenants.tenants)}
    first: dict[object, LaneSpec] = {}
    lanes: dict[str, LaneSpec] = {}
    for lane in source.lanes.lanes:
        other_end = (lane.hosted.provider, lane.hosted.region) if lane.hosted else None
        named = lane.name if f'"{lane.name}"' in spoken or f"'{lane.name}'" in spoken else ""
        lanes[lane.name] = first.setdefault(
            (named, other_end, lane.where, lane.jurisdictions, lane.cleared_for, lane.redact), lane
        )
    return Kinds(tuple(sorted(orgs.values())), lanes)


def _labels(source: Source) -> list[Label]:
    assert source.schema is not None
    categories = enumerated(source.schema, "Category") - {UNKNOWN}
    return list(representative_labels(categories, enumerated(source.schema, "Jurisdiction") - {UNKNOWN}))


def _promises(source: Source, boundary: Boundary) -> None:
    """Hold the boundary against the bundle's own properties, over every question there is, and its tests."""
    assert source.schema is not None
    assert source.tenants is not None
    assert source.lanes is not None
    file = "boundary/properties.yaml"
    lines = [source.line(file, "properties", index, "when") for index in range(len(source.promised))]
    sound = [
        (rule, line)
        for rule, line in zip(source.promised, lines, strict=True)
        if compile_condition(source, file, line, rule.when, PROPERTY_NAMES) is not None
    ]
    try:
        space = space_of(source.schema, source.tenants.tenants, source.lanes.lanes, source.tools.values())
        verdicts = all_verdicts(space, boundary)
    except NotProved as error:
        source.doubt(file, 1, f"no property can be proved: {error}", "make the schema smaller, or the policies simpler")
    else:
        for rule, line in sound:
            proof = prove(rule, verdicts)
            if not proof.holds:
                said = in_words(proof.broken_by) if proof.broken_by else f"no question, because {proof.because}"
                message = f"the boundary breaks `{rule.id}` ({rule.must}): {said}"
                source.doubt(file, line, message, "mend the policies, or the property")
    _tests(source, boundary)


def _tests(source: Source, boundary: Boundary) -> None:
    assert source.lanes is not None
    lanes = {lane.name: lane for lane in source.lanes.lanes}
    file = "boundary/tests.yaml"
    for index, test in enumerate(source.tests.tests if source.tests else ()):
        line = source.line(file, "tests", index)
        if test.lane is not None and test.lane not in lanes:
            source.doubt(file, line, f"unknown lane `{test.lane}`", f"use one of {', '.join(lanes)}")
            continue
        verdict = test.ask(boundary)
        fired = [policy.id for policy in verdict.policies]
        if verdict.allowed != (test.expect == "allow") or (test.by is not None and test.by not in fired):
            answer = "allow" if verdict.allowed else "deny"
            source.doubt(
                file,
                line,
                f"`{test.name}`: the boundary answers {answer} by {', '.join(fired)}",
                "mend the policies, or the test",
            )


def _reachable(source: Source, rules: Sequence[Rule | None], broken: frozenset[int], world: World) -> None:
    """Note routes that no request reaches, and conditions that some request breaks."""
    for index, route in enumerate(source.routes.routes if source.routes else ()):
        if index in broken:
            continue
        line = source.line("routes.yaml", "routes", index, "when")
        walk = reach(rules, index, world)
        for condition, error in walk.errors.items():
            if route.when == condition:
                source.doubt(
                    "routes.yaml",
                    line,
                    f"bad CEL: {error}",
                    "make it answer for every request; docs/policy.md lists the types",
                )
        if walk.witness is None and not walk.errors:
            how = f" (looked at {walk.steps} situations, not at all)" if walk.sampled else ""
            mend = "move it before the route that takes its requests, change `when`, or remove it"
            source.doubt("routes.yaml", line, f"no request reaches the route `{route.id}`{how}", mend)


def _ladders_end(source: Source, rules: Sequence[Rule | None], boundary: Boundary, world: World, kinds: Kinds) -> None:
    """Note routes that some label reaches and the boundary leaves without any lane."""
    ladders = {ladder.name: ladder for ladder in source.ladders.ladders} if source.ladders else {}
    for index, route in enumerate(source.routes.routes if source.routes else ()):
        if not ladders.keys() >= set(route.fallback.values()):
            continue
        starts = [step for step in planned_steps(route, ladders) if "start" in step.on or "boundary" in step.on]
        # Private lanes first: most ladders are settled by their first one.
        known = [kinds.lanes[step.lane] for step in starts if step.lane in kinds.lanes]
        lanes = sorted({lane.name: lane for lane in known}.values(), key=_hosted_last)
        stuck = _stuck(source, index, lanes, rules, boundary, world, kinds.orgs) if lanes else None
        if stuck is not None:
            line = source.line("routes.yaml", "routes", index)
            message = f"the ladder of `{route.id}` ends in nothing for {stuck}"
            source.doubt("routes.yaml", line, message, "give its `fallback` an `on_boundary` ladder of private lanes")


def _hosted_last(lane: LaneSpec) -> tuple[bool, str]:
    return lane.is_hosted, lane.name


def _stuck(
    source: Source,
    index: int,
    lanes: Sequence[LaneSpec],
    rules: Sequence[Rule | None],
    boundary: Boundary,
    world: World,
    orgs: Sequence[str],
) -> str | None:
    """Return a label that reaches the route and finds none of these lanes open, in words."""
    for label, tier, org in product(_labels(source), RISK_TIERS, orgs):
        verdicts = []
        for lane in lanes:
            verdicts.append(boundary.may_send(SendQuestion(org, lane.name, label, tier)))
            if verdicts[-1].allowed:
                break
        else:
            fixed = {
                "level": label.level,
                "categories": list(label.categories),
                "jurisdictions": list(label.jurisdictions),
                "risk_tier": tier,
            }
            if reach(rules, index, world, fixed).witness is not None:
                held = ", ".join((*label.categories, *label.jurisdictions)) or "no category"
                closed_by = dict.fromkeys(policy.id for verdict in verdicts for policy in verdict.policies)
                return f"{label.level} text ({held}) at tier {tier}, closed by {', '.join(closed_by)}"
    return None
