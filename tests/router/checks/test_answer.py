"""What the last look at an answer lets out, changes and keeps back."""

from collections.abc import Callable
from typing import Any

import pytest

from router.bundle.answer_checks import CheckSpec
from router.checks import Amended, CheckResult, Passed, Withheld, check_answer
from router.contract import Label, OutputContract, RouteRequest
from tests.router.checks.ground import Ground, asked, message

Make = Callable[..., Ground]
DATA = CheckSpec(id="data", because="it is not theirs", looks_for="data")
PROMISES = CheckSpec(
    id="promises",
    because="nobody promised that",
    words=("we guarantee", "guarantee* a refund"),
    sources_may_say=True,
    then="next_rung",
)
DOSAGE = CheckSpec(
    id="dosage", because="a dose needs a doctor", pattern=r"\b\d+ ?mg\b", unless=("doctor", "pharmacist"), then="person"
)
CARD = "4111 1111 1111 1111"
KEY = "sk-abcdefghij1234567890ABCDEFGHIJ1234567890abcd"


def held(text: str, ground: Ground, request: RouteRequest | None = None) -> CheckResult:
    return check_answer(text, ground.decision, request or asked(), ground.bundle)


# ------------------------------------------------------------------ whose data


@pytest.mark.parametrize("clearance", ["public", "internal", "confidential"])
def test_a_card_that_nobody_gave_is_withheld_below_its_level(ground: Make, clearance: Any) -> None:
    result = held(f"The card is {CARD}.", ground(DATA), asked(clearance=clearance))

    assert isinstance(result, Withheld)
    assert result.check_id == "data"
    assert "payment" in result.because


def test_who_is_cleared_for_it_may_read_it(ground: Make) -> None:
    result = held(f"The card is {CARD}.", ground(DATA), asked(clearance="restricted"))

    assert result == Passed()


@pytest.mark.parametrize("given", [CARD, CARD.replace(" ", "-"), CARD.replace(" ", "")])
def test_what_the_caller_wrote_is_the_callers_however_it_is_spaced(ground: Make, given: str) -> None:
    request = asked(message(f"Is {given} a valid number?"), clearance="public")

    assert held(f"Yes, {CARD} is valid.", ground(DATA), request) == Passed()


def test_a_passage_that_the_caller_may_see_may_be_quoted(ground: Make) -> None:
    seen = message("Write to Mary Jones, mary.jones@example.com.", origin="context", label=Label(level="internal"))

    result = held(
        "Please write to mary.jones@example.com.", ground(DATA), asked(message("Who?"), seen, clearance="internal")
    )

    assert result == Passed()


def test_a_passage_above_the_callers_clearance_may_not(ground: Make) -> None:
    secret = Label(level="restricted", categories=("pii",))
    hidden = message("Write to mary.jones@example.com.", origin="context", label=secret)

    result = held(
        "Write to mary.jones@example.com.", ground(DATA), asked(message("Who?"), hidden, clearance="confidential")
    )

    assert isinstance(result, Withheld)


def test_a_key_is_withheld_from_everyone_who_did_not_bring_it(ground: Make) -> None:
    in_instructions = asked(message(f"The key is {KEY}.", role="system"), message("Which key?"))

    assert isinstance(held(f"It is {KEY}.", ground(DATA)), Withheld)
    assert isinstance(held(f"It is {KEY}.", ground(DATA), in_instructions), Withheld)
    assert held(f"It is {KEY}.", ground(DATA), asked(message(f"What is {KEY}?"))) == Passed()


def test_a_short_value_within_a_longer_word_is_not_the_callers(ground: Make) -> None:
    request = asked(message("Is 455501000 a number?"), clearance="public")

    assert isinstance(
        held("Call 555-0100 for that.", ground(DATA), asked(message("555-01"), clearance="public")), Withheld
    )
    assert held("Is it the phone 455501000?", ground(DATA), request) == Passed()


def test_a_check_of_some_categories_leaves_the_rest_alone(ground: Make) -> None:
    only_cards = DATA.model_copy(update={"categories": ("payment",)})

    result = held("Write to mary.jones@example.com.", ground(only_cards), asked(clearance="public"))

    assert result == Passed()


def test_an_answer_that_cannot_be_read_in_full_is_withheld(ground: Make) -> None:
    result = held("a@b.example " * 60_000, ground(DATA), asked(clearance="public"))

    assert isinstance(result, Withheld)


