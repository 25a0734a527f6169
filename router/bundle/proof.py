"""Does a property hold of every question there is? Not of a sample: of the whole table of verdicts, and of every value it can tell apart.

A property is a CEL condition, which may tell apart values that no policy does. So it is never tried on the member that stands for a
class, but on each value of whatever it reads, wherever the table's verdict is not the one it wants.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, product
from math import prod
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router.boundary import HOME, Boundary
from router.bundle.files import LaneSpec
from router.bundle.promises import BoundaryProperty
from router.bundle.space import Space, Value, Values, kind_of
from router.bundle.verdicts import Table, Tabulator, Truth
from router.rules import Facts, Rule, RuleError, compile_rule

_TRIED: Final = 50_000
"""So many values of what a condition reads are tried, where nothing is broken, to learn whether it can be evaluated and ever holds."""


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The boundary's answers to the whole space: a table for each tenant and lane. Those that no policy tells apart share one."""

    space: Space
    tables: Mapping[tuple[str, str], Table]

    @property
    def asked(self) -> int:
        """How many questions were put to Cedar."""
        return sum(table.asked for table in self._distinct())

    @property
    def classes(self) -> int:
        """How many kinds of question the policies tell apart."""
        return sum(table.allowed.size for table in self._distinct())

    def _distinct(self) -> list[Table]:
        return list({id(table): table for table in self.tables.values()}.values())


@dataclass(frozen=True, slots=True)
class Question:
    """One question to the boundary."""

    org: str
    lane: str
    values: Values


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
    tabulator = Tabulator(space.axes, boundary)
    kinds: dict[tuple[str, str], Table] = {}
    tables: dict[tuple[str, str], Table] = {}
    for org, name in space.pairs():
        lane = space.lanes[name]
        kind = kind_of(space.tenants[org], lane, tabulator.names)
        if kind not in kinds:
            (kinds[kind],) = tabulator.tables(org, lane)
        tables[org, name] = kinds[kind]
    return Verdicts(space, tables)


def prove(rule: BoundaryProperty, verdicts: Verdicts) -> Proof:
    """Hold a property against every verdict. One that can't be evaluated does not hold."""
    try:
        condition = compile_rule(rule.when)
        broken = next(breaking(rule, condition, verdicts), None)
        ever = True if broken is not None else _ever(condition, verdicts.space)
    except RuleError as error:
        return Proof(rule, holds=False, because=str(error))
    return Proof(rule, broken is None, broken, ever=ever)


def breaking(rule: BoundaryProperty, condition: Rule, verdicts: Verdicts) -> Iterator[Question]:
    """Yield the questions that the boundary answers otherwise than the property says, one for each combination that can be told apart."""
    asker = _Asker(condition, verdicts.space)
    for (org, lane), table in verdicts.tables.items():
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
                if asker.holds(org, lane, values):
                    yield from _with_the_rest(org, lane, table, wrong, combination, rest, values)


def in_words(question: Question) -> str:
    """Say which question breaks a property."""
    values = {name: ", ".join(value) if isinstance(value, tuple) else value for name, value in question.values.items()}
    said = "; ".join(f"{name} {value or 'none'}" for name, value in values.items())
    return f"{question.org} to lane {question.lane} with {said}"


def _with_the_rest(
    org: str,
    lane: str,
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
        yield Question(org, lane, {**table.values(whole), **values})


def _ever(condition: Rule, space: Space) -> bool | None:
    """Tell whether the condition holds of any question at all: one that holds of none promises nothing."""
    asker = _Asker(condition, space)
    read = [axis for axis in space.axes if axis.name in condition.variables]
    names = [axis.name for axis in read]
    every = product(space.pairs(), product(*(axis.values for axis in read)))
    held = (
        asker.holds(org, lane, dict(zip(names, values, strict=True))) for (org, lane), values in islice(every, _TRIED)
    )
    if any(held):
        return True
    return False if len(space.tenants) * len(space.lanes) * prod(len(axis.values) for axis in read) <= _TRIED else None


class _Asker:
    """Evaluates a condition, once for what looks equal to it."""

    def __init__(self, condition: Rule, space: Space) -> None:
        self._condition = condition
        self._space = space
        self._known: dict[tuple[object, ...], bool] = {}
        self._outer: dict[tuple[str, str], dict[str, object]] = {}

    def holds(self, org: str, lane: str, values: Values) -> bool:
        """Tell whether the condition holds. Raises `RuleError`."""
        if (org, lane) not in self._outer:
            facts = _lane_facts(org, self._space.lanes[lane])
            self._outer[org, lane] = {name: facts[name] for name in facts if name in self._condition.variables}
        facts = self._outer[org, lane] | {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if name in self._condition.variables
        }
        key = tuple(tuple(value) if isinstance(value, list) else value for value in facts.values())
        if key not in self._known:
            self._known[key] = self._condition.holds(Facts.of(facts))
        return self._known[key]


def _lane_facts(org: str, lane: LaneSpec) -> dict[str, object]:
    """What a property can say of tenant and lane."""
    return {
        "hosted": lane.hosted is not None,
        "provider": lane.hosted.provider if lane.hosted else HOME,
        "region": lane.where,
        "lane": lane.name,
        "lane_jurisdictions": list(lane.jurisdictions),
        "cleared_for": list(lane.cleared_for),
        "redacts": list(lane.redact),
        "org": org,
    }
