import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import ApprovalMismatch
from router.tools.approval import ApprovalBinding, binding_of, check_binding
from router.tools.arguments import canonical_json
from tests.router.tools.kit import use

ARGUMENTS = st.dictionaries(st.sampled_from(["order_id", "cents", "reason"]), st.text(max_size=8) | st.integers())


def test_a_yes_covers_the_very_call_however_it_is_spelled() -> None:
    granted = binding_of(use())

    check_binding(granted, use(arguments_json='{\n "ticket_id": "TCK-1042" }'))


@given(ARGUMENTS, ARGUMENTS)
def test_a_yes_to_some_arguments_is_one_to_no_others(shown: dict, called: dict) -> None:
    granted = binding_of(use(arguments_json=canonical_json(shown)))
    call = use(arguments_json=canonical_json(called))

    if shown == called:
        check_binding(granted, call)
    else:
        with pytest.raises(ApprovalMismatch, match="other arguments"):
            check_binding(granted, call)


@pytest.mark.parametrize(("change", "because"), [("org", "another tenant's"), ("tool", "another tool")])
def test_a_yes_stays_with_its_tenant_and_its_tool(change: str, because: str) -> None:
    granted = binding_of(use(**{change: "other"}))

    with pytest.raises(ApprovalMismatch, match=because):
        check_binding(granted, use())


def test_a_binding_is_one_line_a_part() -> None:
    assert ApprovalBinding("local", "refund", "f" * 64).text == f"local\nrefund\n{'f' * 64}"
