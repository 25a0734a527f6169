"""Does a condition written in CEL hold for these facts? Whatever is not a plain yes or no is an error, never a silent no."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import cel

KNOWN_FUNCTIONS: Final = frozenset(
    {
        *(
            "_&&_",
            "_||_",
            "!_",
            "_==_",
            "_!=_",
            "_<_",
            "_<=_",
            "_>_",
            "_>=_",
            "@in",
            "@not_strictly_false",
            "_?_:_",
            "_[_]",
        ),
        *("_+_", "_-_", "_*_", "_/_", "_%_", "-_", "size", "contains", "startsWith", "endsWith", "has"),
    }
)
"""Operators and functions a rule may use. `matches` is not among them: the engine compiles its pattern at every evaluation (0.4 ms)."""

_MACRO: Final = re.compile(r"\.(?:exists|all|map|filter|exists_one)\(\s*(\w+)\s*,")

_COMPLAINT: Final = re.compile(r"ERROR: <input>:\d+:(\d+): (.*?)(?: expecting .*)?(?:\n|$)")


class RuleError(Exception):
    """A rule can't be read, or can't be answered for the facts given."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Variables made ready once, for many rules: handing them over anew for each rule costs fifty times as much."""

    context: Any

    @classmethod
    def of(cls, variables: Mapping[str, object]) -> "Facts":
        """Make variables ready. Values are strings, booleans, numbers, and lists or maps of them."""
        return cls(cel.Context(dict(variables)))

    def add(self, name: str, value: object) -> None:
        """Add a variable that was settled by rules over the others."""
        self.context.add_variable(name, value)


@dataclass(frozen=True, slots=True)
class Rule:
    """A compiled condition. `variables` are the names it asks about."""

    source: str
    variables: frozenset[str]
    functions: frozenset[str]
    _program: Any = field(repr=False, compare=False)

    def holds(self, facts: Mapping[str, object] | Facts) -> bool:
        """Tell whether the condition holds. Raises `RuleError` on any evaluation error and on anything but a boolean.

        The broad except is the point: the engine raises whatever fits (KeyError, TypeError, RuntimeError), and all of it means unknown.
        """
        ready = facts if isinstance(facts, Facts) else Facts.of(facts)
        try:
            answer = self._program.execute(ready.context)
        except Exception as error:
            raise RuleError(f"`{self.source}` can't be evaluated: {error}") from error
        if not isinstance(answer, bool):
            raise RuleError(f"`{self.source}` is a {type(answer).__name__}, not a yes or no")
        return answer


def compile_rule(source: str) -> Rule:
    """Compile a condition. Raises `RuleError` on bad syntax and on functions outside `KNOWN_FUNCTIONS`."""
    try:
        program = cel.compile(source)
    except ValueError as error:
        raise RuleError(_first_complaint(str(error))) from error
    functions = frozenset(program.functions())
    if strange := sorted(functions - KNOWN_FUNCTIONS):
        raise RuleError(f"`{source}` calls {', '.join(strange)}, which rules don't have")
    # CEL counts the names that a macro introduces (the x in `regulated.exists(x, …)`) among the variables.
    bound = frozenset(_MACRO.findall(source))
    return Rule(source, frozenset(program.variables()) - bound, functions, program)


def _first_complaint(said: str) -> str:
    """The parser's first complaint and its column, without the list of everything it would have taken."""
    found = _COMPLAINT.search(said)
    return f"{found[2]} at column {found[1]}" if found else said
