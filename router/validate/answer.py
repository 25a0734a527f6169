"""Does this answer meet its output contract? Held against schema and rules at the end, whoever promised to constrain it."""

from collections.abc import Callable
from dataclasses import dataclass

from router.bundle.answer_rules import NO_RULES, ContractRules
from router.exact.parsing import NotJson, parse_json
from router.exact.schema import MOST_ERRORS, breaches
from router.validate.rules import rule_breaches

ANY_OBJECT = "{}"
"""The schema that asks for any JSON object, as `response_format: json_object` does, and a tool without parameters."""


@dataclass(frozen=True, slots=True)
class Validity:
    """Whether the answer is valid, and if not, what breaks where (at most ten breaches, none quoting a value of the answer)."""

    valid: bool
    errors: tuple[str, ...] = ()


Look = Callable[[str], tuple[str, ...]]
"""A look at a whole answer's text that needs more than the text; returns what breaks. The citations' is one: it knows the passages."""


@dataclass(frozen=True, slots=True)
class AnswerContract:
    """What one answer must look like: a JSON Schema as JSON text (None: free text), rules beside it, and further looks at it."""

    name: str
    schema: str | None
    rules: ContractRules = NO_RULES
    looks: tuple[Look, ...] = ()

    @property
    def effective_schema(self) -> str | None:
        """The schema, with `{}` read as what callers mean by it: any JSON object."""
        return '{"type":"object"}' if self.schema == ANY_OBJECT else self.schema


def validate_answer(text: str, contract: AnswerContract | str) -> Validity:
    """Hold an answer's text against its contract; a string is a JSON Schema without rules.

    Raises `SchemaRefused` when the schema itself is no JSON Schema.
    """
    asked = contract if isinstance(contract, AnswerContract) else AnswerContract("schema", contract)
    schema = asked.effective_schema
    if schema is None:
        return _validity([*rule_breaches(asked.rules, text), *_seen(asked, text)])
    try:
        value = parse_json(text)
    except NotJson as error:
        return Validity(valid=False, errors=(f"not JSON: {error}",))
    found = breaches(schema, value, formats=asked.rules.asserts_formats)
    return _validity([*found, *rule_breaches(asked.rules, value), *_seen(asked, text)])


def _seen(asked: AnswerContract, text: str) -> list[str]:
    return [broken for look in asked.looks for broken in look(text)]


def _validity(found: list[str]) -> Validity:
    return Validity(valid=not found, errors=tuple(found[:MOST_ERRORS]))
