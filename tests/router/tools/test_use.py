import pickle
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from router.errors import ToolArgumentsInvalid
from router.tools import ToolUse, default_key
from tests.router.tools.kit import use


def test_the_hash_is_of_the_arguments_and_not_of_their_spelling() -> None:
    one, other = use(), use(arguments_json='{ "ticket_id" :"TCK-1042"}')

    assert one.arguments_sha256 == other.arguments_sha256
    assert use(arguments_json='{"ticket_id": "TCK-1043"}').arguments_sha256 != one.arguments_sha256


def test_a_retry_has_the_same_idempotency_key_and_another_call_another() -> None:
    first = use()

    assert replace(first, attempt=2).key == first.key
    assert replace(first, trace_id="b" * 32).key != first.key
    assert replace(first, tool="other").key != first.key
    chosen = replace(first, idempotency_key="mine")
    assert chosen.key == replace(chosen, trace_id="b" * 32).key != first.key
    assert "mine" not in chosen.key


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_key_says_nothing_of_what_it_was_made_of(tool: str, arguments: str) -> None:
    assert len(default_key("a" * 32, tool, arguments)) == 32


def test_a_use_and_an_error_cross_a_process_line() -> None:
    error = ToolArgumentsInvalid("t", ("at /x: type", "at /y: enum"))

    again: ToolUse = pickle.loads(pickle.dumps(use()))
    raised = pickle.loads(pickle.dumps(error))

    assert again == use()
    assert (type(raised), str(raised), raised.errors) == (type(error), str(error), error.errors)
