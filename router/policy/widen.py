"""What may leave under one version of a bundle that may not under another, or with less demanded of it?

Not only by the boundary: by labels too, by who may ask, and by what an answer must meet (`loosen`). Errs towards yes: what can't be
compared counts as wider. A version for which this is empty lets out nothing that the older one keeps.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from router.bundle import Bundle
from router.bundle.proof import in_words
from router.bundle.space import Question
from router.contract import LEVELS, RISK_TIERS, Label, Level
from router.labels import at_most
from router.policy.loosen import loosened
from router.policy.overlay import Shift, shifts


@dataclass(frozen=True, slots=True)
class Widening:
    """One way in which more may leave, or (`demand`) the same with less demanded of it. `what` says it in a sentence.

    `example` is a question that is newly let out, where there is one.
    """

    by: Literal["boundary", "label", "tier", "route", "demand"]
    what: str
    example: Question | None = None


def widens(old: Bundle, new: Bundle) -> tuple[Widening, ...]:
    """Return every way in which `new` lets out more than `old`; nothing when it does not. Raises `SpaceTooLarge`, `TablesDisagree`."""
    return (*(_opened(shift) for shift in shifts(old, new) if shift.opens), *lowered(old, new))


def lowered(old: Bundle, new: Bundle) -> Iterator[Widening]:
    """Yield what may label the same text lower than before, and what is no longer demanded of an answer or a tool's call.

    Labelled lower, the boundary is asked an easier question of it.
    """
    yield from _lower_labels(old, new)
    yield from _lower_tiers(old, new)
    yield from _redactions(old, new)
    yield from _routes(old, new)
    yield from (Widening("demand", what) for what in loosened(old, new))


def _opened(shift: Shift) -> Widening:
    what = (
        f"{' and '.join(shift.policies)} let out to {', '.join(map(str, shift.ways))}, for {', '.join(shift.orgs)}, "
        f"what stayed before ({shift.questions:,} questions): {in_words(shift.example)}"
    )
    return Widening("boundary", what, shift.example)


def _lower_labels(old: Bundle, new: Bundle) -> Iterator[Widening]:
    """The same text, labelled lower."""
    if new.tiers.raise_at > old.tiers.raise_at:
        what = f"findings count from a score of {new.tiers.raise_at}, not {old.tiers.raise_at}"
        yield Widening("label", what)
    for category in {**old.tiers.levels, **new.tiers.levels}:
        before, after = (_level(bundle, category) for bundle in (old, new))
        if LEVELS.index(after) < LEVELS.index(before):
            yield Widening("label", f"{category} data is {after}, not {before}")
    for org, tenant in new.tenants.items():
        if org in old.tenants and not at_most(old.tenants[org].label, tenant.label):
            yield Widening("label", f"requests of {org} are no longer labelled {_said(old.tenants[org].label)}")
    yield from _weaker_alarms(old, new)


def _weaker_alarms(old: Bundle, new: Bundle) -> Iterator[Widening]:
    """The same score for attack or harm, taken less seriously. That matters where the boundary asks for the concern."""
    for alarm, before, after in (
        ("attack", old.tiers.concerns.attack, new.tiers.concerns.attack),
        ("harm", old.tiers.concerns.harm, new.tiers.concerns.harm),
    ):
        if after.suspected > before.suspected:
            yield Widening("label", f"{alarm} is suspected from a score of {after.suspected}, not {before.suspected}")
        # Without a score of the bundle's own, the classifier's flag alone counts.
        if before.flagged is not None and (after.flagged is None or after.flagged > before.flagged):
            yield Widening("label", f"{alarm} is flagged {_from(after.flagged)}, not {_from(before.flagged)}")


def _from(score: float | None) -> str:
    return f"from a score of {score}" if score is not None else "by the classifier alone"


def _level(bundle: Bundle, category: str) -> Level:
    return bundle.tiers.levels.get(category, "restricted")


def _said(label: Label) -> str:
    return ", ".join((label.level, *label.categories, *label.jurisdictions))


def _lower_tiers(old: Bundle, new: Bundle) -> Iterator[Widening]:
    """The same request, at a lower risk tier. That matters where the boundary asks for the tier."""
    kept = {rule.spec.id: rule.spec for rule in new.tier_rules}
    for rule in old.tier_rules:
        later = kept.get(rule.spec.id)
        if later is None:
            yield Widening("tier", f"the tier rule {rule.spec.id} ({rule.spec.tier}) is gone")
        elif RISK_TIERS.index(later.tier) < RISK_TIERS.index(rule.spec.tier):
            yield Widening("tier", f"the tier rule {rule.spec.id} gives {later.tier}, not {rule.spec.tier}")
        elif later.when != rule.spec.when:
            yield Widening("tier", f"the tier rule {rule.spec.id} has another condition")


def _redactions(old: Bundle, new: Bundle) -> Iterator[Widening]:
    """What a lane takes out no longer keeps a text from it."""
    for name, lane in new.lanes.items():
        before = old.lanes[name].redact if name in old.lanes else ()
        if more := sorted(set(lane.redact).difference(before)):
            what = f"texts with {', '.join(more)} data may go to lane {name}, which puts placeholders in its place"
            yield Widening("label", what)


def _routes(old: Bundle, new: Bundle) -> Iterator[Widening]:
    """A route can declare a label for what it takes: one that no longer does, or takes something else, labels that lower."""
    kept = {route.spec.id: route.spec for route in new.routes}
    for route in old.routes:
        later = kept.get(route.spec.id)
        if route.spec.label == Label():
            continue
        if later is None or later.when != route.spec.when or not at_most(route.spec.label, later.label):
            yield Widening(
                "route", f"what the route {route.spec.id} took is no longer labelled {_said(route.spec.label)}"
            )
