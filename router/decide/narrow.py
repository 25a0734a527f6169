"""What is left of a plan once it was made again? Only what both allow: a plan may shrink before it sends, it never grows."""

from router.bundle.files.demands import Demand, deeper, least
from router.bundle.files.demands import join as join_demands
from router.contract import CONCERNS, Budgets, ClosedRung, Decision, Redacts, RetrievalPlan, Rung, Sampling
from router.decide.context import lower
from router.decide.rungs import DAY_SPENT, OFF_NOW, TOO_DEAR, TOO_LONG
from router.errors import BudgetExhausted, ContextTooLong, LaneOverloaded, PolicyDenied, RouterError
from router.labels import highest, join

NARROWED = "a later decision no longer holds this rung"


def narrow(previous: Decision, later: Decision) -> Decision:
    """Return the plan that both decisions allow: the rungs of both, the higher label and tier, the lesser budgets, every reason.

    A planned end (refusal, approval, question) of either is an end. What is kept stays in the order of the earlier plan.
    """
    ended = next((one for one in (previous, later) if one.action != "answer"), None)
    allowed = {(rung.lane, rung.model): rung for rung in later.ladder} if ended is None else {}
    pairs = [(rung, allowed.get((rung.lane, rung.model))) for rung in previous.ladder]
    kept = tuple(_narrowed(rung, still) for rung, still in pairs if still is not None)
    if kept and "start" not in kept[0].on:
        kept = (kept[0].model_copy(update={"on": ("start", *kept[0].on)}), *kept[1:])
    return previous.model_copy(
        update={
            "action": ended.action if ended else "answer",
            "message": ended.message if ended else None,
            "route": (ended or later).route,
            "risk_tier": highest((previous.risk_tier, later.risk_tier)),
            "label": join(previous.label, later.label),
            "attack": max(previous.attack, later.attack, key=CONCERNS.index),
            "harm": max(previous.harm, later.harm, key=CONCERNS.index),
            "spans": tuple(dict.fromkeys((*previous.spans, *later.spans))),
            "findings": (*previous.findings, *(one for one in later.findings if one not in previous.findings)),
            "lane": kept[0].lane if kept else None,
            "model": kept[0].model if kept else None,
            "retrieval": _retrieval(previous.retrieval, later.retrieval),
            "tools": tuple(tool for tool in previous.tools if tool in later.tools),
            "client_tools": previous.client_tools and later.client_tools,
            "sampling": _sampling(previous.sampling, later.sampling),
            **_way_out(previous, later),
            "ladder": kept,
            "closed": _closed(previous, later, kept),
            "budgets": _least(previous.budgets, later.budgets),
            "policies": tuple(dict.fromkeys((*later.policies, *previous.policies))),
            "bundle_hash": later.bundle_hash,
            "classifier": later.classifier,
        }
    )


def _retrieval(previous: RetrievalPlan | None, later: RetrievalPlan | None) -> RetrievalPlan | None:
    """Look where both look: as deep as either asks, for no more than both allow."""
    if previous is None or later is None or previous.index != later.index:
        return None
    narrowed = {
        "top_k": min(previous.top_k, later.top_k),
        "strategy": deeper(previous.strategy, later.strategy),
        "clearance": lower(previous.clearance, later.clearance),
    }
    return previous.model_copy(update=narrowed)


def _sampling(previous: Sampling, later: Sampling) -> Sampling:
    """Decode as planned, within what the later decision bounds."""
    pairs = {name: (getattr(previous, name), getattr(later, name)) for name in ("temperature", "top_p")}
    bounds = {name: least(*pair) for name, pair in pairs.items()}
    return previous.model_copy(update={name: bound for name, bound in bounds.items() if bound is not None})


def _way_out(previous: Decision, later: Decision) -> dict[str, object]:
    """When and how the answer goes out, and what is kept of it: as the stricter of both plans says."""
    both = join_demands(
        Demand(stream=one.stream, review=one.review, disclaimer=one.disclaimer, checks=one.checks, keep=one.keep)
        for one in (previous, later)
    )
    resumes = previous.on_stream_cut == later.on_stream_cut == "resume"
    return {
        "stream": both.stream,
        "on_stream_cut": "resume" if resumes else "error",
        "review": both.review,
        "disclaimer": both.disclaimer,
        "checks": both.checks,
        "keep": both.keep,
    }


def _narrowed(previous: Rung, later: Rung) -> Rung:
    """The rung as both plans hold it: it takes out what either takes out, and what is left may be as much as either found."""
    match previous.redacts, later.redacts:
        case None, redacts:
            return previous if redacts is None else previous.model_copy(update={"redacts": redacts})
        case _, None:
            return previous
        case Redacts() as one, Redacts() as other:
            both = Redacts(
                categories=tuple(sorted({*one.categories, *other.categories})), label=join(one.label, other.label)
            )
            return previous.model_copy(update={"redacts": both})


def _closed(previous: Decision, later: Decision, kept: tuple[Rung, ...]) -> tuple[ClosedRung, ...]:
    """Every rung either plan closed, the later reason first, and those that just fell away."""
    reasons = {rung.lane: rung for rung in (*previous.closed, *later.closed)}
    for rung in previous.ladder:
        if rung.lane not in reasons and not any(rung.lane == still.lane for still in kept):
            reasons[rung.lane] = ClosedRung(lane=rung.lane, model=rung.model, because=NARROWED)
    return tuple(reasons.values())


def _least(one: Budgets, other: Budgets) -> Budgets:
    return Budgets(**{name: min(getattr(one, name), getattr(other, name)) for name in Budgets.model_fields})


def refusal_of(decision: Decision) -> RouterError | None:
    """Return what the caller is told when a plan to answer has no rung; None when there is one, or the end is planned.

    Policy denies only when no lane was kept from answering by circumstances: one that is off may be back soon.
    """
    if decision.action != "answer" or decision.ladder:
        return None
    for rung in decision.closed:
        if rung.because.startswith(OFF_NOW):
            return LaneOverloaded(rung.lane, rung.because)
    for rung in decision.closed:
        if rung.because.startswith(DAY_SPENT):
            return BudgetExhausted(rung.lane, rung.because)
    for rung in decision.closed:
        if rung.because.startswith(TOO_LONG):
            return ContextTooLong(f"lane {rung.lane}: {rung.because.removeprefix(TOO_LONG)}", "messages")
    reasons = "; ".join(f"{rung.lane}: {rung.because}" for rung in decision.closed) or "the bundle has no private lane"
    policies = tuple(dict.fromkeys(policy for rung in decision.closed for policy in rung.policies))
    kind = (
        "is within budget"
        if any(rung.because.startswith(TOO_DEAR) for rung in decision.closed)
        else "may answer this request"
    )
    return PolicyDenied(f"no lane {kind} ({reasons})", policies)
