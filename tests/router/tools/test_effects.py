import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.tools.effects import SIDE_EFFECTS, classify_mcp, classify_operation


@pytest.mark.parametrize(
    ("method", "path", "operation", "effect"),
    [
        ("get", "/v1/charges/{charge}", "GetChargesCharge", "read"),
        ("get", "/users/deleted", "listDeletedUsers", "read"),
        ("get", "/session/logout", "logout", "write"),
        ("get", "/newsletter", "unsubscribeUser", "write"),
        ("post", "/v1/customers", "PostCustomers", "write"),
        ("post", "/v1/refunds", "PostRefunds", "irreversible"),
        ("post", "/v1/refunds/{refund}/cancel", "PostRefundsRefundCancel", "irreversible"),
        ("post", "/v1/payment_intents", "PostPaymentIntents", "irreversible"),
        ("put", "/repos/{owner}/{repo}/pulls/{number}/merge", "pulls/merge", "irreversible"),
        ("put", "/repos/{owner}/{repo}/topics", "repos/replace-all-topics", "write"),
        ("patch", "/repos/{owner}/{repo}/issues/{number}", "issues/update", "write"),
        ("delete", "/repos/{owner}/{repo}", "repos/delete", "irreversible"),
        ("brew", "/coffee", "brew", "irreversible"),
    ],
)
def test_an_operation_is_what_its_signs_say(method: str, path: str, operation: str, effect: str) -> None:
    assert classify_operation(method, path, operation).side_effect == effect


def test_only_somebody_who_looked_makes_a_post_a_read() -> None:
    asked = ("post", "/markdown", "markdown/render")

    assert classify_operation(*asked).side_effect == "write"
    assert classify_operation(*asked, known_reads=["markdown/render"]).side_effect == "read"


@given(st.sampled_from(["post", "put", "patch", "delete"]), st.text(), st.text())
def test_no_name_makes_a_change_a_read(method: str, path: str, operation: str) -> None:
    assert classify_operation(method, path, operation).side_effect != "read"


@pytest.mark.parametrize(
    ("annotations", "effect"),
    [
        (None, "irreversible"),
        ({}, "irreversible"),
        ({"readOnlyHint": "true"}, "irreversible"),
        ({"destructiveHint": False}, "write"),
        ({"readOnlyHint": True}, "read"),
    ],
)
def test_an_mcp_tool_that_says_nothing_may_do_anything(annotations: dict | None, effect: str) -> None:
    classified = classify_mcp(annotations)

    assert classified.side_effect == effect
    assert classified.side_effect in SIDE_EFFECTS
    assert classified.because
