"""What happened to one request? The record is the fold of its append-only entries; nothing is kept twice."""

from collections.abc import Iterable
from typing import TypeVar

from router.contract import (
    Accepted,
    ApprovalAsked,
    ApprovalSettled,
    AttemptEnded,
    AttemptStarted,
    BudgetSettled,
    Checked,
    ContextUsed,
    Decided,
    Egress,
    Escalated,
    EscalationExpired,
    Evidence,
    EvidenceEntry,
    EvidenceEvent,
    Finished,
    PersonAnswered,
    PolicyFired,
    Redacted,
    Released,
    Resumed,
    Retrieved,
    Skipped,
    ToolCalled,
    Validated,
    Waited,
)

_Event = TypeVar("_Event")


def fold(entries: Iterable[EvidenceEntry]) -> Evidence | None:
    """Return the record that these entries of one trace make, or None where there are none.

    One writer's entries are taken in its own sequence (its clock may jump), writers in the order of their first entry.
    """
    unordered = list(entries)
    if not unordered:
        return None
    first: dict[str, tuple[int, float]] = {}
    for entry in unordered:
        first[entry.writer] = min(first.get(entry.writer, (entry.sequence, entry.at)), (entry.sequence, entry.at))
    ordered = sorted(unordered, key=lambda entry: (first[entry.writer][1], entry.writer, entry.sequence))
    events = [entry.event for entry in ordered]
    decisions, attempts = _all(events, Decided), _all(events, AttemptEnded)
    ended = {(end.attempt, end.lane) for end in attempts}
    # A trace has one beginning and one end: the first of each counts.
    accepted, finished = next(iter(_all(events, Accepted)), None), next(iter(_all(events, Finished)), None)
    return Evidence(
        trace_id=ordered[0].trace_id,
        accepted=accepted,
        decisions=decisions,
        skipped=_all(events, Skipped),
        retrievals=_all(events, Retrieved),
        context=_all(events, ContextUsed),
        tool_calls=_all(events, ToolCalled),
        approvals=tuple(event for event in events if isinstance(event, ApprovalAsked | ApprovalSettled)),
        escalations=tuple(
            event for event in events if isinstance(event, Escalated | PersonAnswered | EscalationExpired)
        ),
        waits=_all(events, Waited),
        attempts=attempts,
        unfinished_attempts=tuple(
            start for start in _all(events, AttemptStarted) if (start.attempt, start.lane) not in ended
        ),
        resumptions=_all(events, Resumed),
        releases=_all(events, Released),
        redactions=_all(events, Redacted),
        egress=_all(events, Egress),
        validations=_all(events, Validated),
        checks=_all(events, Checked),
        spent=_all(events, BudgetSettled),
        finished=finished,
        policies=_policies(decisions),
        writers=tuple(sorted({entry.writer for entry in ordered})),
        started_at=ordered[0].at,
        ended_at=ordered[-1].at if finished else None,
    )


def _all(events: Iterable[EvidenceEvent], kind: type[_Event]) -> tuple[_Event, ...]:
    return tuple(event for event in events if isinstance(event, kind))


def _policies(decisions: Iterable[Decided]) -> tuple[PolicyFired, ...]:
    """Every policy that spoke in any decision, once, in the order of speaking."""
    return tuple(dict.fromkeys(policy for decided in decisions for policy in decided.decision.policies))
