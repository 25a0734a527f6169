import pytest

from router.errors import ToolArgumentsInvalid, ToolFailed, ToolResultInvalid
from router.tools.check import RESULT_CHARACTERS_AT_MOST, checked_arguments, checked_result
from tests.router.tools.kit import tool


def test_arguments_that_keep_the_contract_come_back_in_their_canonical_spelling() -> None:
    assert checked_arguments(tool(), '{ "ticket_id": "TCK-1042" }') == '{"ticket_id":"TCK-1042"}'


@pytest.mark.parametrize(
    "arguments", ['"gabenwelter"', "{}", '{"ticket_id": 1042}', '{"ticket_id": "TCK-1042", "admin": true}']
)
def test_arguments_that_break_the_contract_never_reach_the_tool(arguments: str) -> None:
    with pytest.raises(ToolArgumentsInvalid) as refused:
        checked_arguments(tool(), arguments)

    assert refused.value.errors
    assert "gabenwelter" not in str(refused.value)


@pytest.mark.parametrize("result", ["no json", "[]", "{}", '{"status": 3}', '{"status": "a", "status": "b"}'])
def test_a_result_that_breaks_the_contract_is_bad_data(result: str) -> None:
    with pytest.raises(ToolResultInvalid):
        checked_result(tool(), result)


def test_a_tool_that_promises_no_shape_may_answer_in_words() -> None:
    free = tool(result={})

    assert checked_result(free, "all is well") is None
    assert checked_result(free, '{"b": 1, "a": 2}') == '{"a":2,"b":1}'


def test_a_result_without_end_is_refused() -> None:
    with pytest.raises(ToolResultInvalid, match="longer than"):
        checked_result(tool(result={}), "x" * (RESULT_CHARACTERS_AT_MOST + 1))


def test_formats_are_asserted() -> None:
    dated = tool(result={"type": "object", "properties": {"until": {"type": "string", "format": "date"}}})

    with pytest.raises(ToolResultInvalid, match="until"):
        checked_result(dated, '{"until": "next week"}')


def test_a_schema_that_points_elsewhere_is_not_followed() -> None:
    with pytest.raises(ToolFailed, match="schema"):
        checked_result(tool(result={"$ref": "https://schemas.example/x.json"}), "{}")
