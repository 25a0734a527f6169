import json

import pytest

from router.bundle.answer_rules import ContractRules, LanguageRule, LengthRule
from router.errors import SchemaRefused
from router.validate import AnswerContract, check_schema, validate_answer

PERSON = '{"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}'


def test_a_valid_answer_is_valid() -> None:
    assert validate_answer('{"age": 3}', PERSON).valid


def test_a_broken_answer_says_where_and_what_was_expected_but_not_the_value() -> None:
    validity = validate_answer('{"age": "hunter2"}', PERSON)

    assert not validity.valid
    assert validity.errors == ("at /age: expected integer",)


@pytest.mark.parametrize(
    ("schema", "answer", "told"),
    [
        ({"required": ["a"]}, {}, "at /: `a` is missing"),
        ({"additionalProperties": False}, {"a": 1}, "at /: expected an object without any property"),
        (
            {"properties": {"b": True}, "additionalProperties": False},
            {"x" * 60: 1},
            f"at /: `{'x' * 40}…` may not be there",
        ),
        (
            {"properties": {"z": True}, "additionalProperties": False},
            dict.fromkeys("abcde", 1),
            "at /: `a`, `b`, `c` and 2 more may not be there",
        ),
        ({"items": {"enum": ["no", "yes"]}}, ["secret"], 'at /0: expected one of ["no", "yes"]'),
        ({"maxLength": 3}, "secret", "at /: expected at most 3 characters"),
        ({"minItems": 2}, ["secret"], "at /: expected at least 2 items"),
        ({"pattern": "^[0-9]+$"}, "secret", 'at /: expected text that matches "^[0-9]+$"'),
        ({"format": "date"}, "secret", "at /: expected the format date"),
        ({"const": 1}, "secret", "at /: expected 1"),
        (
            {"anyOf": [{"type": "null"}, {"properties": {"a": {"type": "integer"}}, "required": ["a"]}]},
            {"a": "secret"},
            "at /: fits none of the 2 alternatives; nearest: at /a: expected integer",
        ),
    ],
)
def test_errors_are_sentences_that_quote_the_schema_and_not_the_answer(
    schema: object, answer: object, told: str
) -> None:
    validity = validate_answer(json.dumps(answer), json.dumps(schema))

    assert validity.errors == (told,)
    assert "secret" not in told


@pytest.mark.parametrize(
    "text",
    [
        "Sure! Here is your JSON:",
        '{"age": 1, "age": 2}',
        "1e999",
        "NaN",
        '"\\ud800"',
        "[" * 5000 + "]" * 5000,
        "9" * 500,
        "",
        "{} {}",
    ],
)
def test_text_that_parsers_would_not_read_alike_is_invalid(text: str) -> None:
    validity = validate_answer(text, "true")

    assert not validity.valid
    assert validity.errors[0].startswith("not JSON: ")


def test_integers_keep_all_their_digits() -> None:
    bound = '{"maximum": 9007199254740993}'

    assert validate_answer("9007199254740993", bound).valid
    assert not validate_answer("9007199254740994", bound).valid


def test_any_object_is_asked_for_by_an_empty_schema() -> None:
    assert validate_answer("{}", "{}").valid
    assert not validate_answer("[]", "{}").valid


def test_formats_are_asserted_where_the_contract_does_not_say_otherwise() -> None:
    schema = '{"type": "string", "format": "date"}'
    annotated = AnswerContract("when", schema, ContractRules(formats="annotate"))

    assert not validate_answer('"not a date"', schema).valid
    assert validate_answer('"not a date"', annotated).valid


@pytest.mark.parametrize("schema", ['{"type": "foo"}', "[", "1", '{"minimum": "x"}'])
def test_what_is_no_schema_is_refused(schema: str) -> None:
    with pytest.raises(SchemaRefused):
        check_schema(schema)


def test_a_reference_to_an_address_is_refused_and_not_fetched() -> None:
    with pytest.raises(SchemaRefused, match="outside the schema"):
        check_schema('{"$ref": "http://127.0.0.1:9/schema.json"}')


def test_at_most_ten_breaches_are_told() -> None:
    assert len(validate_answer(json.dumps(["x"] * 50), '{"items": {"type": "integer"}}').errors) == 10


def test_a_forbidden_field_is_found_by_its_place_or_by_its_name_at_any_depth() -> None:
    rules = ContractRules(forbidden=("ssn", "/customers/*/email"))
    contract = AnswerContract("list", "{}", rules)

    assert validate_answer('{"email": 1, "customers": [{"name": "ssn"}]}', contract).valid
    assert validate_answer('{"a": [{"SSN": 1}]}', contract).errors == ("at /a/0/SSN: this field may not be there",)
    assert not validate_answer('{"customers": [{}, {"email": 1}]}', contract).valid


def test_lengths_are_held_at_their_place_and_over_the_whole_answer() -> None:
    words = LengthRule(of="/answer", words_at_least=2, words_at_most=3)
    contract = AnswerContract("short", "{}", ContractRules(length=(words,)))
    text = AnswerContract("text", None, ContractRules(length=(LengthRule(characters_at_most=5),)))

    assert validate_answer('{"answer": "two words", "other": "one"}', contract).valid
    assert validate_answer('{"answer": "one"}', contract).errors == ("at /answer: expected at least 2 words, has 1",)
    assert not validate_answer('{"answer": "a b c d"}', contract).valid
    assert validate_answer("hello", text).valid
    assert validate_answer("hello!", text).errors == ("at /: expected at most 5 characters, has 6",)


def test_an_answer_in_the_wrong_language_is_told() -> None:
    rule = LanguageRule(any_of=("de",), of="/answer")
    contract = AnswerContract("german", "{}", ContractRules(language=(rule,)))
    german, english = (
        "Die Rückgabe ist bis zum Ende des Monats möglich.",
        "You can return it until the end of the month.",
    )

    assert validate_answer(json.dumps({"answer": german}), contract).valid
    assert validate_answer(json.dumps({"answer": english}), contract).errors == (
        "at /answer: expected a text in de, it is in en",
    )
    assert validate_answer('{"answer": "OK"}', contract).valid
