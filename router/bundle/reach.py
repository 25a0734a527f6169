"""Can any request reach this route? Walks through the values that its condition and those before it can tell apart.

Values come from the fixed lists of `router.bundle.variables`, from what the classifier knows, and from the literals in the
conditions (for a number n also its neighbours). A branch is dropped as soon as a condition decides it; the walk is bounded.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from router.bundle.variables import BUILT_IN_CATEGORIES, VARIABLES, TopicHeads, stays_private
from router.contract import LEVELS, Level
from router.rules import Facts, Rule, RuleError

MOST_STEPS: Final = 50_000
_MOST_VALUES: Final = 1_000
_DERIVED: Final = {"stays_private": ("level", "categories")}
_STRING: Final = re.compile(r"\"((?:\\.|[^\"\\])*)\"|'((?:\\.|[^'\\])*)'")
_NUMBER: Final = re.compile(r"(?<![\w.\"'])\d+(?:\.\d+)?")
_STRING_FUNCTIONS: Final = frozenset({"contains", "startsWith", "endsWith", "size", "_+_"})
_ELSE: Final = "something-else"


@dataclass(frozen=True, slots=True)
class World:
    """What the values of variables depend on beside the conditions."""

    heads: TopicHeads
    orgs: tuple[str, ...]
    levels: Mapping[str, Level]
    jurisdictions: tuple[str, ...]


@dataclass(slots=True)
class Walk:
    """How a search ended: the variables of a request that reaches the route, whether it saw all, what could not be evaluated."""

    witness: Mapping[str, object] | None = None
    steps: int = 0
    sampled: bool = False
    errors: dict[str, str] = field(default_factory=dict)


def reach(rules: Sequence[Rule | None], target: int, world: World, fixed: Mapping[str, object] | None = None) -> Walk:
    """Look for variables under which `rules[target]` holds and none before it does. None stands for a rule that always holds."""
    walk = Walk()
    before = rules[:target]
    if any(rule is None for rule in before):
        return walk
    wanted = rules[target]
    earlier = [rule for rule in before if rule is not None]
    involved = [*([wanted] if wanted is not None else []), *earlier]
    domains = domains_of(involved, world)
    order = list(dict.fromkeys(name for rule in involved for name in _base_names(rule, domains)))
    conditions = [(rule, rule is wanted, frozenset(_base_names(rule, domains))) for rule in involved]
    start = {name: value for name, value in (fixed or {}).items() if name in order}
    free = [name for name in order if name not in start]
    walk.witness = _search(start, free, conditions, domains, world, walk)
    return walk


_Condition = tuple[Rule, bool, frozenset[str]]


def _search(
    known: dict[str, object],
    free: list[str],
    conditions: Sequence[_Condition],
    domains: Mapping[str, Sequence[object]],
    world: World,
    walk: Walk,
) -> Mapping[str, object] | None:
    """Settle conditions whose variables are known; go on with the next free variable, depth first."""
    open_conditions: list[_Condition] = []
    facts: Facts | None = None
    for rule, must_hold, names in conditions:
        if not names <= known.keys():
            open_conditions.append((rule, must_hold, names))
            continue
        walk.steps += 1
        facts = facts or Facts.of(_with_derived(known))
        try:
            if rule.holds(facts) != must_hold:
                return None
        except RuleError as error:
            walk.errors.setdefault(rule.source, str(error))
            return None
    if not open_conditions:
        return _with_derived(known)
    name = free[0]
    for value in domains[name]:
        if walk.steps > MOST_STEPS:
            walk.sampled = True
            return None
        tried = {**known, name: value}
        if not _possible(tried, world):
            continue
        found = _search(tried, free[1:], open_conditions, domains, world, walk)
        if found is not None:
            return found
    return None


def _possible(known: Mapping[str, object], world: World) -> bool:
    """A label's level is at least that of its categories."""
    level, categories = known.get("level"), known.get("categories")
    if not isinstance(level, str) or not isinstance(categories, list):
        return True
    return all(LEVELS.index(world.levels.get(name, "restricted")) <= LEVELS.index(level) for name in categories)


