import pytest

from router.errors import SchemaRefused
from router.validate import check_schema, validate_answer

PERSON = '{"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}'


def test_a_valid_answer_is_valid() -> None:
    assert validate_answer('{"age": 3}', PERSON).valid


def test_a_broken_answer_says_where_and_which_rule_but_not_the_value() -> None:
    validity = validate_answer('{"age": "hunter2"}', PERSON)

    assert not validity.valid
    assert validity.errors == ("at /age: type",)


def test_text_that_is_not_json_is_invalid() -> None:
    assert not validate_answer("Sure! Here is your JSON:", PERSON).valid


def test_any_object_is_asked_for_by_an_empty_schema() -> None:
    assert validate_answer("{}", "{}").valid
    assert not validate_answer("[]", "{}").valid


def test_formats_are_asserted() -> None:
    assert not validate_answer('"not a date"', '{"type": "string", "format": "date"}').valid


@pytest.mark.parametrize("schema", ['{"type": "foo"}', "[", "1", '{"minimum": "x"}'])
def test_what_is_no_schema_is_refused(schema: str) -> None:
    with pytest.raises(SchemaRefused):
        check_schema(schema)


def test_a_reference_to_an_address_is_refused_and_not_fetched() -> None:
    with pytest.raises(SchemaRefused, match="outside the schema"):
        check_schema('{"$ref": "http://127.0.0.1:9/schema.json"}')
