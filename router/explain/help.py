"""What did the answer draw on? The passages that were looked up, the tools that were called, and who approved of it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from router.contract import LEVELS, ApprovalAsked, ApprovalSettled, Evidence, ToolCalled
from router.explain.words import clause, count, listed, printable, seconds, words

_MOST_DOCUMENTS: Final = 4
_CHANGES: Final = {
    "read": "",
    "write": ", which changes something,",
    "irreversible": ", which does what can't be undone,",
}


def help_sentences(evidence: Evidence) -> Iterator[str]:
    """Tell of context first, then of approvals and tools."""
    yield from _looked_up(evidence)
    yield from _approvals(evidence)
    for call in evidence.tool_calls:
        yield _call(call)
    for skipped in evidence.skipped:
        what = {"retrieval": "Retrieval from", "tool": "The tool", "rung": "The lane"}[skipped.stage]
        yield f"{what} {skipped.name} was planned and left out: {clause(skipped.because)}."


def help_clauses(evidence: Evidence) -> Iterator[str]:
    """Tell the same in a few words."""
    if evidence.context:
        yield f"{count(len(evidence.context), 'passage')} drawn on"
    if names := dict.fromkeys(call.name for call in evidence.tool_calls):
        yield f"{listed(names)} called"
    for settled in evidence.approvals:
        if isinstance(settled, ApprovalSettled) and settled.outcome != "used":
            yield f"approval {settled.outcome}"


def _looked_up(evidence: Evidence) -> Iterator[str]:
    for found in evidence.retrievals:
        how = "thoroughly in" if found.depth == "deep" else "in"
        came = f"{count(found.chunks, 'passage')} came up, {found.used:,} of them went into the prompt"
        yield f"It looked {how} {found.index} for context: {came} ({seconds(found.seconds)})."
    if not evidence.context:
        return
    documents = list(dict.fromkeys(printable(used.doc) for used in evidence.context if used.doc))
    named = [*documents[:_MOST_DOCUMENTS], *(["others"] if len(documents) > _MOST_DOCUMENTS else [])]
    of = f" of {listed(named)}" if documents else ""
    level = max((used.label.level for used in evidence.context), key=LEVELS.index)
    held = "" if level == "public" else f", the most sensitive of them {level}"
    yield f"The answer could draw on {count(len(evidence.context), 'stored passage')}{of}{held}."


def _approvals(evidence: Evidence) -> Iterator[str]:
    for event in evidence.approvals:
        match event:
            case ApprovalAsked():
                until = datetime.fromtimestamp(event.expires_at, UTC)
                yield (
                    f"A person's approval was asked for calling {event.tool} with exactly these arguments"
                    f" (approval {event.approval}, open until {until:%H:%M:%S} UTC)."
                )
            case ApprovalSettled():
                by = f" by {printable(event.by)}" if event.by else ""
                because = f": {clause(printable(event.because))}" if event.because else ""
                yield f"Approval {event.approval} {_SETTLED[event.outcome]}{by}{because}."


_SETTLED: Final = {
    "granted": "was granted",
    "denied": "was denied",
    "used": "was used, and holds no longer",
    "expired": "ran out before anybody decided",
}


def _call(call: ToolCalled) -> str:
    approved = f" under approval {call.approval}" if call.approval else ""
    took = f", in {seconds(call.seconds)}" if call.seconds else ""
    cost = f", for ${call.cost_usd:.4f}" if call.cost_usd else ""
    read = " with what a model had read out of the request" if call.arguments_by == "reading" else ""
    return f"The tool {call.name}{_CHANGES[call.side_effect]} was called{read}{approved}: {_end_of(call)}{took}{cost}."


def _end_of(call: ToolCalled) -> str:
    if call.ended == "ok":
        return "it answered"
    return clause(call.ended) if " " in call.ended else f"it ended with {words(call.ended)}"
