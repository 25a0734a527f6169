from dataclasses import replace

from router.contract import Label, Message, Sampling, TextPart
from router.lane import LaneCall
from router.validate import repair_messages

CALL = LaneCall(
    trace_id="0" * 32,
    attempt=0,
    lane="fast",
    model="small",
    org="acme",
    label=Label(level="confidential"),
    risk_tier="low",
    messages=(Message(role="user", content=(TextPart(text="How old is Ada?"),)),),
    sampling=Sampling(),
    max_tokens=64,
    deadline_seconds=5,
    first_token_seconds=5,
    bundle_hash="",
    schema_name="person",
    json_schema='{"type": "object"}',
)


def test_the_lane_sees_its_answer_what_is_wrong_with_it_and_the_schema() -> None:
    asked, instruction = repair_messages(CALL, "[36]", ["at /: expected object"])

    assert asked == CALL.messages[0]
    assert instruction.role == "user"
    assert "[36]" in instruction.text
    assert "- at /: expected object" in instruction.text
    assert '{"type": "object"}' in instruction.text


def test_what_is_new_carries_the_call_s_label() -> None:
    assert {message.label.level for message in repair_messages(CALL, "[36]", ["x"])[1:]} == {"confidential"}


def test_an_answer_longer_than_a_repair_is_worth_is_left_out() -> None:
    messages = repair_messages(CALL, "x" * 10_000, ["at /: expected object"] * 20)

    assert [message.role for message in messages] == ["user", "user"]
    assert messages[-1].text.count("expected object") == 5


def test_free_text_is_asked_for_without_a_word_of_json() -> None:
    instruction = repair_messages(replace(CALL, json_schema=None), "too long", ["at /: expected at most 3 words"])[-1]

    assert "JSON" not in instruction.text
