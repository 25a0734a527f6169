"""What happened to this request, in sentences a manager understands? Read off the evidence alone, and never a word of the text.

Asked for, found, ruled, looked up, called, went, did not go, checked, seen by people, ended, left the building: in this order, each only
where it happened.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

from router.contract import AttemptEnded, ClosedRung, Decision, Effect, Evidence, Finding, Finished
from router.explain.help import help_clauses, help_sentences
from router.explain.looked import looked_clauses, looked_sentences, released_sentences, spent_sentences
from router.explain.words import capital, category, clause, count, entity, listed, printable, seconds, words

_ENDS: Final = {
    "stop": "answered",
    "length": "answered up to its limit of tokens",
    "tool_calls": "answered with a call of the caller's own tools",
    "content_filter": "was stopped by a content filter",
    "refusal": "declined to answer",
    "timeout": "did not answer in time",
    "connection": "could not be reached or gave no proper answer",
    "overload": "had no room",
    "rate_limit": "had used up its rate limit",
    "schema_failure": "gave an answer of the wrong form",
    "stream_cut": "broke off in the middle of its answer",
    "cancelled": "was stopped when the caller went away",
    "unsupported_parameter": "has no word for something that was asked for",
    "egress_refused": "was not reached: the door did not let the request out",
}
_SAYS_WHAT_IT_SENT: Final = frozenset({"stop", "length", "tool_calls", "content_filter", "refusal"})
"""Ends after which a hosted lane has reported what it sent; an attempt that broke off may have sent without saying so."""


def explain(evidence: Evidence) -> str:
    """Return the record's story, one sentence a line."""
    return "\n".join(_sentences(evidence))


def explain_line(evidence: Evidence) -> str:
    """Return the story on one line: who, what was found, which rule, how it ended, what was closed, what left."""
    plan = _plan(evidence)
    clauses = [f"{_who(evidence)} asked"]
    if plan is not None:
        found = _things(plan.findings)
        clauses.append(f"found {found}" if found else "nothing sensitive found")
        clauses.append(f"{plan.risk_tier} risk, {_label(plan)}")
        clauses.append(f"route `{plan.route}`{_route_because(plan)}")
    clauses.extend(help_clauses(evidence))
    clauses.append(_end_clause(evidence))
    clauses.extend(looked_clauses(evidence))
    clauses.extend(f"not to {rung.lane}{_by(rung)}" for rung in _closed(evidence))
    clauses.append(_left(evidence))
    return "; ".join(clauses) + "."


def _sentences(evidence: Evidence) -> Iterator[str]:
    plan = _plan(evidence)
    yield _asked(evidence)
    if plan is not None:
        yield from _found(plan)
        yield from _ruled(plan)
    yield from help_sentences(evidence)
    yield from _went(evidence)
    yield from _changed(evidence)
    yield from _did_not_go(evidence)
    yield from _redacted(evidence)
    yield from looked_sentences(evidence)
    yield from released_sentences(evidence)
    yield from spent_sentences(evidence)
    yield _ended(evidence)
    yield f"{capital(_left(evidence))}."


def _plan(evidence: Evidence) -> Decision | None:
    return evidence.decisions[0].decision if evidence.decisions else None


def _who(evidence: Evidence) -> str:
    accepted = evidence.accepted
    if accepted is None or accepted.org is None:
        return "An unknown caller"
    return accepted.org if accepted.user is None else f"{accepted.org} (user {printable(accepted.user)})"


def _asked(evidence: Evidence) -> str:
    when = datetime.fromtimestamp(evidence.started_at, UTC)
    at = f"on {when.day} {when:%B %Y at %H:%M:%S} UTC"
    accepted = evidence.accepted
    if accepted is None:
        return f"{_who(evidence)} asked {at}."
    size = f"{count(accepted.message_count, 'message')}, {count(accepted.character_count, 'character')}"
    wish = (
        "left the choice of the model to the router"
        if accepted.requested_model == "auto"
        else f"asked for `{printable(accepted.requested_model)}` by name"
    )
    return f"{_who(evidence)} asked {at} over the {words(accepted.channel)} channel ({size}) and {wish}."


