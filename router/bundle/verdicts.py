"""What does the boundary answer to every question there is, for one tenant and one way out? Cedar says; equal questions are asked once.

How the space becomes small enough, and why nothing is lost:

1. Policies are cut into atoms (`router.bundle.atoms`). Axes that one atom reads together form a group; each group's values are all listed.
2. Cedar answers each atom for each value of its group: yes, no, or an error. Of values that differ only in names which neither a policy nor
   the lane or tool mentions, one is asked: to Cedar, names are equal or not, and nothing else.
3. Values with the same answers to every atom are one class: a policy is a formula over its atoms, so it can't tell them apart. The
   formulas are worked out over all combinations of classes, errors as Cedar passes them on: a table of verdicts for the whole space.
4. Cedar is asked the whole question again, for each combination of classes (one member of each by lot), or for `CHECKED` of them where
   there are more. Where it answers otherwise, nothing is claimed: `TablesDisagree`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product
from math import prod
from typing import Final

import numpy as np
from numpy.typing import NDArray

from router.boundary import BOUNDARY_ERROR, DEFAULT_DENY, UNKNOWN, Boundary, Verdict, enumerated
from router.bundle.atoms import All, AnyOf, Atom, Formula, If, Not, Policies, strings, take_apart
from router.bundle.space import Action, Axis, Question, SpaceTooLarge, Value, Values, Way, WaySpec, ask
from router.errors import NotProved

CHECKED: Final = 2_048
"""So many combinations of classes, for each tenant and way, are put to Cedar as whole questions again."""
MOST_CLASSES: Final = 50_000_000
MOST_VALUES: Final = 1 << 20
Truth = NDArray[np.bool_]


class TablesDisagree(NotProved):
    """Cedar answers a whole question otherwise than the table: nothing the table says may be believed."""


@dataclass(frozen=True, slots=True)
class Group:
    """Axes that are read together, and the classes of their values: `members[c]` are the values' places in the list of all."""

    axes: tuple[Axis, ...]
    members: tuple[NDArray[np.int64], ...]

    def values(self, place: int) -> dict[str, Value]:
        """Return the axes' values at a place."""
        found: dict[str, Value] = {}
        for axis in reversed(self.axes):
            place, at = divmod(place, len(axis.values))
            found[axis.name] = axis.values[at]
        return found


@dataclass(frozen=True, slots=True)
class Holds:
    """Where something holds and where Cedar can't tell: arrays with an axis for each group, of length 1 where it makes no difference."""

    yes: Truth
    errs: Truth


@dataclass(frozen=True, slots=True)
class Table:
    """Every verdict for one tenant and way, an axis for each group, and where each policy fires.

    Where anything errs, the boundary denies.
    """

    groups: tuple[Group, ...]
    allowed: Truth
    policies: Mapping[str, Holds]
    permits: frozenset[str]

    def verdict(self, combination: tuple[int, ...]) -> tuple[bool, frozenset[str]]:
        """Tell whether a combination of classes is allowed, and which policies say so: the permits of a yes, the forbids of a no."""
        allowed = bool(self.allowed[combination])
        fired = {name for name, holds in self.policies.items() if _at(holds.yes, combination)}
        if any(_at(holds.errs, combination) for holds in self.policies.values()):
            return False, frozenset({BOUNDARY_ERROR})
        spoke = fired & self.permits if allowed else fired - self.permits
        return allowed, frozenset(spoke) or frozenset({DEFAULT_DENY})

    def sizes(self, combinations: tuple[NDArray[np.intp], ...]) -> NDArray[np.int64]:
        """Return how many questions are in each of these combinations (an array of places for each group)."""
        found = np.ones(len(combinations[0]), np.int64)
        for group, places in zip(self.groups, combinations, strict=True):
            found *= np.array([len(members) for members in group.members])[places]
        return found

    def values(self, combination: Sequence[int], lot: np.random.Generator | None = None) -> dict[str, Value]:
        """Return a question out of a combination of classes: the first member of each, or one by lot."""
        found: dict[str, Value] = {}
        for group, chosen in zip(self.groups, combination, strict=True):
            members = group.members[chosen]
            found |= group.values(int(members[0] if lot is None else lot.choice(members)))
        return found


