import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.contract import ImagePart, Message, TextPart, ToolCall
from router.errors import BadRequest, UnsupportedField
from serving.api.messages import parse_messages

PIXEL = base64.b64encode(b"\x89PNG not really, but bytes").decode()


def user(content: object) -> list[object]:
    return [{"role": "user", "content": content}]


def test_a_string_content_becomes_one_text_part() -> None:
    assert parse_messages(user("Hello")) == (Message(role="user", content=(TextPart(text="Hello"),)),)


def test_developer_is_system_under_another_name() -> None:
    (message,) = parse_messages([{"role": "developer", "content": "Be brief."}])

    assert message.role == "system"


def test_parts_keep_their_order() -> None:
    parts = [
        {"type": "text", "text": "what is"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "auto"}},
        {"type": "text", "text": "this?"},
    ]

    (message,) = parse_messages(user(parts))

    assert message.content == (
        TextPart(text="what is"),
        ImagePart(media_type="image/png", data=PIXEL),
        TextPart(text="this?"),
    )


def test_a_tool_call_and_its_result_are_carried_with_the_arguments_exactly_as_written() -> None:
    arguments = '{ "ticket":  17 }'
    conversation = [
        {"role": "user", "content": "Look up ticket 17"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "ticket_lookup", "arguments": arguments}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": '{"state": "open"}'},
    ]

    _, call, result = parse_messages(conversation)

    assert call.tool_calls == (ToolCall(id="call_1", name="ticket_lookup", arguments=arguments),)
    assert call.content == ()
    assert (result.role, result.tool_call_id, result.text) == ("tool", "call_1", '{"state": "open"}')


def test_an_earlier_answer_may_be_sent_back_as_the_openai_client_dumps_it() -> None:
    dumped = {
        "role": "assistant",
        "content": "Paris.",
        "refusal": None,
        "annotations": [],
        "audio": None,
        "function_call": None,
        "tool_calls": None,
    }

    (message,) = parse_messages([dumped])

    assert message == Message(role="assistant", content=(TextPart(text="Paris."),))


def test_an_earlier_refusal_stays_part_of_the_text_that_is_scanned() -> None:
    (message,) = parse_messages([{"role": "assistant", "content": None, "refusal": "I can't."}])

    assert message.text == "I can't."


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        (None, "messages"),
        ([], "messages"),
        ({"role": "user"}, "messages"),
        (["hello"], "messages[0]"),
        ([{"content": "hello"}], "messages[0].role"),
        ([{"role": "robot", "content": "hello"}], "messages[0].role"),
        ([{"role": "user"}], "messages[0].content"),
        ([{"role": "user", "content": None}], "messages[0].content"),
        ([{"role": "user", "content": []}], "messages[0].content"),
        ([{"role": "user", "content": 7}], "messages[0].content"),
        ([{"role": "assistant"}], "messages[0].content"),
        ([{"role": "assistant", "content": None}], "messages[0].content"),
        ([{"role": "tool", "content": "42"}], "messages[0].tool_call_id"),
        (user([{"text": "no type"}]), "messages[0].content[0].type"),
        (user([{"type": "text"}]), "messages[0].content[0].text"),
        (user([{"type": "image_url", "image_url": "x"}]), "messages[0].content[0].image_url"),
        (
            user([{"type": "image_url", "image_url": {"url": "data:image/png;base64,%%%"}}]),
            "messages[0].content[0].image_url.url",
        ),
        (
            user([{"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}]),
            "messages[0].content[0].image_url.url",
        ),
        ([{"role": "assistant", "tool_calls": "x"}], "messages[0].tool_calls"),
        (
            [{"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {}}}]}],
            "messages[0].tool_calls[0].function.arguments",
        ),
        (
            [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}],
            "messages[0].tool_calls[0].id",
        ),
        (json.loads(r'[{"role": "user", "content": "\ud800"}]'), "messages[0].content"),
    ],
)
def test_what_is_no_chat_message_is_refused_with_the_name_of_the_field(messages: object, param: str) -> None:
    with pytest.raises(BadRequest, match=r"^messages") as refused:
        parse_messages(messages)

    assert not isinstance(refused.value, UnsupportedField)
    assert refused.value.param == param
    assert str(refused.value).startswith(f"{param}: ")


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([{"role": "user", "content": "hi", "name": "alice"}], "messages[0].name"),
        ([{"role": "user", "content": "hi", "tool_calls": [{"id": "1"}]}], "messages[0].tool_calls"),
        (
            [{"role": "assistant", "content": "", "function_call": {"name": "f", "arguments": ""}}],
            "messages[0].function_call",
        ),
        ([{"role": "assistant", "tool_calls": [{"id": "1", "type": "custom"}]}], "messages[0].tool_calls[0].type"),
        (user([{"type": "input_audio", "input_audio": {}}]), "messages[0].content[0].type"),
        (user([{"type": "file", "file": {}}]), "messages[0].content[0].type"),
        (
            user([{"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}]),
            "messages[0].content[0].cache_control",
        ),
        (
            [
                {"role": "user", "content": "look"},
                {
                    "role": "system",
                    "content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}],
                },
            ],
            "messages[1].content[0].type",
        ),
        (
            user([{"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}]),
            "messages[0].content[0].image_url.url",
        ),
        (
            user([{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]),
            "messages[0].content[0].image_url.url",
        ),
        (
            user([{"type": "image_url", "image_url": {"url": f"data:image/svg+xml;base64,{PIXEL}"}}]),
            "messages[0].content[0].image_url.url",
        ),
        (
            user([{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "high"}}]),
            "messages[0].content[0].image_url.detail",
        ),
    ],
)
def test_what_would_be_dropped_silently_is_refused_by_name(messages: object, param: str) -> None:
    with pytest.raises(UnsupportedField) as refused:
        parse_messages(messages)

    assert refused.value.param == param


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["user", "text", "assistant"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["role", "content", "type", "text", "tool_calls", "function", "id", "image_url", "url", "refusal"]
            )
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_json_is_either_messages_or_a_bad_request_that_names_a_field(value: object) -> None:
    refused: BadRequest | None = None
    messages: tuple[Message, ...] = ()

    try:
        messages = parse_messages(value)
    except BadRequest as error:
        refused = error

    if refused is not None:
        assert str(refused).startswith(f"{refused.param}: ")
    else:
        assert messages
        assert all(Message.model_validate_json(message.model_dump_json()) == message for message in messages)


@given(st.text(min_size=40, max_size=60).filter(lambda text: "{" not in text))
def test_an_error_never_quotes_the_text(secret: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_messages([{"role": "user", "content": [{"type": "text", "text": secret}, {"type": "text", "text": 1}]}])

    assert secret not in str(refused.value)