def _found(plan: Decision) -> Iterator[str]:
    topic = plan.topic
    subject = f"It was read as “{words(topic.intent)}” in the domain “{words(topic.domain)}”"
    unknown = ", though its subject is none that the router was trained on" if topic.out_of_scope else ""
    regulated = f", touching on {listed(map(category, topic.regulated))} as a subject" if topic.regulated else ""
    changing = ", and as asking for something to be changed" if topic.state_changing else ""
    yield f"{subject}{unknown}{regulated}{changing}."
    found = _things(plan.findings)
    yield f"It contained {found}." if found else "No sensitive data was found in it."


def _ruled(plan: Decision) -> Iterator[str]:
    yield f"It was treated as {_label(plan)}, at {plan.risk_tier} risk{_why(_fired(plan, 'tier'))}."
    yield f"Route `{plan.route}` applied{_route_because(plan)}."
    for demands in plan.policies:
        if demands.effect == "profile":
            yield f"Demanded {demands.because} (`{demands.id}`)."
    permits = _fired(plan, "permit")
    if permits:
        yield f"Policy allowed this: {'; '.join(permits)}."


def _changed(evidence: Evidence) -> Iterator[str]:
    for earlier, later in zip(evidence.decisions, evidence.decisions[1:], strict=False):
        kept = {rung.lane for rung in later.decision.ladder}
        gone = [rung.lane for rung in earlier.decision.ladder if rung.lane not in kept]
        change = f"from then on {listed(gone)} was closed" if gone else "nothing of it was closed"
        yield f"The plan was checked again on the way ({clause(later.because)}): {change}."


def _went(evidence: Evidence) -> Iterator[str]:
    """Yield where it went, attempt by attempt."""
    plan = _plan(evidence)
    if plan is not None and plan.action != "answer":
        yield f"No model was asked; the caller was told: “{plan.message}”"
    attempts = sorted(evidence.attempts, key=lambda attempt: attempt.attempt)
    for index, attempt in enumerate(attempts):
        wanted = f" for the arguments of the tool {attempt.arguments_of}" if attempt.arguments_of else ""
        yield f"{'Then it' if index else 'It'} went to {_place(attempt.lane, attempt.model)}{wanted}, which {_end(attempt)}."
    for started in evidence.unfinished_attempts:
        yield f"It went to {_place(started.lane, started.model)}; how that ended is not on record."


def _did_not_go(evidence: Evidence) -> Iterator[str]:
    """Yield the closed lanes, each with its reason, and those that stood ready and were not needed."""
    for rung in _closed(evidence):
        yield f"It did not go to {_place(rung.lane, rung.model)}{_by(rung)}: {clause(rung.because)}."
    if evidence.finished is not None and evidence.finished.ended == "answered" and evidence.decisions:
        tried = {attempt.lane for attempt in evidence.attempts if attempt.arguments_of is None}
        ready = dict.fromkeys(rung.lane for rung in evidence.decisions[-1].decision.ladder if rung.lane not in tried)
        if ready:
            yield f"Ready in case of failure, and not needed: {listed(ready)}."


def _redacted(evidence: Evidence) -> Iterator[str]:
    for taken in evidence.redactions:
        what = listed(_counted(kind, number) for kind, number in taken.entities.items())
        yield f"Before it was sent to {taken.lane}, placeholders took the place of {what}; the values were put back into the answer."


def _ended(evidence: Evidence) -> str:
    finished = evidence.finished
    if finished is None:
        return "Its end is not on record: it is still running, or what ran it was killed."
    because = f", because {clause(finished.because)}" if finished.because else ""
    return f"{_ending(finished)} after {seconds(finished.seconds)} (HTTP {finished.status}){because}."


def _ending(finished: Finished) -> str:
    match finished.ended:
        case "answered":
            return "The caller got the answer"
        case "decided":
            return "Only the decision was asked for, and the caller got it"
        case "refused":
            return "The caller got a refusal, as planned"
        case "approval":
            return "The request was held for a person's approval"
        case "clarify":
            return "The caller was asked to say more"
        case "escalated":
            return "The request was put before a person"
        case "denied":
            return "The request was denied"
        case "failed":
            return "The caller got an error"
        case "cancelled":
            return "The caller went away"
        case "bad_request":
            return "The request was turned away as faulty"


