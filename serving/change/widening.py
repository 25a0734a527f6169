"""What may leave under this bundle and could not under that one? Asked of both boundaries, question by question, and of what labels a text.

A question is a tenant, a place outside (provider, address, region), a label and a tier: places are compared, not lanes' names, so a lane
that keeps its name and changes its address is a new way out. Whatever can't be shown to be as strict as before counts as wider.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from router.bundle import Bundle
from router.bundle.files import LaneSpec
from router.bundle.promises import representative_labels
from router.contract import LEVELS, RISK_TIERS, Label, RiskTier
from router.labels import join

_Place = tuple[str, str, str]
_Question = tuple[str, _Place, Label, RiskTier]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two bundles' difference in what may leave, in sentences. Both can be there: one way out was opened, another closed."""

    widens: tuple[str, ...]
    tightens: tuple[str, ...]


def compare(old: Bundle | None, new: Bundle) -> Comparison:
    """Compare a bundle with the one in force. Where none is, nothing may leave: whatever the new one lets out is wider."""
    known = [new] if old is None else [old, new]
    questions = tuple(_questions(known))
    before = _allowed(old, questions) if old is not None else frozenset()
    after = _allowed(new, questions)
    widens, tightens = _opened(after - before), _opened(before - after)
    if old is None:
        return Comparison(widens, tightens)
    labelling = tuple(_labelling(old, new))
    return Comparison(
        (*widens, *(said for wider, said in labelling if wider)),
        (*tightens, *(said for wider, said in labelling if not wider)),
    )


def _questions(bundles: Iterable[Bundle]) -> Iterator[_Question]:
    """Every question that either bundle can be asked: levels and tiers all, categories and jurisdictions none, each alone and all."""
    known = tuple(bundles)
    orgs = sorted({org for bundle in known for org in bundle.tenants})
    places = sorted({_place(lane) for bundle in known for lane in bundle.lanes.values() if lane.is_hosted})
    categories = {category for bundle in known for category in bundle.tiers.levels}
    laws = {law for bundle in known for lane in bundle.lanes.values() for law in lane.jurisdictions}
    laws |= {law for bundle in known for tenant in bundle.tenants.values() for law in tenant.label.jurisdictions}
    yield from product(orgs, places, tuple(representative_labels(categories, laws)), RISK_TIERS)


def _allowed(bundle: Bundle, questions: Iterable[_Question]) -> frozenset[_Question]:
    """Return the questions to which some lane of the bundle that leads there answers yes."""
    lanes: dict[_Place, list[LaneSpec]] = {}
    for lane in bundle.lanes.values():
        if lane.is_hosted:
            lanes.setdefault(_place(lane), []).append(lane)
    return frozenset(question for question in questions if _may_leave(bundle, lanes.get(question[1], []), question))


def _may_leave(bundle: Bundle, lanes: Iterable[LaneSpec], question: _Question) -> bool:
    org, _, label, tier = question
    tenant = bundle.tenants.get(org)
    if tenant is None:
        return False
    labelled = join(label, tenant.label)
    usable = (lane for lane in lanes if not tenant.lanes or lane.name in tenant.lanes)
    return any(bundle.boundary.may_send(org, lane, labelled, tier).allowed for lane in usable)


def _place(lane: LaneSpec) -> _Place:
    assert lane.hosted is not None
    return lane.hosted.provider, lane.hosted.base_url, lane.hosted.region


def _opened(questions: frozenset[_Question]) -> tuple[str, ...]:
    """One sentence for each tenant and place: how many kinds of text, and the most sensitive of them."""
    counts = Counter((org, place) for org, place, _, _ in questions)
    return tuple(
        f"{org} to {provider} ({region}) at {address}: {count} kinds of text, up to "
        + _words(max((one for one in questions if one[:2] == (org, (provider, address, region))), key=_weight))
        for (org, (provider, address, region)), count in sorted(counts.items())
    )


def _weight(question: _Question) -> tuple[int, int, int, str]:
    _, _, label, tier = question
    held = (*label.categories, *label.jurisdictions)
    return LEVELS.index(label.level), len(held), RISK_TIERS.index(tier), " ".join(held)


def _words(question: _Question) -> str:
    _, _, label, tier = question
    held = ", ".join((*label.categories, *label.jurisdictions)) or "no category"
    return f"{label.level} text ({held}) at tier {tier}"


def _labelling(old: Bundle, new: Bundle) -> Iterator[tuple[bool, str]]:
    """What gives the same text another label or tier, so that the boundary is asked another question; True where it is a lower one."""
    if new.tiers.raise_at != old.tiers.raise_at:
        wider = new.tiers.raise_at > old.tiers.raise_at
        yield (
            wider,
            f"findings raise a label from a score of {new.tiers.raise_at:g} on (before: {old.tiers.raise_at:g})",
        )
    for category in sorted({*old.tiers.levels, *new.tiers.levels}):
        # A category that a bundle does not list counts as restricted.
        before, after = (bundle.tiers.levels.get(category, "restricted") for bundle in (old, new))
        if before != after:
            yield LEVELS.index(after) < LEVELS.index(before), f"{category} data is {after} (before: {before})"
    yield from _gone_and_new(_tier_rules(old), _tier_rules(new))
    yield from _gone_and_new(_raising_routes(old), _raising_routes(new))


def _gone_and_new(old: Mapping[object, str], new: Mapping[object, str]) -> Iterator[tuple[bool, str]]:
    """What raises labels or tiers, by what makes it the same thing: without it, the same text counts for less."""
    yield from ((True, f"{said} is gone or changed") for rule, said in old.items() if rule not in new)
    yield from ((False, f"{said} is new or changed") for rule, said in new.items() if rule not in old)


def _tier_rules(bundle: Bundle) -> dict[object, str]:
    return {(rule.tier, rule.when): f"the tier rule `{rule.id}` (at least {rule.tier})" for rule in bundle.tiers.rules}


def _raising_routes(bundle: Bundle) -> dict[object, str]:
    raising = [route.spec for route in bundle.routes if route.spec.label != Label()]
    return {
        (route.when, route.label): f"the route `{route.id}` (a label of {route.label.level} at least)"
        for route in raising
    }
