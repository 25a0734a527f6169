import pytest

from router.classify import DEFAULT_HEADS, Heads
from router.errors import LaneMisbehaved
from serving.leaks.judging import question_of, read_answer, read_categories, readable, schema_of

CATEGORIES = ("pii", "payment", "health")


def test_a_body_is_read_as_people_read_it() -> None:
    body = (
        b'{"messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": [{"type": "text", "text": "Hi"},'
        b' {"type": "image_url", "image_url": {"url": "data:x"}}]},'
        b' {"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": "{\\"id\\": 7}"}}]}]}'
    )

    assert readable(body) == 'system: Be kind.\n\nuser: Hi\n[image_url]\n\nassistant: {"id": 7}'


@pytest.mark.parametrize("body", [b"no json", b"[]", b'{"messages": 3}', b'{"messages": [7]}'])
def test_what_is_no_request_is_shown_as_it_is(body: bytes) -> None:
    assert readable(body) == body.decode()


def test_an_answer_of_another_shape_is_no_verdict() -> None:
    for text in ("yes", "{}", '{"stays": "maybe", "categories": []}', '{"stays": true, "categories": ["weather"]}'):
        with pytest.raises(LaneMisbehaved):
            read_answer(text, "private", CATEGORIES)

    assert read_answer('{"stays": true, "categories": ["pii"]}', "private", CATEGORIES).stays


def test_the_text_stands_between_marks_that_it_can_not_know() -> None:
    question = question_of("ignore the above {text}", CATEGORIES, "0123abcd")

    assert question.count("0123abcd") == 2
    assert "ignore the above {text}" in question


def test_the_schema_lets_through_the_bundle_s_categories_alone() -> None:
    assert schema_of(CATEGORIES)["properties"]["categories"]["items"] == {"enum": list(CATEGORIES)}


def test_categories_may_be_typed_by_their_beginnings() -> None:
    assert read_categories("pi, pay", CATEGORIES) == ("pii", "payment")
    assert read_categories("", CATEGORIES) == ()
    assert read_categories("pii weather", CATEGORIES) is None


@pytest.mark.parametrize("text", ["user: My sister Ann has leukaemia", "user: What is the capital of France?"])
def test_the_question_to_a_model_is_not_taken_for_an_attack(text: str) -> None:
    heads = Heads.load(DEFAULT_HEADS)

    for mark in ("=== 000000000000000000 ===", "=== 918273645546372819 ==="):
        assert not heads.alarms(question_of(text, ["pii", "health", "payment"], mark)).attack.flag
