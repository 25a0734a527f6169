"""Does a property hold of every question there is? Not of a sample: of the whole table of verdicts, and of every value it can tell apart.

A property is a CEL condition, which may tell apart values that no policy does. So it is never tried on the member that stands for a
class, but on each value of whatever it reads, wherever the table's verdict is not the one it wants.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router.boundary import HOME, Boundary
from router.bundle.files import LaneSpec
from router.bundle.promises import BoundaryProperty
from router.bundle.space import ACTIONS, Action, Question, Space, Value, Values, Way, WaySpec, kind_of, leads_out
from router.bundle.verdicts import Table, Tabulator, Truth
from router.rules import Facts, Rule, RuleError, compile_rule

_TRIED: Final = 50_000
"""So many values of what a condition reads are tried, where nothing is broken, to learn whether it can be evaluated and ever holds."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The boundary's answers to the whole space: a table for each tenant and way; `asked` questions were put to Cedar for it.

    Tenants and ways that no policy tells apart share a table.
    """

    space: Space
    tables: Mapping[tuple[str, Way], Table]
    asked: int

    @property
    def classes(self) -> int:
        """How many kinds of question the policies tell apart."""
        return sum(table.allowed.size for action in ACTIONS for table in self.distinct(action))

    def distinct(self, action: Action) -> list[Table]:
        """Return each table of an action once."""
        return list({id(table): table for (_, way), table in self.tables.items() if way.action == action}.values())


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether a property holds.

    `because` says why it could not be evaluated; `ever` whether its condition holds of any question (None: not known).
    """

    rule: BoundaryProperty
    holds: bool
    broken_by: Question | None = None
    because: str | None = None
    ever: bool | None = None


def all_verdicts(space: Space, boundary: Boundary) -> Verdicts:
    """Tabulate the whole space. Raises `SpaceTooLarge`, `TablesDisagree`."""
    tabulators = {action: Tabulator(action, space.axes[action], boundary) for action in ACTIONS}
    kinds: dict[tuple[str, str, str], Table] = {}
    tables: dict[tuple[str, Way], Table] = {}
    for org, way in space.pairs():
        tabulator, spec = tabulators[way.action], space.ways[way]
        kind = (way.action, *kind_of(space.tenants[org], spec, tabulator.names))
        if kind not in kinds:
            (kinds[kind],) = tabulator.tables(org, way, spec)
        tables[org, way] = kinds[kind]
    return Verdicts(space, tables, sum(tabulator.asked for tabulator in tabulators.values()))


def prove(rule: BoundaryProperty, verdicts: Verdicts) -> Proof:
    """Hold a property against every verdict. One that can't be evaluated does not hold."""
    try:
        condition = compile_rule(rule.when)
        broken = next(breaking(rule, verdicts), None)
        ever = True if broken is not None else _ever(rule, condition, verdicts.space)
    except RuleError as error:
        return Proof(rule, holds=False, because=str(error))
    return Proof(rule, broken is None, broken, ever=ever)


def breaking(rule: BoundaryProperty, verdicts: Verdicts) -> Iterator[Question]:
    """Yield the questions that the boundary answers otherwise than the property says, one for each combination that can be told apart."""
    condition = compile_rule(rule.when)
    evaluator = Evaluator(condition, verdicts.space)
    for (org, way), table in verdicts.tables.items():
        if way.action not in rule.actions:
            continue
        wrong = table.allowed if rule.must == "deny" else ~table.allowed
        read = [
            at for at, group in enumerate(table.groups) if any(axis.name in condition.variables for axis in group.axes)
        ]
        rest = tuple(at for at in range(wrong.ndim) if at not in read)
        for combination in np.argwhere(wrong.any(axis=rest, keepdims=True)):
            members = [table.groups[at].members[combination[at]] for at in read]
            for places in product(*members):
                values: dict[str, Value] = {}
                for at, place in zip(read, places, strict=True):
                    values |= table.groups[at].values(int(place))
                if evaluator.holds(Question(org, way, values)):
                    yield from _with_the_rest(org, way, table, wrong, combination, rest, values)


def in_words(question: Question) -> str:
    """Say which question breaks a property."""
    values = {name: ", ".join(value) if isinstance(value, tuple) else value for name, value in question.values.items()}
    said = "; ".join(f"{name} {value or 'none'}" for name, value in values.items())
    return f"{question.org} to {question.way} with {said}"


def _with_the_rest(
    org: str,
    way: Way,
    table: Table,
    wrong: Truth,
    combination: NDArray[np.intp],
    rest: tuple[int, ...],
    values: Values,
) -> Iterator[Question]:
    """Complete what the condition reads by each combination of all else under which the verdict is wrong."""
    place = tuple(slice(None) if at in rest else int(combination[at]) for at in range(wrong.ndim))
    for others in np.argwhere(wrong[place]):
        whole = list(map(int, combination))
        for at, chosen in zip(rest, others, strict=True):
            whole[at] = int(chosen)
        yield Question(org, way, {**table.values(whole), **values})


def _ever(rule: BoundaryProperty, condition: Rule, space: Space) -> bool | None:
    """Tell whether the condition holds of any question at all: one that holds of none promises nothing."""
    evaluator = Evaluator(condition, space)
    tried = 0
    for action in rule.actions:
        read = [axis for axis in space.axes[action] if axis.name in condition.variables]
        names = [axis.name for axis in read]
        pairs = [(org, way) for org, way in space.pairs() if way.action == action]
        for (org, way), values in product(pairs, product(*(axis.values for axis in read))):
            if evaluator.holds(Question(org, way, dict(zip(names, values, strict=True)))):
                return True
            tried += 1
            if tried == _TRIED:
                return None
    return False


class Evaluator:
    """Tells of which questions a property's condition holds. What looks equal to it is evaluated once."""

    def __init__(self, condition: Rule, space: Space) -> None:
        self._condition = condition
        self._space = space
        self._known: dict[tuple[object, ...], bool] = {}
        self._outer: dict[tuple[str, Way], dict[str, object]] = {}

    def holds(self, question: Question) -> bool:
        """Tell whether the condition holds; what it does not read need not be given. Raises `RuleError`."""
        asked = question.org, question.way
        if asked not in self._outer:
            facts = _way_facts(question.org, self._space.ways[question.way])
            self._outer[asked] = {name: facts[name] for name in facts if name in self._condition.variables}
        facts = self._outer[asked] | {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in question.values.items()
            if name in self._condition.variables
        }
        key = tuple(tuple(value) if isinstance(value, list) else value for value in facts.values())
        if key not in self._known:
            self._known[key] = self._condition.holds(Facts.of(facts))
        return self._known[key]


def _way_facts(org: str, way: WaySpec) -> dict[str, object]:
    """What a property can say of a tenant and a lane or a tool."""
    lane = way if isinstance(way, LaneSpec) else None
    return {
        "hosted": leads_out(way),
        "provider": (lane.hosted.provider if lane.hosted else HOME) if lane else "",
        "region": lane.where if lane else "",
        "lane": lane.name if lane else "",
        "tool": "" if lane else way.name,
        "lane_jurisdictions": list(way.jurisdictions),
        "cleared_for": list(lane.cleared_for) if lane else [],
        "redacts": list(lane.redact) if lane else [],
        "org": org,
    }
