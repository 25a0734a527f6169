"""What is no longer demanded of an answer, or of a tool's call, that was? Nothing more leaves by it, and what goes out was looked at less.

Errs towards yes: a check that looks for something else counts as loosened, since the two can't be told apart by strictness.
"""

from collections.abc import Iterator
from typing import Final, get_args

from router.bundle import Bundle
from router.bundle.answer_checks import CheckSpec
from router.bundle.demands import in_words
from router.bundle.files import RouteSpec, TierProfile, ToolFile
from router.bundle.files.demands import SIDE_EFFECTS, Demand, join
from router.bundle.files.tiers import Response
from router.contract import RISK_TIERS, Keep, RiskTier
from router.labels import at_most

_RESPONSES: Final[tuple[Response, ...]] = get_args(Response)
"""What is done about a flag, in the order of how much it stops."""
_NOT_IN_WORDS: Final = ("index", "keep", "checks")


def loosened(old: Bundle, new: Bundle) -> Iterator[str]:
    """Yield each demand of `old` that `new` no longer makes, in a sentence; nothing where it demands all that and more."""
    yield from _tiers(old, new)
    for topic, demand in old.demands.topics.items():
        for what in less_demanded(demand, new.demands.topics.get(topic, Demand())):
            yield f"about {topic}: {what}"
    yield from _checks(old, new)
    yield from _tools(old, new)
    yield from _routes(old, new)


def less_demanded(old: Demand, new: Demand) -> Iterator[str]:
    """Yield what `old` demands and `new` does not, a clause each."""
    if gone := [name for name in old.checks if name not in new.checks]:
        yield f"it is no longer checked for {', '.join(gone)}"
    both = join((new, old))
    for name in Demand.model_fields:
        if name in _NOT_IN_WORDS or _same(getattr(both, name), getattr(join((new, new)), name)):
            continue
        was = list(in_words(Demand.model_construct(**{name: getattr(old, name)})))
        now = list(in_words(Demand.model_construct(**{name: getattr(new, name)})))
        yield f"it was demanded that {was[0] if was else name}, now {now[0] if now else 'nothing of the kind'}"
    if old.index is not None and new.index != old.index:
        yield f"context was looked up in {old.index}, now in {new.index or 'none'} where a route names none"
    yield from _kept(old.keep or Keep(), new.keep or Keep())


def _same(one: object, other: object) -> bool:
    """Whether two demands of one kind are one: lists of names have no order, and neither have a disclaimer's lines."""
    match one, other:
        case tuple(), tuple():
            return set(one) == set(other)
        case str(), str():
            return set(one.splitlines()) == set(other.splitlines())
        case _:
            return one == other


def _kept(old: Keep, new: Keep) -> Iterator[str]:
    if new.text and not old.text:
        yield "the answer's text is kept, where only hashes were"
    if new.days > old.days:
        yield f"what is kept is kept for {new.days} days, not {old.days}"


def _tiers(old: Bundle, new: Bundle) -> Iterator[str]:
    """Each clause once, with the tiers at which it holds: a tier demands what those below it do."""
    found: dict[str, list[RiskTier]] = {}
    for tier in RISK_TIERS:
        for what in (
            *less_demanded(old.demands.tiers[tier], new.demands.tiers[tier]),
            *_flags(old.profiles[tier], new.profiles[tier]),
        ):
            found.setdefault(what, []).append(tier)
    for what, tiers in found.items():
        yield f"at {', '.join(tiers)} risk: {what}"


def _flags(old: TierProfile, new: TierProfile) -> Iterator[str]:
    for flag, before, after in (("attack", old.on_attack, new.on_attack), ("harm", old.on_harm, new.on_harm)):
        if _RESPONSES.index(after) < _RESPONSES.index(before):
            yield f"a request flagged for {flag} meets `{after}`, not `{before}`"


def _checks(old: Bundle, new: Bundle) -> Iterator[str]:
    """A check that is demanded still, and finds less. One that is demanded no more is the demand's to tell."""
    for name, check in old.checks.items():
        later = new.checks.get(name)
        if later is None:
            continue
        if _finds_less(check.spec, later.spec):
            yield f"the check {name} looks for something else"
        if later.spec.then == "person" != check.spec.then:
            yield f"what the check {name} finds goes before a person, who may let it out"


def _finds_less(old: CheckSpec, new: CheckSpec) -> bool:
    """Whether a newer check may pass what the older one found: all else alike, more words or fewer ways out find more."""
    same = new.model_copy(
        update={"words": old.words, "unless": old.unless, "says": old.says, "because": old.because, "then": old.then}
    )
    return same != old or not set(old.words) <= set(new.words) or not set(new.unless) <= set(old.unless)


def _tools(old: Bundle, new: Bundle) -> Iterator[str]:
    for name, tool in old.tools.items():
        if (later := new.tools.get(name)) is not None:
            yield from (f"tool {name}: {what}" for what in _less_asked(tool, later))


def _less_asked(old: ToolFile, new: ToolFile) -> Iterator[str]:
    if SIDE_EFFECTS.index(new.side_effect) < SIDE_EFFECTS.index(old.side_effect):
        yield f"it counts as {new.side_effect}, not {old.side_effect}"
    if old.needs_person and not new.needs_person:
        yield "no person approves its calls any more"
    if old.needs_person and new.needs_person and (old.approver, new.approver) == ("another", "anyone"):
        yield "whoever asks may approve it too"
    if not at_most(old.label, new.label):
        yield "what it returns is labelled lower"
    if old.pin is not None and new.pin != old.pin:
        yield "its definition is another one than was approved"


def _routes(old: Bundle, new: Bundle) -> Iterator[str]:
    kept = {route.spec.id: route.spec for route in new.routes}
    for route in old.routes:
        if (later := kept.get(route.spec.id)) is not None:
            yield from (f"route {route.spec.id}: {what}" for what in _less_planned(route.spec, later))


def _less_planned(old: RouteSpec, new: RouteSpec) -> Iterator[str]:
    """A route that is still there and asks for less of the same answer."""
    plans = {plan.name: plan for plan in new.tools}
    for plan in old.tools:
        if plan.needs_approval and (later := plans.get(plan.name)) is not None and not later.needs_approval:
            yield f"no person approves the calls of {plan.name} any more"
    if old.output_contract.citations and not new.output_contract.citations:
        yield "its answers need not cite their sources any more"
