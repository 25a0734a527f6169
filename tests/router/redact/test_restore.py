"""An answer comes back in pieces of any size; what a model makes of a placeholder is read, and nothing else is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.lane import LaneEvent, ReasoningDelta, Refusal, Stop, TextDelta, ToolCallDelta, Usage
from router.redact import AnswerRestorer, Placeholders
from router.redact.placeholders import Placeholder
from router.redact.restore import Restorer

KNOWN = Placeholders(
    (
        Placeholder("PERSON", 1, "Ada Moore", "pii"),
        Placeholder("PERSON", 12, 'Bo "Neil"\nSon', "pii"),
        Placeholder("CREDIT_CARD", 1, "4111 1111 1111 1111", "payment"),
    )
)
FRAGMENTS = (
    "<PERSON_1>", "<PERSON_12>", "<CREDIT_CARD_1>", "<credit card 1>", "&lt;PERSON_1&gt;", "\\u003cPERSON_1\\u003e",
    "PERSON_1", "PERSON_12", "PERSON", "_", "1", "2", "<", ">", "&lt", ";", "&", "\\", "\\n", "u003c", " ", "x", "é", "名",
)  # fmt: skip
answers = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=3), max_size=14).map("".join)


def restored(pieces: list[str], *, in_json: bool = False) -> str:
    restorer = Restorer(KNOWN, in_json=in_json)
    return "".join([*map(restorer.feed, pieces), restorer.end()])


@given(answers, st.data(), st.booleans())
def test_however_an_answer_is_cut_it_comes_back_the_same(answer: str, data: st.DataObject, in_json: bool) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(answer)), max_size=6)))
    pieces = [answer[start:end] for start, end in zip([0, *cuts], [*cuts, len(answer)], strict=True)]

    whole = restored([answer], in_json=in_json)

    assert restored(pieces, in_json=in_json) == whole
    assert restored(list(answer), in_json=in_json) == whole


@given(answers)
def test_only_what_could_begin_a_placeholder_waits(answer: str) -> None:
    restorer = Restorer(KNOWN)
    given_back = "".join(map(restorer.feed, answer))
    waiting = restorer.end()

    assert len(waiting) <= len("\\u003c CREDIT\\_CARD\\_1 \\u003") or waiting in KNOWN.values().values()
    assert given_back + waiting == restored([answer])


@pytest.mark.parametrize(
    "written",
    [
        "<PERSON_1>", "<person_1>", "<Person_1>", "<PERSON 1>", "< PERSON_1 >", "<PERSON-1>", "<PERSON\\_1>", "PERSON_1",
        "&lt;PERSON_1&gt;", "&LT;person_1&GT;", "\\u003cPERSON_1\\u003e", "\\u003CPERSON_1\\u003E", "<PERSON_1&gt;",
    ],
)  # fmt: skip
def test_a_known_placeholder_is_read_in_whatever_form_a_model_gives_it(written: str) -> None:
    assert restored([f"Dear {written}'s friend"]) == "Dear Ada Moore's friend"
    assert restored(list(f"**{written}**")) == "**Ada Moore**"


@pytest.mark.parametrize(
    "written",
    ["<PERSON_2>", "<PERSON_11>", "person_1", "PERSON 1", "XPERSON_1", "PERSON_1s", "MY_PERSON_1", "PERSON_", "<PERSON>", "<1>"],
)  # fmt: skip
def test_nothing_but_exactly_known_placeholders_is_read(written: str) -> None:
    assert restored([written]) == written
    assert restored(list(written)) == written


def test_text_that_begins_no_placeholder_goes_on_at_once() -> None:
    restorer = Restorer(KNOWN)

    assert restorer.feed("Paris is the capital. ") == "Paris is the capital. "
    assert restorer.feed("a < b") == "a < b"
    assert restorer.feed(" <PERS") == " "
    assert restorer.feed("IST> ") == "<PERSIST> "


def test_without_placeholders_nothing_waits() -> None:
    assert Restorer(Placeholders()).feed("<PERSON_1") == "<PERSON_1"


def test_a_value_within_json_is_escaped_as_a_string_s_part() -> None:
    source = '{"who": "<PERSON_12>", "also": "x\\nPERSON_12", "\\u003cPERSON_1\\u003e": 1}'

    assert json.loads(restored(list(source), in_json=True)) == {
        "who": 'Bo "Neil"\nSon',
        "also": 'x\nBo "Neil"\nSon',
        "Ada Moore": 1,
    }


def played(*batches: tuple[LaneEvent, ...], json_answer: bool = False) -> list[LaneEvent]:
    restorer = AnswerRestorer(KNOWN, json_answer=json_answer)
    return [event for batch in batches for event in restorer.take(batch)]


def test_what_waits_comes_before_the_end() -> None:
    events = played((TextDelta("Hello PERSON_1"),), (Usage(3, 2), Stop("stop")))

    assert events == [TextDelta("Hello "), Usage(3, 2), TextDelta("Ada Moore"), Stop("stop")]


def test_each_tool_call_s_arguments_are_restored_by_themselves() -> None:
    events = played(
        (ToolCallDelta(0, '{"to":"<PERS', "c1", "mail"), ToolCallDelta(1, "", "c2", "find")),
        (ToolCallDelta(1, '{"q":"<PERSON_1'), ToolCallDelta(0, 'ON_12>"}')),
        (ToolCallDelta(1, '>"}'), Stop("tool_calls")),
    )

    calls = {0: "", 1: ""}
    for event in events:
        if isinstance(event, ToolCallDelta):
            calls[event.index] += event.arguments
    assert events[:2] == [ToolCallDelta(0, '{"to":"', "c1", "mail"), ToolCallDelta(1, "", "c2", "find")]
    assert {index: json.loads(arguments) for index, arguments in calls.items()} == {
        0: {"to": 'Bo "Neil"\nSon'},
        1: {"q": "Ada Moore"},
    }


def test_refusals_and_reasoning_are_restored_and_log_probabilities_left_out() -> None:
    events = played(
        (ReasoningDelta("<PERSON_1> asks"), Refusal("Not about <PERSON_1>.")),
        (TextDelta("Hi", ({"token": "Hi"},)), Stop("stop")),
    )

    assert events == [ReasoningDelta("Ada Moore asks"), Refusal("Not about Ada Moore."), TextDelta("Hi"), Stop("stop")]
