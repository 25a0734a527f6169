import json

import pytest
from pydantic import ValidationError

from router.contract import Label, RouteRequest, ShortDecision

# The example that the project's design gives: its words are settled.
EXAMPLE = """
{"route": "support_refund_policy_low_risk", "risk_tier": "low", "model": "fast_small",
 "retrieval": {"index": "help_center", "top_k": 6, "reranker": "on"},
 "tools": [{"name": "ticket_lookup", "required": true}, {"name": "refund_eligibility", "required": false}],
 "output_contract": {"type": "json", "schema": "SupportAnswerV3"},
 "fallback": {"on_timeout": "fast_small_retry_then_premium"}}
"""


def test_the_example_decision_parses_and_prints_back_unchanged() -> None:
    decision = ShortDecision.model_validate_json(EXAMPLE)

    assert json.loads(decision.model_dump_json()) == json.loads(EXAMPLE)
    assert list(json.loads(decision.model_dump_json())) == list(json.loads(EXAMPLE))


def test_a_label_prints_its_sets_sorted_and_once() -> None:
    label = Label(level="internal", categories=("pii", "health", "pii"))

    assert label.categories == ("health", "pii")


def test_an_unknown_field_is_refused_and_its_value_not_repeated() -> None:
    with pytest.raises(ValidationError) as refusal:
        RouteRequest.model_validate({"org": "a", "messages": [{"role": "user"}], "secret_field": "hunter2"})

    assert "secret_field" in str(refusal.value)
    assert "hunter2" not in str(refusal.value)


def test_values_of_the_contract_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Label().level = "restricted"  # type: ignore[misc]
