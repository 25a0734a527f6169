from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.tools.check import checked_arguments
from router.tools.slots import fill_slots
from tests.router.tools.kit import tool


def wanting(properties: dict[str, Any], *required: str) -> Any:
    return tool(parameters={"type": "object", "properties": properties, "required": list(required)})


@pytest.mark.parametrize(
    ("text", "ticket"),
    [
        ("What happened to TCK-1042?", "TCK-1042"),
        ("ticket tck-1042, please", "TCK-1042"),
        ("It is about (TCK-1042).", "TCK-1042"),
        ("Ticket number: TCK-7 was about order ORD-5567", "TCK-7"),
        ("TCK-7 ... TCK-7 again", "TCK-7"),
    ],
)
def test_a_ticket_number_in_the_text_is_found(text: str, ticket: str) -> None:
    assert fill_slots(tool(), text).arguments_json == f'{{"ticket_id":"{ticket}"}}'


@pytest.mark.parametrize("text", ["What is your refund policy?", "", "COVID", "TCK1042", "X-TCK-1042-Z", "my ticket"])
def test_without_one_it_is_missing(text: str) -> None:
    slots = fill_slots(tool(), text)

    assert (slots.arguments_json, slots.missing) == (None, ("ticket_id",))


def test_of_two_that_nothing_tells_apart_none_is_taken() -> None:
    slots = fill_slots(tool(), "TCK-1 or TCK-2?")

    assert (slots.arguments_json, slots.ambiguous) == (None, ("ticket_id",))


def test_enumerations_formats_and_numbers_are_found_too() -> None:
    asked = wanting(
        {
            "plan": {"enum": ["basic", "premium"]},
            "email": {"type": "string", "format": "email"},
            "since": {"type": "string", "format": "date"},
            "amount": {"type": "number", "minimum": 0},
            "seats": {"type": "integer"},
            "kind": {"const": "order"},
        },
        "plan",
        "email",
        "since",
        "kind",
    )

    text = "Move ada@example.com to Premium since 2026-01-31, amount 12.50, for 4 people"
    slots = fill_slots(asked, text)

    assert slots.arguments_json == (
        '{"amount":12.5,"email":"ada@example.com","kind":"order","plan":"premium","since":"2026-01-31"}'
    )


def test_a_bare_number_is_nobodys_unless_it_is_named() -> None:
    asked = wanting({"order_id": {"type": "integer"}}, "order_id")

    assert fill_slots(asked, "I was born in 1981").missing == ("order_id",)
    assert fill_slots(asked, "order no. 1981 is late").arguments_json == '{"order_id":1981}'


def test_a_date_that_is_none_is_not_found() -> None:
    asked = wanting({"day": {"type": "string", "format": "date"}}, "day")

    assert fill_slots(asked, "on 2026-02-30").missing == ("day",)


def test_free_text_is_never_guessed() -> None:
    asked = wanting({"reason": {"type": "string"}}, "reason")

    assert fill_slots(asked, "the reason is that it broke").missing == ("reason",)


def test_a_pattern_that_can_take_forever_is_not_run() -> None:
    asked = wanting({"word": {"type": "string", "pattern": r"^(?=a)(a+)+$"}}, "word")

    assert fill_slots(asked, "a" * 5000 + "!").missing == ("word",)


def test_a_tool_that_wants_nothing_is_called_with_nothing() -> None:
    assert fill_slots(tool(parameters={"type": "object"}), "anything").arguments_json == "{}"


@given(st.text(max_size=200))
def test_what_is_found_always_fits_the_contract(text: str) -> None:
    slots = fill_slots(tool(), text + " TCK-1 " + text)

    if slots.arguments_json is not None:
        assert checked_arguments(tool(), slots.arguments_json) == slots.arguments_json
    else:
        assert slots.missing or slots.ambiguous
