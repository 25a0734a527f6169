"""May this whole answer go out, and as it is? The last look, after the output contract's own."""

import json
from collections.abc import Iterable
from typing import Final

from router.bundle import Bundle
from router.checks.leak import words_in
from router.checks.looks import Looks, looks_of
from router.checks.result import Amended, CheckResult, Passed, Withheld
from router.contract import Decision, RouteRequest

_DISCLAIMER: Final = "disclaimer"
_ADDED: Final = "the disclaimer that its tier or topic demands was added"


def check_answer(
    text: str, decision: Decision, request: RouteRequest, bundle: Bundle, templates: Iterable[str] = ()
) -> CheckResult:
    """Hold a whole answer against the checks of its plan; add the disclaimer that the plan demands.

    `request` is what the model was asked in the end: with retrieved passages and tools' results, as messages of that origin. `templates`
    are instructions that the server itself put into the prompt. Pure, and linear in the answer and in what was asked.
    """
    return check_whole(text, decision, looks_of(decision, request, bundle, templates))


def check_whole(text: str, decision: Decision, looks: Looks) -> CheckResult:
    """As `check_answer`, with what the checks need at hand."""
    said = _readable(text, decision)
    if no := _breach(said, looks):
        return no
    return _with_disclaimer(text, decision)


def _breach(said: str, looks: Looks) -> Withheld | None:
    """The first thing that is wrong, in the bundle's order of checks."""
    for breach in looks.at(said, whole=True):
        return breach.verdict
    recital = looks.recital()
    recital.take(words_in(said))
    return looks.recited(recital)


def _readable(text: str, decision: Decision) -> str:
    """What the answer says to who reads it: of JSON its names and values, a line each, with escapes undone."""
    if decision.output_contract.type != "json":
        return text
    try:
        return "\n".join(_leaves(json.loads(text)))
    except (ValueError, RecursionError):
        return text


def _leaves(value: object) -> Iterable[str]:
    match value:
        case dict():
            for name, inner in value.items():
                yield str(name)
                yield from _leaves(inner)
        case list():
            for inner in value:
                yield from _leaves(inner)
        case bool() | None:
            pass
        case _:
            yield str(value)


def _with_disclaimer(text: str, decision: Decision) -> CheckResult:
    """Add the disclaimer unless it is there. JSON takes it where its object has a field `disclaimer`; else it goes beside the answer."""
    disclaimer = decision.disclaimer
    if not disclaimer or disclaimer in text:
        return Passed()
    if decision.output_contract.type != "json":
        return Amended(f"{text.rstrip()}\n\n{disclaimer}", _ADDED)
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return Passed()
    if (
        not isinstance(answer, dict)
        or not isinstance(answer.get(_DISCLAIMER), str)
        or answer[_DISCLAIMER] == disclaimer
    ):
        return Passed()
    return Amended(json.dumps(answer | {_DISCLAIMER: disclaimer}, ensure_ascii=False), _ADDED)
