"""A value that a model put into arguments counts where the caller's own text says it, whole, and nowhere else."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.bundle.files import ToolFile
from router.errors import ToolArgumentsInvalid
from router.tools.standing import said_arguments


def tool(properties: dict[str, Any], *required: str) -> ToolFile:
    parameters = {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
    return ToolFile.model_validate(
        {"name": "look", "description": "Look.", "side_effect": "read", "parameters": parameters}
    )


TICKET = tool({"ticket": {"type": "string"}, "note": {"type": "string"}}, "ticket")
AMOUNT = tool({"amount": {"type": "number"}}, "amount")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("TCK-1042", "Where is TCK-1042?"),
        ("TCK-1042", "where is tck-1042, please"),
        ("Anna Müller", "for Anna\n  Müller"),
        ("a@b.example", "I am a@b.example."),
        ("TCK-7", "(TCK-7)"),
    ],
)
def test_what_the_text_says_is_taken(value: str, text: str) -> None:
    assert said_arguments(TICKET, f'{{"ticket":"{value}"}}', text) == f'{{"ticket":"{value}"}}'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("TCK-1042", "Where is my parcel?"),
        ("TCK-104", "Where is TCK-1042?"),
        ("TCK-104", "Where is TCK-104-2?"),
        ("1042", "Where is TCK-1042?"),
        ("b.example", "I am a@b.example."),
        ("", "Where is it?"),
    ],
)
def test_what_it_does_not_say_is_refused_without_being_quoted(value: str, text: str) -> None:
    with pytest.raises(ToolArgumentsInvalid) as refused:
        said_arguments(TICKET, f'{{"ticket":"{value}"}}', text)

    assert refused.value.errors == ("at /ticket: it does not stand in the caller's text",)


def test_an_argument_that_the_tool_can_do_without_is_left_out_where_nobody_said_it() -> None:
    arguments = said_arguments(TICKET, '{"ticket":"TCK-1","note":"urgent"}', "Where is TCK-1?")

    assert arguments == '{"ticket":"TCK-1"}'


@pytest.mark.parametrize("text", ["Refund $1,200.50 please", "1200.50", "it is 1200.5!"])
def test_a_number_is_the_same_however_it_is_written(text: str) -> None:
    assert said_arguments(AMOUNT, '{"amount":1200.5}', text) == '{"amount":1200.5}'


@pytest.mark.parametrize("text", ["ORD-12", "on 2026-12-01", "v1.12.3", "12th floor", "120"])
def test_a_piece_of_something_else_is_no_number(text: str) -> None:
    with pytest.raises(ToolArgumentsInvalid):
        said_arguments(AMOUNT, '{"amount":12}', text)


def test_what_the_schema_fixes_is_nobody_s_invention_and_a_yes_is_no_quotation() -> None:
    fixed = tool({"kind": {"const": "ticket"}, "only": {"enum": ["open"]}}, "kind", "only")
    yes = tool({"force": {"type": "boolean"}}, "force")

    assert said_arguments(fixed, '{"kind":"ticket","only":"open"}', "hello") == '{"kind":"ticket","only":"open"}'
    with pytest.raises(ToolArgumentsInvalid):
        said_arguments(yes, '{"force":true}', "force it: true")


def test_every_part_of_a_nested_value_must_stand_there() -> None:
    nested = tool(
        {"lines": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}}}, "lines"
    )

    with pytest.raises(ToolArgumentsInvalid) as refused:
        said_arguments(nested, '{"lines":[{"sku":"A-1"},{"sku":"B-2"}]}', "send back A-1")
    with pytest.raises(ToolArgumentsInvalid) as named:
        said_arguments(nested, '{"lines":[{"made_up":"A-1"}]}', "send back A-1")

    assert refused.value.errors == ("at /lines/1/sku: it does not stand in the caller's text",)
    assert named.value.errors == ("at /lines/0/made_up: it does not stand in the caller's text",)


@pytest.mark.parametrize("said", ["TCK-1042", '"TCK-1042"', "[]", '{"ticket":1}', "{", ""])
def test_what_breaks_the_tool_s_contract_is_refused_whatever_the_text_says(said: str) -> None:
    with pytest.raises(ToolArgumentsInvalid):
        said_arguments(TICKET, said, "TCK-1042 1 TCK-1042")


@given(st.text(alphabet="AB1-", max_size=12), st.lists(st.text(alphabet="AB1-", min_size=1, max_size=6), max_size=5))
def test_no_word_is_taken_that_is_not_one_of_the_text_s(value: str, words: list[str]) -> None:
    """LAW: where a value without spaces is taken, the text holds it between two that are no part of a word."""
    text = " ".join(words)
    try:
        said_arguments(TICKET, f'{{"ticket":"{value}"}}', text)
    except ToolArgumentsInvalid:
        return
    assert any(value.strip("-") in word.strip("-") for word in words)
    assert value in text
