"""What does a Cedar policy ask, question by question? Its conditions, cut at `&&`, `||`, `!` and `if` into atoms.

An atom is a condition that Cedar answers as a whole; what it reads of the context is all that its answer depends on, beside tenant and
lane. Nothing here says what an atom means: each is handed back to Cedar as a policy of its own. So no construct of the language can be
misread; one that reads the context in a way not known here counts as reading all of it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cedarpy import policies_from_json_str, policies_to_json_str

Tree = Mapping[str, Any]
"""A node of Cedar's JSON syntax tree."""

_ANYONE: Final = {"principal": {"op": "All"}, "action": {"op": "All"}, "resource": {"op": "All"}}


@dataclass(frozen=True, slots=True)
class Atom:
    """A condition for Cedar: its number, and the names of the axes that it reads."""

    number: int
    reads: frozenset[str]


@dataclass(frozen=True, slots=True)
class Not:
    """Holds where its part does not."""

    part: "Formula"


@dataclass(frozen=True, slots=True)
class All:
    """Holds where each part does."""

    parts: tuple["Formula", ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Holds where a part does."""

    parts: tuple["Formula", ...]


@dataclass(frozen=True, slots=True)
class If:
    """Holds as `then` does where `condition` holds, elsewhere as `otherwise` does."""

    condition: "Formula"
    then: "Formula"
    otherwise: "Formula"


Formula = Atom | Not | All | AnyOf | If


@dataclass(frozen=True, slots=True)
class PolicyFormula:
    """One policy: who it is, and when it fires."""

    id: str
    permits: bool
    fires: Formula


@dataclass(frozen=True, slots=True)
class Policies:
    """A policy text taken apart. `atoms` are Cedar policies, one a permit for each atom, whose `@id` is the atom's number."""

    formulas: tuple[PolicyFormula, ...]
    atoms: Mapping[Atom, Tree]
    names: frozenset[str]

    def asking(self, atoms: Iterable[Atom]) -> str:
        """Return a policy text that permits by exactly those of these atoms which hold."""
        policies = {f"policy{atom.number}": self.atoms[atom] for atom in atoms}
        return str(
            policies_from_json_str(json.dumps({"templates": {}, "templateLinks": [], "staticPolicies": policies}))
        )


def take_apart(policies: str, action: str, axes: frozenset[str]) -> Policies:
    """Cut the policies that may speak of an action into formulas. Raises ValueError when the text does not parse."""
    parsed: dict[str, Any] = json.loads(policies_to_json_str(policies))["staticPolicies"]
    trees = {number: tree for number, tree in parsed.items() if not _speaks_of_another(action, tree)}
    cutter = _Cutter(axes)
    ordered = sorted(trees.items(), key=lambda item: int(item[0].removeprefix("policy")))
    formulas = tuple(cutter.formula(number, tree) for number, tree in ordered)
    return Policies(formulas, cutter.atoms, frozenset(strings(trees)))


def _speaks_of_another(action: str, policy: Tree) -> bool:
    """Tell whether a policy's scope names one action, and not this one: it never fires for it."""
    match policy["action"]:
        case {"op": "==", "entity": {"id": str(name)}}:
            return name != action
        case _:
            return False


class _Cutter:
    """Numbers atoms as it finds them; the same condition twice is one atom."""

    def __init__(self, axes: frozenset[str]) -> None:
        self.atoms: dict[Atom, Tree] = {}
        self._axes = axes
        self._known: dict[str, Atom] = {}

    def formula(self, number: str, policy: Tree) -> PolicyFormula:
        scope = {part: policy[part] for part in ("principal", "action", "resource")}
        parts: list[Formula] = [self._atom(scope, frozenset())]
        for condition in policy["conditions"]:
            body = self._cut(condition["body"])
            parts.append(body if condition["kind"] == "when" else Not(body))
        name = policy.get("annotations", {}).get("id") or number
        return PolicyFormula(name, policy["effect"] == "permit", All(tuple(parts)))

    def _cut(self, node: Tree) -> Formula:
        match node:
            case {"!": {"arg": part}}:
                return Not(self._cut(part))
            case {"&&": {"left": left, "right": right}}:
                return All((self._cut(left), self._cut(right)))
            case {"||": {"left": left, "right": right}}:
                return AnyOf((self._cut(left), self._cut(right)))
            case {"if-then-else": {"if": condition, "then": then, "else": otherwise}}:
                return If(self._cut(condition), self._cut(then), self._cut(otherwise))
            case _:
                return self._atom(_ANYONE | {"conditions": [{"kind": "when", "body": node}]}, self._reads(node))

    def _atom(self, policy: Tree, reads: frozenset[str]) -> Atom:
        key = json.dumps(policy, sort_keys=True)
        if key not in self._known:
            atom = Atom(len(self._known), reads)
            annotations = {"id": str(atom.number)}
            self._known[key] = atom
            self.atoms[atom] = {"effect": "permit", "conditions": [], **policy, "annotations": annotations}
        return self._known[key]

    def _reads(self, node: object) -> frozenset[str]:
        """What a condition reads of the context; all of it, where the context is used otherwise than by the name of an axis."""
        match node:
            case {".": {"left": {"Var": "context"}, "attr": str(name)}} if name in self._axes:
                return frozenset({name})
            case {"has": {"left": {"Var": "context"}, "attr": str(name)}} if name in self._axes:
                return frozenset()  # Every question has all of them.
            case {"Var": "context"}:
                return self._axes
            case dict():
                return frozenset[str]().union(*(self._reads(part) for part in node.values()))
            case list():
                return frozenset[str]().union(*(self._reads(part) for part in node))
            case _:
                return frozenset()


def strings(node: object) -> Iterator[str]:
    """Every string in a tree: what a policy does not say, it can't tell apart by its name."""
    match node:
        case str():
            yield node
        case dict():
            for part in node.values():
                yield from strings(part)
        case list():
            for part in node:
                yield from strings(part)
        case _:
            pass
