"""The starter bundle as a newcomer meets it: its own classifier, the real scan."""

import json

import pytest

from router.bundle import Bundle, load_bundle
from router.contract import Decision, Message, RouteRequest, TextPart
from router.decide import decide
from router.state import State

REFUND = "What is your refund policy for damaged items?"


@pytest.fixture(scope="module")
def shipped(starter: Bundle) -> Bundle:
    return load_bundle(starter.root)


def ask(bundle: Bundle, text: str, **fields: object) -> Decision:
    messages = [Message(role="user", content=(TextPart(text=text),))]
    return decide(RouteRequest.model_validate({"org": "local", "messages": messages} | fields), bundle, State())


def test_the_refund_question_prints_the_designs_example_unchanged(shipped: Bundle) -> None:
    printed = ask(shipped, REFUND).short().model_dump_json()

    assert printed == json.dumps(
        {
            "route": "support_refund_policy_low_risk",
            "risk_tier": "low",
            "model": "fast_small",
            "retrieval": {"index": "help_center", "top_k": 6, "reranker": "on"},
            "tools": [{"name": "ticket_lookup", "required": True}, {"name": "refund_eligibility", "required": False}],
            "output_contract": {"type": "json", "schema": "SupportAnswerV3"},
            "fallback": {"on_timeout": "fast_small_retry_then_premium"},
        },
        separators=(",", ":"),
    )


def test_an_identifier_keeps_the_request_at_home(shipped: Bundle) -> None:
    decision = ask(shipped, "My social security number is 078-05-1120. What does it mean?")

    assert decision.route == "sensitive_private"
    assert decision.lane == "private"
    assert "pii" in decision.label.categories
    assert {shipped.lanes[rung.lane].is_hosted for rung in decision.ladder} == {False}


@pytest.mark.parametrize("text", ["Please cancel my subscription.", "Book me a flight to Paris tomorrow."])
def test_a_change_waits_for_a_person(shipped: Bundle, text: str) -> None:
    decision = ask(shipped, text)

    assert decision.action == "approval"
    assert decision.message is not None
    assert "Nothing was changed" in decision.message


def test_a_pin_on_a_hosted_lane_does_not_let_personal_data_out(shipped: Bundle) -> None:
    decision = ask(shipped, "Write to anna.kowalska@example.org that I am ill.", model="premium")

    assert decision.ladder == ()
    assert decision.closed[0].policies[0] == "protected-data-stays-private"


def test_disguised_identifiers_count_as_well(shipped: Bundle) -> None:
    plain = ask(shipped, "Is card 4111 1111 1111 1111 still valid?")
    disguised = ask(shipped, "Is card 4111\u200b 1111 1111 1111 still valid?")

    assert plain.label == disguised.label
    assert "payment" in plain.label.categories
