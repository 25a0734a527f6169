import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.bundle.answer_rules import ContractRules, LengthRule
from router.errors import SchemaRefused
from router.validate import AnswerContract, Breach, PrefixChecker, check_schema, validate_answer

SUITE = Path(os.environ.get("LANE_DATA", "../shared/data")) / "schemas/json-schema-test-suite/tests/draft2020-12"
ANSWER = AnswerContract(
    "answer",
    json.dumps(
        {
            "type": "object",
            "properties": {
                "text": {"type": "string", "maxLength": 10},
                "step": {"enum": ["none", "ask", 1]},
                "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}, "maxItems": 2},
            },
            "required": ["text"],
            "additionalProperties": False,
            "$defs": {"line": {"anyOf": [{"type": "integer", "minimum": 3}, {"type": "object", "required": ["a"]}]}},
        }
    ),
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def fed(contract: AnswerContract, text: str, cuts: random.Random) -> tuple[PrefixChecker, Breach | None]:
    """Feed a text in pieces of random lengths, to its end or to the first breach."""
    checker, at = PrefixChecker(contract), 0
    while at < len(text):
        step = cuts.choice((1, 1, 2, 3, 7, 40))
        checker.feed(text[at : at + step])
        at += step
    return checker, checker.breach


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Sure", "not JSON: expected a value"),
        ("[", "at /: expected object"),
        ('{"t": 1', "at /: `t` may not be there"),
        ('{"x', "at /: `x` may not be there"),
        ('{"text": 1', "at /text: expected string"),
        ('{"text": "longer than ten', "at /text: expected at most 10 characters"),
        ('{"step": "as', None),
        ('{"step": "af', 'at /step: expected one of ["none", "ask", 1]'),
        ('{"step": null', 'at /step: expected one of ["none", "ask", 1]'),
        ('{"step": "none"}', "at /: `text` is missing"),
        ('{"lines": [3, {"a": [2', None),
        ('{"lines": [2,', "at /lines/0: expected at least 3"),
        ('{"lines": [{}', "at /lines/0: `a` is missing"),
        ('{"lines": ["', "at /lines/0: fits none of the alternatives; for one: expected integer"),
        ('{"lines": [3, 4, 5', "at /lines/2: expected at most 2 items"),
        ('{"text": "a", "text"', "not JSON: a name comes twice in one object"),
        ('{"text": "a"} {', "not JSON: text after the value's end"),
        ('{"text": "\\ud83d\\ude00"', None),
        ('{"text": "\\ud83dx', "not JSON: half of a surrogate pair"),
        ('{"text": "\\u00zz', "not JSON: a broken \\u escape"),
        ('{"lines": [01', "not JSON: a malformed number"),
        ('{"lines": [3.', None),
    ],
)
def test_a_breach_is_told_as_soon_as_it_can_be_known(text: str, told: str | None) -> None:
    checker = PrefixChecker(ANSWER)

    for character in text:
        checker.feed(character)

    assert (checker.breach and checker.breach.because) == told


def test_a_breach_stays_and_says_how_much_had_come() -> None:
    checker = PrefixChecker(ANSWER)

    first = checker.feed("[1")
    again = checker.feed(", 2]")

    assert first is again
    assert first == Breach("at /: expected object", 2)
    assert not checker.close().valid


def test_the_end_is_held_against_the_whole_contract() -> None:
    checker = PrefixChecker(AnswerContract("distinct", '{"uniqueItems": true}'))

    assert checker.feed("[1, 1]") is None
    assert checker.close().errors == ("at /: expected items that differ from each other",)


def test_forbidden_fields_and_lengths_are_told_early() -> None:
    rules = ContractRules(forbidden=("ssn",), length=(LengthRule(of="/note", characters_at_most=3),))
    checker, other = (PrefixChecker(AnswerContract("noted", "{}", rules)) for _ in range(2))

    assert checker.feed('{"a": [{"ssn": ') == Breach("at /a/0/ssn: this field may not be there", 15)
    assert other.feed('{"note": "long') == Breach("at /note: expected at most 3 characters", 14)


def test_free_text_that_grows_too_long_is_told_early() -> None:
    checker = PrefixChecker(AnswerContract("text", None, ContractRules(length=(LengthRule(characters_at_most=5),))))

    assert checker.feed("hello") is None
    assert checker.feed("!") == Breach("at /: expected at most 5 characters", 6)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"anyOf": [{"$ref": "#/$defs/b"}], "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}},
        {"allOf": [{"items": {"$ref": "#"}} for _ in range(60)]},
        {"anyOf": [{"items": {"$ref": "#"}} for _ in range(60)]},
    ],
)  # fmt: skip
@pytest.mark.timeout(20)
def test_a_schema_that_leads_back_to_itself_costs_bounded_time(schema: dict[str, Any]) -> None:
    checker = PrefixChecker(AnswerContract("knot", json.dumps(schema)))

    for character in "[" * 30 + "1" + "]" * 30:
        assert checker.feed(character) is None


@given(value=JSON_VALUES, ascii_only=st.booleans(), cuts=st.randoms())
def test_json_never_breaches_however_it_is_cut(value: object, ascii_only: bool, cuts: random.Random) -> None:
    contract = AnswerContract("anything", "true")

    checker, breach = fed(contract, json.dumps(value, ensure_ascii=ascii_only), cuts)

    assert breach is None
    assert checker.close().valid


@given(
    value=JSON_VALUES, damage=st.integers(0, 200), letter=st.sampled_from('"{}[],:0-.eE\\u x\n\x01'), cuts=st.randoms()
)
def test_scanner_and_parser_agree_on_damaged_json(value: object, damage: int, letter: str, cuts: random.Random) -> None:
    text = json.dumps(value)
    at = damage % (len(text) + 1)
    damaged = text[:at] + letter + text[at + cuts.choice((0, 1)) :]
    contract = AnswerContract("anything", "true")

    checker, breach = fed(contract, damaged, cuts)

    if validate_answer(damaged, contract).valid:
        assert breach is None
    assert checker.close() == validate_answer(damaged, contract)


def suite_cases() -> Iterator[tuple[AnswerContract, str]]:
    for file in sorted(SUITE.rglob("*.json")):
        formats = "assert" if "format" in file.parent.name else "annotate"
        for group in json.loads(file.read_text()):
            contract = AnswerContract(file.stem, json.dumps(group["schema"]), ContractRules(formats=formats))  # type: ignore[arg-type]
            try:
                check_schema(str(contract.schema))
            except SchemaRefused:
                continue  # It refers to other documents.
            for case in group["tests"]:
                yield contract, json.dumps(case["data"])


@pytest.mark.skipif(not SUITE.is_dir(), reason="the official JSON Schema suite is not on this machine")
def test_no_valid_instance_of_the_official_suite_breaches() -> None:
    cuts = random.Random(6)
    early = late = 0

    for contract, text in suite_cases():
        checker, breach = fed(contract, text, cuts)
        if validate_answer(text, contract).valid:
            assert breach is None, (contract, text, breach)
        elif breach is not None:
            early += 1
        else:
            late += 1
            assert not checker.close().valid

    # What the end alone can tell must stay the smaller part.
    assert early > 1.5 * late
