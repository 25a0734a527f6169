import pytest

from router.contract import ToolSpec
from router.lane import ToolCallDelta
from router.validate import ToolCallChecker, validate_arguments

LOOKUP = ToolSpec(
    name="lookup",
    parameters_json='{"properties": {"id": {"type": "string", "pattern": "^[0-9]+$"}}, "required": ["id"], "additionalProperties": false}',
)
PING = ToolSpec(name="ping")


def test_arguments_that_meet_the_schema_are_valid() -> None:
    assert validate_arguments("lookup", '{"id": "7"}', [LOOKUP, PING]).valid
    assert validate_arguments("ping", "", [LOOKUP, PING]).valid


@pytest.mark.parametrize(
    ("tool", "arguments", "told"),
    [
        ("lookup", '"gabenwelter"', "arguments of `lookup`: at /: expected object"),
        ("lookup", "{}", "arguments of `lookup`: at /: `id` is missing"),
        ("lookup", '{"id": "x"}', 'arguments of `lookup`: at /id: expected text that matches "^[0-9]+$"'),
        ("ping", "[]", "arguments of `ping`: at /: expected object"),
        ("erase", "{}", "`erase` is no tool that was offered"),
    ],
)
def test_arguments_that_break_it_are_told(tool: str, arguments: str, told: str) -> None:
    assert validate_arguments(tool, arguments, [LOOKUP, PING]).errors == (told,)


def test_two_streamed_calls_are_followed_apart() -> None:
    checker = ToolCallChecker([LOOKUP, PING])

    assert checker.feed(ToolCallDelta(0, "", "a", "lookup")) is None
    assert checker.feed(ToolCallDelta(1, "", "b", "ping")) is None
    assert checker.feed(ToolCallDelta(0, '{"id": "1"')) is None
    assert checker.feed(ToolCallDelta(0, "}")) is None

    assert checker.called
    assert checker.close().valid


def test_a_streamed_call_breaks_as_early_as_it_can() -> None:
    checker = ToolCallChecker([LOOKUP])
    checker.feed(ToolCallDelta(0, "", "a", "lookup"))

    assert checker.feed(ToolCallDelta(0, '{"na')) == "arguments of `lookup`: at /: `na` may not be there"
    assert not checker.close().valid


def test_a_call_cut_short_is_invalid() -> None:
    checker = ToolCallChecker([LOOKUP])
    checker.feed(ToolCallDelta(0, '{"id": ', "a", "lookup"))

    assert not checker.close().valid


def test_without_a_call_all_is_well() -> None:
    checker = ToolCallChecker([])

    assert not checker.called
    assert checker.close().valid
    assert checker.feed(ToolCallDelta(0, "{}", "a", "erase")) == "`erase` is no tool that was offered"
