"""Do the conditions of a bundle compile, and ask only about what there is? Tier rules, routes, their questions, checks of answers."""

from dataclasses import dataclass

from router.bundle.answer_checks import CHECK_NAMES, CompiledCheck, compile_check
from router.bundle.source import Source
from router.bundle.variables import NAMES, TIER_NAMES
from router.rules import Rule, RuleError, compile_rule


@dataclass(frozen=True, slots=True)
class Conditions:
    """The compiled conditions (None: always holds). `broken`: the routes whose condition is not, which stands as one that never holds.

    `clarify`: for each route, when it asks back.
    """

    routes: tuple[Rule | None, ...]
    broken: frozenset[int]
    clarify: tuple[tuple[Rule, ...], ...]
    tier_rules: tuple[Rule, ...]
    checks: tuple[CompiledCheck, ...]

    @property
    def variables(self) -> frozenset[str]:
        """What any condition about a request asks about."""
        asking = [*self.routes, *self.tier_rules, *(rule for rules in self.clarify for rule in rules)]
        return frozenset[str]().union(*(rule.variables for rule in asking if rule is not None))


def compile_conditions(source: Source) -> Conditions:
    """Compile all of them; what is wrong with any is added to the source's findings."""
    routes, broken = _route_rules(source)
    return Conditions(routes, broken, _clarify(source), _tier_rules(source), _checks(source))


def compile_condition(source: Source, file: str, line: int, text: str, names: frozenset[str]) -> Rule | None:
    """Compile a condition; note what is wrong with it."""
    try:
        rule = compile_rule(text)
    except RuleError as error:
        said = " ".join(part for part in str(error).split() if part != "|")
        source.find(file, line, f"bad CEL: {said}", "mend the condition; docs/policy.md lists what it can say")
        return None
    strange = rule.variables - names
    if strange:
        listed = ", ".join(f"`{name}`" for name in sorted(strange))
        source.find(file, line, f"bad CEL: unknown variable {listed}", f"use {', '.join(sorted(names))}")
        return None
    return rule


def _tier_rules(source: Source) -> tuple[Rule, ...]:
    rules = []
    for index, spec in enumerate(source.tiers.rules if source.tiers else ()):
        rule = compile_condition(
            source, "tiers.yaml", source.line("tiers.yaml", "rules", index, "when"), spec.when, TIER_NAMES
        )
        if rule is not None:
            rules.append(rule)
    return tuple(rules)


def _checks(source: Source) -> tuple[CompiledCheck, ...]:
    checks = []
    for index, spec in enumerate(source.tiers.checks if source.tiers else ()):
        line = source.line("tiers.yaml", "checks", index)
        if spec.when is not None and compile_condition(source, "tiers.yaml", line, spec.when, CHECK_NAMES) is None:
            continue
        try:
            checks.append(compile_check(spec))
        except RuleError as error:
            source.find(
                "tiers.yaml", line, f"check `{spec.id}`: {error}", "write it as RE2 does; it has no look-around"
            )
    return tuple(checks)


def _route_rules(source: Source) -> tuple[tuple[Rule | None, ...], frozenset[int]]:
    """Return the routes' conditions, and which of them are broken: those stand as one that never holds."""
    rules: list[Rule | None] = []
    broken: set[int] = set()
    for index, spec in enumerate(source.routes.routes if source.routes else ()):
        if spec.when is None:
            rules.append(None)
            continue
        rule = compile_condition(
            source, "routes.yaml", source.line("routes.yaml", "routes", index, "when"), spec.when, NAMES
        )
        rules.append(rule or compile_rule("false"))
        if rule is None:
            broken.add(index)
    if source.routes and (not source.routes.routes or source.routes.routes[-1].when is not None):
        line = source.line("routes.yaml", "routes", max(len(source.routes.routes) - 1, 0))
        message = "the last route has a condition: a request may match none"
        source.find("routes.yaml", line, message, "end with a route without `when`")
    return tuple(rules), frozenset(broken)


def _clarify(source: Source) -> tuple[tuple[Rule, ...], ...]:
    """When each route asks back. Lines up with `RouteSpec.clarify` only where nothing was found."""
    compiled = []
    for index, route in enumerate(source.routes.routes if source.routes else ()):
        lines = [source.line("routes.yaml", "routes", index, "clarify", at, "when") for at in range(len(route.clarify))]
        rules = (
            compile_condition(source, "routes.yaml", line, asked.when, NAMES)
            for line, asked in zip(lines, route.clarify, strict=True)
        )
        compiled.append(tuple(rule for rule in rules if rule is not None))
    return tuple(compiled)
