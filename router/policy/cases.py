"""Do the bundle's own cases come out as it says? Each is decided as any request would be, and held against what it expects."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from router.bundle import Bundle
from router.bundle.cases import Case, Expected
from router.bundle.source import Source
from router.contract import Decision, RouteRequest
from router.decide import decide
from router.errors import RouterError
from router.state import State

Parse = Callable[[Mapping[str, Any]], RouteRequest]
"""Reads the fields of one line of `lane decide`. Raises `RouterError`."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that came out otherwise."""

    what: str
    expected: str
    actual: str


@dataclass(frozen=True, slots=True)
class Tried:
    """A case, where it stands, and in what it differs; nothing when it passed."""

    name: str
    file: str
    line: int
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """Whether it came out as expected."""
        return not self.differences


def try_cases(source: Source, bundle: Bundle, parse: Parse) -> Iterator[Tried]:
    """Decide on each case of `tests.yaml` and `tests/`."""
    for file, cases in source.cases.items():
        for index, case in enumerate(cases.cases):
            yield Tried(case.name, file, source.line(file, "cases", index), _tried(case, bundle, parse))


def try_questions(source: Source, bundle: Bundle) -> Iterator[Tried]:
    """Ask each question of `boundary/tests.yaml`."""
    file = "boundary/tests.yaml"
    for index, test in enumerate(source.tests.tests if source.tests else ()):
        verdict = test.ask(bundle.boundary)
        answer = "allow" if verdict.allowed else "deny"
        fired = [policy.id for policy in verdict.policies]
        found = [] if answer == test.expect else [Difference("verdict", test.expect, f"{answer} by {_said(fired)}")]
        if test.by is not None and test.by not in fired:
            found.append(Difference("by", test.by, _said(fired)))
        yield Tried(test.name, file, source.line(file, "tests", index), tuple(found))


def _tried(case: Case, bundle: Bundle, parse: Parse) -> tuple[Difference, ...]:
    try:
        decision = decide(parse(case.request), bundle, State())
    except RouterError as error:
        return (Difference("decision", "one", f"none: {error}"),)
    return tuple(_differences(case.expect, decision))


def _differences(expect: Expected, decision: Decision) -> Iterator[Difference]:
    for what in ("action", "route", "lane", "risk_tier"):
        expected, actual = getattr(expect, what), getattr(decision, what)
        if what in expect.model_fields_set and expected != actual:
            yield Difference(what, expected or "none", actual or "none")
    fired = [policy.id for policy in decision.policies]
    if missing := [policy for policy in expect.policies if policy not in fired]:
        yield Difference("policies", _said(missing), _said(fired))
    tools = [tool.name for tool in decision.tools]
    if "tools" in expect.model_fields_set and set(tools) != set(expect.tools):
        yield Difference("tools", _said(expect.tools), _said(tools))
    closed = {rung.lane: rung.because for rung in decision.closed}
    if opened := [lane for lane in expect.closed if lane not in closed]:
        on_ladder = [rung.lane for rung in decision.ladder]
        yield Difference("closed", _said(opened), f"closed {_said(closed)}; open {_said(on_ladder)}")


def _said(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