def _with_derived(known: Mapping[str, object]) -> dict[str, object]:
    level, categories = known.get("level"), known.get("categories")
    if isinstance(level, str) and isinstance(categories, list):
        return {**known, "stays_private": stays_private(level, categories)}
    return dict(known)


def _base_names(rule: Rule, domains: Mapping[str, object]) -> Iterator[str]:
    for name in sorted(rule.variables):
        for base in _DERIVED.get(name, (name,)):
            if base in domains:
                yield base


def domains_of(rules: Sequence[Rule], world: World) -> dict[str, Sequence[object]]:
    """Return the values to try for each variable, the most ordinary first: those that the rules asking about it can tell apart."""

    def strings(name: str) -> list[str]:
        sources = [rule.source for rule in rules if name in rule.variables]
        return sorted({a or b for source in sources for a, b in _STRING.findall(source)})

    def numbers(name: str) -> list[float]:
        sources = [_STRING.sub('""', rule.source) for rule in rules if name in rule.variables]
        return sorted({float(number) for source in sources for number in _NUMBER.findall(source)})

    def searched(name: str) -> bool:
        return any(rule.functions & _STRING_FUNCTIONS for rule in rules if name in rule.variables)

    words, keys = strings("words"), strings("metadata")
    domains: dict[str, Sequence[object]] = {variable.name: variable.values for variable in VARIABLES if variable.values}
    return domains | {
        "intent": _told_apart(world.heads.intents, strings("intent"), whole=searched("intent")),
        "domain": _told_apart(world.heads.domains, strings("domain"), whole=searched("domain")),
        "org": world.orgs,
        "categories": _lists(sorted(world.levels), [*strings("categories"), *strings("stays_private")]),
        "jurisdictions": _lists(world.jurisdictions, strings("jurisdictions")),
        "regulated": _lists(BUILT_IN_CATEGORIES, strings("regulated")),
        "words": ["  ", *words, " ".join(words)],
        "metadata": [{}, *({key: _ELSE} for key in keys), *({a: b} for a in keys for b in keys if a != b)][
            :_MOST_VALUES
        ],
        "confidence": _fractions(numbers("confidence"), first=1.0),
        "attack_score": _fractions(numbers("attack_score"), first=0.0),
        "harm_score": _fractions(numbers("harm_score"), first=0.0),
        "difficulty": _fractions(numbers("difficulty"), first=0.0),
        "input_tokens": _counts(numbers("input_tokens")),
    }


def _told_apart(known: tuple[str, ...], literals: Sequence[str], *, whole: bool) -> list[object]:
    """Names that only equality looks at: those in the conditions, and one that stands for all the rest."""
    if whole:
        return [_ELSE, *known]
    return [_ELSE, *(name for name in known if name in literals)]


def _lists(known: Sequence[str], literals: Sequence[str]) -> list[object]:
    """None, each that a condition names (and one that none does), pairs of those, and one list of each length."""
    named = [name for name in known if name in literals]
    others = [name for name in known if name not in literals]
    singles = [[name] for name in (*others[:1], *named)]
    pairs = [[a, b] for a in named for b in named if a < b]
    lengths = [[*named, *others][:length] for length in range(2, len(known) + 1)]
    return [[], *singles, *pairs, *lengths, *(others[:length] for length in range(2, len(others) + 1))]


def _fractions(numbers: Sequence[float], first: float) -> list[object]:
    near = {n + step for n in numbers if n <= 1 for step in (-0.01, 0.0, 0.01)}
    rest = sorted({0.0, 0.5, 1.0, *(round(n, 6) for n in near if 0 <= n <= 1)} - {first})
    return [first, *rest]


def _counts(numbers: Sequence[float]) -> list[int]:
    near = {int(n) + step for n in numbers if n.is_integer() for step in (-1, 0, 1)}
    return sorted({1, *(n for n in near if n > 0)})
