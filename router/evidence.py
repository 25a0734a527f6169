"""What happened to one request? The record is the fold of its append-only entries; nothing is kept twice."""

from collections.abc import Iterable

from router.contract import (
    Accepted,
    AttemptEnded,
    AttemptStarted,
    ContextUsed,
    Decided,
    Egress,
    Evidence,
    EvidenceEntry,
    Finished,
    PolicyFired,
    Redacted,
    Skipped,
    ToolCalled,
    Validated,
)


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
    found = _Parts()
    for entry in ordered:
        found.take(entry)
    ended = {(end.attempt, end.lane) for end in found.attempts}
    return Evidence(
        trace_id=ordered[0].trace_id,
        accepted=found.accepted,
        decisions=tuple(found.decisions),
        skipped=tuple(found.skipped),
        context=tuple(found.context),
        tool_calls=tuple(found.tool_calls),
        attempts=tuple(found.attempts),
        unfinished_attempts=tuple(start for start in found.started if (start.attempt, start.lane) not in ended),
        redactions=tuple(found.redactions),
        egress=tuple(found.egress),
        validations=tuple(found.validations),
        finished=found.finished,
        policies=_policies(found.decisions),
        writers=tuple(sorted({entry.writer for entry in ordered})),
        started_at=ordered[0].at,
        ended_at=ordered[-1].at if found.finished else None,
    )


def _policies(decisions: list[Decided]) -> tuple[PolicyFired, ...]:
    """Every policy that spoke in any decision, once, in the order of speaking."""
    return tuple(dict.fromkeys(policy for decided in decisions for policy in decided.decision.policies))


class _Parts:
    """The record while it is being folded."""

    def __init__(self) -> None:
        self.accepted: Accepted | None = None
        self.finished: Finished | None = None
        self.decisions: list[Decided] = []
        self.skipped: list[Skipped] = []
        self.context: list[ContextUsed] = []
        self.tool_calls: list[ToolCalled] = []
        self.started: list[AttemptStarted] = []
        self.attempts: list[AttemptEnded] = []
        self.redactions: list[Redacted] = []
        self.egress: list[Egress] = []
        self.validations: list[Validated] = []

    def take(self, entry: EvidenceEntry) -> None:
        """Put one event where it belongs. The first acceptance and the first end count: a trace has one of each."""
        match entry.event:
            case Accepted() as event:
                self.accepted = self.accepted or event
            case Finished() as event:
                self.finished = self.finished or event
            case Decided() as event:
                self.decisions.append(event)
            case Skipped() as event:
                self.skipped.append(event)
            case ContextUsed() as event:
                self.context.append(event)
            case ToolCalled() as event:
                self.tool_calls.append(event)
            case AttemptStarted() as event:
                self.started.append(event)
            case AttemptEnded() as event:
                self.attempts.append(event)
            case Redacted() as event:
                self.redactions.append(event)
            case Egress() as event:
                self.egress.append(event)
            case Validated() as event:
                self.validations.append(event)