def test_the_reason_never_quotes_what_it_found(ground: Make) -> None:
    result = held(f"The card is {CARD}.", ground(DATA), asked(clearance="public"))

    assert isinstance(result, Withheld)
    assert "4111" not in result.because + result.says


def test_a_password_in_a_code_example_is_nobodys(ground: Make) -> None:
    example = 'conn = connect(user="postgres", password="secret123")'
    in_instructions = asked(message("The database's password: secret123", role="system"), message("?"))

    assert held(example, ground(DATA)) == Passed()
    assert isinstance(held(example, ground(DATA), in_instructions), Withheld)


# ------------------------------------------------------------------ forbidden words


@pytest.mark.parametrize(
    "text", ["We guarantee it.", "WE\n guarantee it", "we gu\u200barantee that", "We are guaranteeing a refund."]
)
def test_a_forbidden_phrase_is_found_however_it_is_written(ground: Make, text: str) -> None:
    result = held(text, ground(PROMISES))

    assert result == Withheld(
        "promises", "it says what it may not say: nobody promised that", "next_rung", PROMISES.says
    )


@pytest.mark.parametrize("text", ["Swe guarantee", "we guaranteed", "There is a guarantee."])
def test_a_phrase_is_whole_words(ground: Make, text: str) -> None:
    assert held(text, ground(PROMISES)) == Passed()


def test_what_a_source_says_may_be_said_again_where_the_check_allows_it(ground: Make) -> None:
    source = message("Here we guarantee thirty days.", origin="context")

    assert (
        held("As our terms say, we guarantee thirty days.", ground(PROMISES), asked(message("?"), source)) == Passed()
    )
    by_the_caller = asked(message("Do you say: we guarantee?"))
    assert isinstance(held("Yes, we guarantee.", ground(PROMISES), by_the_caller), Withheld)


def test_what_heals_a_phrase_may_stand_anywhere_in_the_answer(ground: Make) -> None:
    assert isinstance(held("Take 400 mg.", ground(DOSAGE)), Withheld)
    assert held("Take 400 mg. Ask your doctor first.", ground(DOSAGE)) == Passed()


def test_the_disclaimer_that_is_added_heals_as_well(ground: Make) -> None:
    made = ground(DOSAGE, disclaimer="Please ask your doctor.")

    assert isinstance(held("Take 400 mg.", made), Amended)


def test_a_condition_over_decision_and_answer_is_a_check(ground: Make) -> None:
    check = CheckSpec(
        id="no-refund-was-made",
        because="nothing was refunded",
        when='!state_changing && answer.contains(" has been refunded ")',
    )

    assert isinstance(held("Your order has been refunded.", ground(check)), Withheld)
    assert held("Orders can be refunded.", ground(check)) == Passed()


def test_a_condition_that_cannot_be_answered_withholds(ground: Make) -> None:
    check = CheckSpec(id="broken", because="it is unknown", when="regulated[3] == 'x'")

    assert isinstance(held("Anything.", ground(check)), Withheld)


def test_a_check_that_the_plan_does_not_demand_is_not_made(ground: Make) -> None:
    assert held("We guarantee it.", ground(PROMISES, checks=())) == Passed()


# ------------------------------------------------------------------ JSON answers


@pytest.mark.parametrize(
    "text", ['{"answer": "we guarantee it"}', '{"answer": "we gu\\u0061rantee it"}', '{"a": [{"we guarantee": 1}]}']
)
def test_json_is_read_as_it_reads_to_its_reader(ground: Make, text: str) -> None:
    made = ground(PROMISES, output_contract=OutputContract(type="json"))

    assert isinstance(held(text, made), Withheld)


# ------------------------------------------------------------------ the disclaimer


def test_the_disclaimer_is_added_once(ground: Make) -> None:
    made = ground(disclaimer="This is no medical advice.")

    result = held("Rest and drink.", made)

    assert isinstance(result, Amended)
    assert result.text == "Rest and drink.\n\nThis is no medical advice."
    assert held(result.text, made) == Passed()


def test_json_takes_the_disclaimer_where_it_has_a_place_for_it(ground: Make) -> None:
    made = ground(disclaimer="No advice.", output_contract=OutputContract(type="json"))

    result = held('{"answer": "Rest.", "disclaimer": ""}', made)

    assert isinstance(result, Amended)
    assert result.text == '{"answer": "Rest.", "disclaimer": "No advice."}'
    assert held('{"answer": "Rest."}', made) == Passed()