class Tabulator:
    """Makes the tables of some boundaries over the same classes, so that their verdicts can be laid over each other."""

    def __init__(self, action: Action, axes: tuple[Axis, ...], *boundaries: Boundary) -> None:
        """Take the policies apart. Raises `SpaceTooLarge` when axes that are read together have too many values."""
        names = frozenset(axis.name for axis in axes)
        policies = [take_apart(boundary.policies_text, action, names) for boundary in boundaries]
        self.names = frozenset[str]().union(*(one.names for one in policies))
        self._groups = _groups(axes, [atom for one in policies for atom in one.atoms])
        self._base = {axis.name: axis.values[0] for axis in axes}
        self._askers = [_Asker(*pair, self._groups) for pair in zip(boundaries, policies, strict=True)]

    @property
    def asked(self) -> int:
        """How many questions were put to Cedar so far."""
        return sum(asker.asked for asker in self._askers)

    def tables(self, org: str, way: Way, *specs: WaySpec) -> tuple[Table, ...]:
        """Return a table for each boundary: this tenant, and the way as that boundary has it. Raises `SpaceTooLarge`, `TablesDisagree`."""
        groups: list[Group] = []
        truths: list[dict[Atom, Holds]] = [{} for _ in self._askers]
        for axes in self._groups:
            values = [self._base | some for some in _all_values(axes)]
            answers = [
                asker.atoms(axes, org, way, spec, values) for asker, spec in zip(self._askers, specs, strict=True)
            ]
            told_apart, members = _classes(np.vstack(answers))
            shape = [len(members) if other is axes else 1 for other in self._groups]
            rows = iter(told_apart)
            for asker, truth in zip(self._askers, truths, strict=True):
                for atom in asker.atoms_of[axes]:
                    row = next(rows).reshape(shape)
                    truth[atom] = Holds(row == _YES, row == _ERRS)
            groups.append(Group(axes, members))
        tables = [
            _table(tuple(groups), asker.policies, truth) for asker, truth in zip(self._askers, truths, strict=True)
        ]
        for asker, table in zip(self._askers, tables, strict=True):
            asker.check(org, way, table)
        return tuple(tables)


class _Asker:
    """One boundary and its policies' atoms, as Cedar is asked for them. Counts the questions."""

    def __init__(self, boundary: Boundary, policies: Policies, groups: Sequence[tuple[Axis, ...]]) -> None:
        self.policies = policies
        self.asked = 0
        self._boundary = boundary
        listed = {axis.entity: enumerated(boundary.schema_text, axis.entity) for axes in groups for axis in axes}
        strange = frozenset[str]().union(*(axis.names - listed[axis.entity] for axes in groups for axis in axes))
        # What this schema does not list is asked as `unknown`: neither can stand for another name.
        self._spoken = policies.names | (strange | {UNKNOWN} if strange else strange)
        self.atoms_of: dict[tuple[Axis, ...], tuple[Atom, ...]] = {}
        for axes in groups:
            names = {axis.name for axis in axes}
            self.atoms_of[axes] = tuple(one for one in policies.atoms if (one.reads & names if axes else not one.reads))
        self._asking = {axes: self._permitting(atoms) for axes, atoms in self.atoms_of.items()}

    def _permitting(self, atoms: Sequence[Atom]) -> Boundary:
        return self._boundary.with_policies(self.policies.asking(atoms))

    def _ask(self, boundary: Boundary, org: str, way: Way, values: Sequence[Values]) -> list[Verdict]:
        self.asked += len(values)
        return ask(boundary, [Question(org, way, some) for some in values])

    def atoms(
        self, axes: tuple[Axis, ...], org: str, way: Way, spec: WaySpec, values: Sequence[Values]
    ) -> NDArray[np.int8]:
        """Return Cedar's answers to the atoms that read these axes: a row an atom, a column a question."""
        spoken = self._spoken | frozenset(strings(spec.model_dump(mode="json")))
        equal = [_under_other_names(axes, some, spoken) for some in values]
        distinct = {tuple(some.values()): some for some in equal}
        places = {key: place for place, key in enumerate(distinct)}
        answers = self._answers(axes, org, way, list(distinct.values()))
        return answers[:, [places[tuple(some.values())] for some in equal]]

    def _answers(self, axes: tuple[Axis, ...], org: str, way: Way, values: Sequence[Values]) -> NDArray[np.int8]:
        """Ask for all atoms at once; where one errs, for each by itself."""
        atoms = self.atoms_of[axes]
        rows = {str(atom.number): row for row, atom in enumerate(atoms)}
        answers = np.zeros((len(atoms), len(values)), np.int8)
        failed: list[int] = []
        for at, verdict in enumerate(self._ask(self._asking[axes], org, way, values) if atoms else ()):
            if verdict.policies[0].id == BOUNDARY_ERROR:
                failed.append(at)
            elif verdict.allowed:
                answers[[rows[fired.id] for fired in verdict.policies], at] = _YES
        for atom, row in zip(atoms if failed else (), answers, strict=False):
            verdicts = self._ask(self._permitting([atom]), org, way, [values[at] for at in failed])
            for at, verdict in zip(failed, verdicts, strict=True):
                row[at] = _ERRS if verdict.policies[0].id == BOUNDARY_ERROR else _YES if verdict.allowed else _NO
        return answers

    def check(self, org: str, way: Way, table: Table) -> None:
        """Put whole questions to the boundary itself, and hold its verdicts against the table. Raises `TablesDisagree`."""
        lot = np.random.default_rng(0)
        size = table.allowed.size
        places = np.arange(size) if size <= CHECKED else np.sort(lot.choice(size, CHECKED, replace=False))
        combinations = [tuple(map(int, np.unravel_index(place, table.allowed.shape))) for place in places]
        values = [table.values(combination, lot) for combination in combinations]
        verdicts = self._ask(self._boundary, org, way, values)
        for some, combination, verdict in zip(values, combinations, verdicts, strict=True):
            said = verdict.allowed, frozenset(fired.id for fired in verdict.policies)
            if said != table.verdict(combination):
                raise TablesDisagree(f"{org} to {way}, {some}: Cedar says {verdict}")


