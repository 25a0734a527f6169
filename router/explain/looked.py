"""What was looked at before the answer went out, and by whom? Its contract, its checks, a person; and what it all took."""

from collections.abc import Iterable, Iterator
from typing import Final

from router.contract import ARGUMENTS_SAID, Checked, Escalated, EscalationExpired, Evidence, PersonAnswered, Validated
from router.explain.words import clause, count, listed, printable, seconds

_ARGUMENTS: Final = "tool_arguments"
"""The contract by whose name the arguments of a model's tool calls are held against the tools' schemas."""


def looked_sentences(evidence: Evidence) -> Iterator[str]:
    """Tell of waits and broken streams, then of every look at the answer, then of people."""
    for wait in evidence.waits:
        yield f"It waited {seconds(wait.seconds)} for {wait.lane}: {clause(wait.because)}."
    for resumed in evidence.resumptions:
        after = count(resumed.characters, "character")
        yield f"The answer broke off after {after}; attempt {resumed.attempt}, on {resumed.lane}, went on from there."
    for check in evidence.validations:
        yield _validated(check)
    yield from _checked(evidence.checks)
    yield from _people(evidence)


def released_sentences(evidence: Evidence) -> Iterator[str]:
    """Tell when the caller had the first of the answer, and what the stream rule cost."""
    for first in evidence.releases:
        spoke = seconds(first.lane_ms / 1000)
        if not first.streamed:
            rule = "the caller wanted it whole"
        elif first.window_tokens is not None:
            rule = f"the rule was `window`, of {count(first.window_tokens, 'token')}"
        else:
            rule = f"the rule was `{first.release}`"
        held = seconds((first.first_content_ms - first.lane_ms) / 1000)
        yield f"The lane's first token came after {spoke}, and the first of the answer went out {held} later: {rule}."


def looked_clauses(evidence: Evidence) -> Iterator[str]:
    """Tell the same in a few words, where it made a difference."""
    broken = sum(not check.valid for check in evidence.validations)
    if broken:
        yield f"contract broken {count(broken, 'time')}"
    for check in evidence.checks:
        if check.outcome != "passed":
            yield f"{check.outcome} by `{check.check}`"
    for event in evidence.escalations:
        match event:
            case Escalated():
                yield f"ticket {event.ticket}"
            case EscalationExpired():
                yield "answered by nobody in time"
            case PersonAnswered():
                yield f"{event.outcome} by {printable(event.by)}"


def spent_sentences(evidence: Evidence) -> Iterator[str]:
    """Tell what was taken of a day's budget."""
    for spent in evidence.spent:
        parts = [
            count(spent.input_tokens + spent.output_tokens, "token"),
            *([count(spent.tool_calls, "tool call")] if spent.tool_calls else []),
            *([count(spent.context_chunks, "passage")] if spent.context_chunks else []),
            *([f"{seconds(spent.latency_seconds)} of lane time"] if spent.latency_seconds else []),
            *([f"${spent.cost_usd:.4f}"] if spent.cost_usd else []),
        ]
        yield f"Of {spent.org}'s budget for the day it took {listed(parts)}."


def _validated(check: Validated) -> str:
    if check.contract == ARGUMENTS_SAID:
        stood = (
            "all of it stands there"
            if check.valid
            else f"{count(len(check.errors), 'value')} did not stand there, so none was used"
        )
        return f"What attempt {check.attempt} read out of the request was held against the caller's own words: {stood}."
    again = ", asked for once more with what was wrong," if check.repair else ""
    which = f"The answer of attempt {check.attempt}{again}"
    verdict = "kept to it" if check.valid else f"broke it in {count(len(check.errors), 'place')}"
    if check.contract == _ARGUMENTS:
        return f"{which} called tools, whose arguments were held against their schemas: {'all kept to them' if check.valid else verdict}."
    return f"{which} was held against the contract {check.contract} and {verdict}."


def _checked(checks: Iterable[Checked]) -> Iterator[str]:
    """The checks that an answer passed in one sentence; each that changed or kept it back in its own."""
    passed: dict[int, dict[str, None]] = {}
    for check in checks:
        because = f": {clause(check.because)}" if check.because else ""
        match check.outcome:
            case "passed":
                passed.setdefault(check.attempt, {}).update(dict.fromkeys(check.check.split(", ")))
            case "amended":
                yield f"The answer of attempt {check.attempt} was added to ({check.check}){because}."
            case "withheld":
                yield f"The answer of attempt {check.attempt} was kept back by the check `{check.check}`{because}."
    for attempt, names in passed.items():
        yield f"Before it went out, the answer of attempt {attempt} was checked for {listed(names)}, and passed."


def _people(evidence: Evidence) -> Iterator[str]:
    for event in evidence.escalations:
        match event:
            case Escalated():
                yield f"It was put before a person, in the queue {event.queue} under ticket {event.ticket}: {clause(event.because)}."
            case EscalationExpired():
                yield f"Nobody answered ticket {event.ticket} before its time was over."
            case PersonAnswered():
                yield f"{printable(event.by)} {_SETTLED[event.outcome]} (ticket {event.ticket})."


_SETTLED: Final = {
    "answered": "answered it in person",
    "edited": "edited the answer, and let it go out",
    "passed": "read the answer, and let it go out as it was",
    "declined": "read it, and declined",
}