def _end_clause(evidence: Evidence) -> str:
    finished = evidence.finished
    if finished is None:
        return "end not on record"
    match finished.ended:
        case "answered":
            by = f" by {_place(finished.lane, finished.model)}" if finished.lane else ""
            return f"answered{by} in {seconds(finished.seconds)}{_failures(evidence)}"
        case "decided":
            return "only the decision was asked for"
        case "refused":
            return "refused, as planned"
        case "approval":
            return "a person must approve it first"
        case "clarify":
            return "the caller was asked to say more"
        case "escalated":
            return "put before a person"
        case "denied":
            return "no lane may answer"
        case "failed":
            return f"failed{_failures(evidence)}"
        case "cancelled":
            return f"the caller went away after {seconds(finished.seconds)}"
        case "bad_request":
            return f"the request is at fault: {clause(finished.because or 'no reason is on record')}"


def _failures(evidence: Evidence) -> str:
    failed = [attempt for attempt in evidence.attempts if attempt.ended not in _SAYS_WHAT_IT_SENT]
    return "".join(f", after {attempt.lane} {_words_of_end(attempt)}" for attempt in failed)


def _left(evidence: Evidence) -> str:
    """Say what left the building. "Nothing" is claimed only where the record is complete enough to claim it."""
    sent = [egress for egress in evidence.egress if egress.allowed]
    if sent:
        return "; ".join(
            f"{count(egress.body_bytes, 'byte')} left the building to {egress.provider} by lane {egress.lane}"
            f" (ledger entry {egress.ledger_entry})"
            for egress in sent
        )
    if evidence.finished is None or any(end.ended not in _SAYS_WHAT_IT_SENT for end in evidence.attempts):
        return "no send out of the building is on record"
    return "nothing left the building"


def _closed(evidence: Evidence) -> list[ClosedRung]:
    """Return every closed rung once, by lane; the first reason counts."""
    closed: dict[str, ClosedRung] = {}
    for decided in evidence.decisions:
        for rung in decided.decision.closed:
            closed.setdefault(rung.lane, rung)
    return list(closed.values())


def _fired(plan: Decision, effect: Effect) -> tuple[str, ...]:
    """Return the reasons of the policies that had this effect, with their IDs."""
    return tuple(f"{clause(policy.because)} (`{policy.id}`)" for policy in plan.policies if policy.effect == effect)


def _route_because(plan: Decision) -> str:
    return _why(clause(policy.because) for policy in plan.policies if policy.effect == "route")


def _why(reasons: Iterable[str]) -> str:
    given = "; ".join(reason for reason in reasons if reason)
    return f", because {given}" if given else ""


def _by(rung: ClosedRung) -> str:
    return f", by {listed(f'`{policy}`' for policy in rung.policies)}" if rung.policies else ""


def _label(plan: Decision) -> str:
    label = plan.label
    holding = f", holding {listed(map(category, label.categories))}" if label.categories else ""
    under = f", under the law of {listed(label.jurisdictions)}" if label.jurisdictions else ""
    return f"{label.level}{holding}{under}"


def _things(findings: Iterable[Finding]) -> str:
    """Return what was found, counted, in plain words; never the text."""
    counted = Counter((finding.entity, finding.category) for finding in findings)
    return listed(f"{_counted(what, number)} ({category(kind)})" for (what, kind), number in counted.items())


def _counted(what: str, number: int) -> str:
    name = entity(what)
    return name if number == 1 else f"{name} ×{number}"


def _end(attempt: AttemptEnded) -> str:
    because = f" ({clause(attempt.because)})" if attempt.because else ""
    tokens = ""
    if attempt.input_tokens is not None and attempt.output_tokens is not None:
        cached = f" ({attempt.cached_tokens:,} of them cached)" if attempt.cached_tokens else ""
        tokens = f", reading {count(attempt.input_tokens, 'token')}{cached} and writing {attempt.output_tokens:,}"
    cost = f", for ${attempt.cost_usd:.4f}" if attempt.cost_usd else ""
    return f"{_words_of_end(attempt)}{because} after {seconds(attempt.seconds)}{tokens}{cost}"


def _words_of_end(attempt: AttemptEnded) -> str:
    return _ENDS.get(attempt.ended, f"ended with {words(attempt.ended)}")


def _place(lane: str, model: str | None) -> str:
    return f"{lane} ({model})" if model else lane
