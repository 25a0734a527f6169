from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from router.bundle import Bundle
from router.contract import LEVELS
from router.decide import decide
from router.policy.why import derive
from router.state import State
from router.testing import ScriptedHeads
from tests.router.policy.requests import parse

TEXTS = (
    "What is your refund policy?",
    "Hello",
    "My card is 4111 1111 1111 1111.",
    "Write a python function.",
    "word " * 6000,
)
requests = st.fixed_dictionaries(
    {"text": st.sampled_from(TEXTS), "org": st.sampled_from(["local", "example-eu"])},
    optional={
        "labels": st.fixed_dictionaries(
            {"level": st.sampled_from(LEVELS), "jurisdictions": st.sampled_from([[], ["EU"], ["UK"]])}
        ),
        "model": st.sampled_from(["auto", "premium", "private"]),
        "mode": st.sampled_from(["chat", "batch"]),
    },
)


@settings(max_examples=60)
@given(fields=requests)
def test_what_is_told_agrees_with_the_decision(starter: Bundle, fields: dict[str, object]) -> None:
    request = parse(fields)

    found = derive(request, starter, State())

    decision = decide(request, starter, State())
    assert found.decision == decision
    assert [rule.id for rule in found.routes if rule.held == "yes"] == [decision.route]
    fired = [policy.id for policy in decision.policies if policy.effect == "tier"]
    assert sorted(rule.id for rule in found.tier_rules if rule.held == "yes") == sorted(fired)
    assert [lane.lane for lane in found.lanes if lane.closed is None] == list(
        dict.fromkeys(r.lane for r in decision.ladder)
    )
    assert {lane.lane for lane in found.lanes if lane.closed is not None} == {rung.lane for rung in decision.closed}
    assert all(lane.allowed for lane in found.lanes if lane.closed is None)


def test_a_rule_is_told_with_the_values_it_asks_about(starter: Bundle) -> None:
    found = derive(parse({"text": "Hello", "mode": "batch"}), starter, State())

    batch = next(rule for rule in found.routes if rule.id == "batch")
    assert (batch.when, batch.values, batch.held) == ('mode == "batch"', {"mode": "batch"}, "yes")


def test_a_closed_lane_is_told_with_the_policy_that_closed_it(starter: Bundle) -> None:
    found = derive(parse({"text": "Hello", "model": "premium", "labels": {"level": "confidential"}}), starter, State())

    (lane,) = found.lanes
    assert (lane.allowed, lane.hosted) == (False, True)
    assert "sensitive-stays-private" in [policy.id for policy in lane.policies]
    assert lane.closed is not None


def test_whose_label_it_is_is_told(starter: Bundle) -> None:
    found = derive(parse({"text": "My card is 4111 1111 1111 1111.", "org": "example-eu"}), starter, State())

    parts = {part.of: part.label for part in found.labels}
    assert parts["tenant"].jurisdictions == ("EU",)
    assert parts["found"].categories == ("payment",)
    assert parts["together"].level == "restricted"


def test_a_rule_that_can_not_be_evaluated_is_told_as_an_error_and_ends_the_search(
    edited: Callable[..., Path], heads: ScriptedHeads
) -> None:
    folder = edited(("routes.yaml", 'when: mode == "batch"', 'when: mode == "batch" && metadata["team"] == "ml"'))
    from router.bundle.load import load_draft

    bundle = load_draft(folder, heads).bundle

    found = derive(parse({"text": "Hello", "mode": "batch"}), bundle, State())

    assert found.routes[-1].held == "error"
    assert found.decision.route == "classification-failed"
    assert not any(lane.hosted for lane in found.lanes)