_NO, _YES, _ERRS = 0, 1, 2


def _groups(axes: tuple[Axis, ...], atoms: Sequence[Atom]) -> tuple[tuple[Axis, ...], ...]:
    """Join the axes that some atom reads together. The first group has no axis: it is for what depends on tenant and lane alone."""
    groups = [frozenset({axis.name}) for axis in axes]
    for atom in atoms:
        touched = [group for group in groups if group & atom.reads]
        if len(touched) > 1:
            groups = [*(group for group in groups if group not in touched), frozenset[str]().union(*touched)]
    joined = [tuple(axis for axis in axes if axis.name in group) for group in groups]
    for group in joined:
        if prod(len(axis.values) for axis in group) > MOST_VALUES:
            names = " and ".join(axis.name for axis in group)
            raise SpaceTooLarge(f"a policy compares {names} with each other: too many values to look at each")
    return ((), *sorted(joined, key=lambda group: axes.index(group[0])))


def _under_other_names(axes: tuple[Axis, ...], values: Values, spoken: frozenset[str]) -> dict[str, Value]:
    """Return the question with every name that is not spoken of replaced, so that questions equal but for such names become one."""
    found = dict(values)
    for entity in {axis.entity for axis in axes if axis.names}:
        sets = [axis for axis in axes if axis.entity == entity]
        unspoken = sorted(sets[0].names - spoken)
        where = sorted((tuple(name in values[axis.name] for axis in sets) for name in unspoken), reverse=True)
        for at, axis in enumerate(sets):
            held = [name for name, in_sets in zip(unspoken, where, strict=True) if in_sets[at]]
            found[axis.name] = tuple(sorted([*held, *(name for name in values[axis.name] if name not in unspoken)]))
    return found


def _all_values(axes: tuple[Axis, ...]) -> list[dict[str, Value]]:
    names = [axis.name for axis in axes]
    return [dict(zip(names, values, strict=True)) for values in product(*(axis.values for axis in axes))]


def _classes(answers: NDArray[np.int8]) -> tuple[NDArray[np.int8], tuple[NDArray[np.int64], ...]]:
    """Put equal columns together: one column a class, and which columns are in it."""
    if not len(answers):
        return answers, (np.arange(answers.shape[1]),)
    told_apart, which = np.unique(answers, axis=1, return_inverse=True)
    return told_apart, tuple(np.flatnonzero(which.ravel() == number) for number in range(told_apart.shape[1]))


def _table(groups: tuple[Group, ...], policies: Policies, truth: Mapping[Atom, Holds]) -> Table:
    """Work out every policy's formula, then the verdict: a permit, no forbid, and nothing that errs."""
    shape = tuple(len(group.members) for group in groups)
    if prod(shape) > MOST_CLASSES:
        raise SpaceTooLarge(f"the policies tell {prod(shape):,} kinds of question apart: too many to look at each")
    fires = {policy.id: _worked_out(policy.fires, truth) for policy in policies.formulas}
    permits = frozenset(policy.id for policy in policies.formulas if policy.permits)
    allowed = _any(shape, [fires[one].yes for one in permits])
    allowed &= ~_any(shape, [holds.yes for name, holds in fires.items() if name not in permits])
    allowed &= ~_any(shape, [holds.errs for holds in fires.values()])
    return Table(groups, allowed, fires, permits)


def _any(shape: tuple[int, ...], arrays: Iterable[Truth]) -> Truth:
    found = np.zeros(shape, np.bool_)
    for array in arrays:
        found |= array
    return found


def _at(array: Truth, combination: tuple[int, ...]) -> bool:
    """Return what a table says of a combination; along an axis of length 1 it says the same for all."""
    return bool(array[tuple(at if size > 1 else 0 for at, size in zip(combination, array.shape, strict=True))])


def _worked_out(formula: Formula, truth: Mapping[Atom, Holds]) -> Holds:
    """Work a formula out as Cedar does: left to right, no further than needed, and an error on the way is an error."""
    match formula:
        case Atom():
            return truth[formula]
        case Not(part):
            holds = _worked_out(part, truth)
            return Holds(~holds.yes & ~holds.errs, holds.errs)
        case All(parts):
            return reduce(_then, (_worked_out(part, truth) for part in parts))
        case AnyOf(parts):
            return reduce(_else, (_worked_out(part, truth) for part in parts))
        case If(condition, then, otherwise):
            asked = _worked_out(condition, truth)
            yes, no = _then(asked, _worked_out(then, truth)), _worked_out(otherwise, truth)
            not_asked = ~asked.yes & ~asked.errs
            return Holds(yes.yes | (not_asked & no.yes), yes.errs | (not_asked & no.errs))


def _then(left: Holds, right: Holds) -> Holds:
    return Holds(left.yes & right.yes, left.errs | (left.yes & right.errs))


def _else(left: Holds, right: Holds) -> Holds:
    asked = ~left.yes & ~left.errs
    return Holds(left.yes | (asked & right.yes), left.errs | (asked & right.errs))
