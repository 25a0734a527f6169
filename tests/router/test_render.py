"""The exact bytes, and reading back every text in them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.bundle.files import Hosted
from router.contract import ImagePart, Label, Message, Sampling, TextPart, ToolCall, ToolSpec
from router.errors import BadRequest, UnsupportedField
from router.lane import LaneCall
from router.render import (
    FIELDS,
    NotCanonical,
    canonical_json,
    parse_body,
    render_openai_chat,
    takes_strict,
    texts_in,
)

HOSTED = Hosted(provider="openai", base_url="https://x/v1", model="big-1", api_key_env="K", region="eu")
UTF8 = st.text(st.characters(exclude_categories=["Cs"]))


def a_call(**changes: object) -> LaneCall:
    fields: dict[str, object] = {
        "trace_id": "0123456789abcdef" * 2,
        "attempt": 1,
        "lane": "premium",
        "model": "big-1",
        "org": "org-of-the-caller",
        "label": Label(),
        "risk_tier": "low",
        "messages": (Message(role="user", content=(TextPart(text="Hi"),)),),
        "sampling": Sampling(),
        "max_tokens": 7,
        "deadline_seconds": 9.0,
        "first_token_seconds": 9.0,
        "bundle_hash": "hash-of-the-bundle",
    }
    return LaneCall(**(fields | changes))  # type: ignore[arg-type]


def test_the_least_call_has_exactly_these_bytes() -> None:
    body = render_openai_chat(a_call(), HOSTED)

    assert body == (
        b'{"model":"big-1","messages":[{"role":"user","content":"Hi"}],"max_completion_tokens":7,'
        b'"stream":true,"stream_options":{"include_usage":true}}'
    )


def test_everything_a_call_can_ask_for_is_written_in_the_provider_s_words() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    call = a_call(
        messages=(
            Message(role="system", content=(TextPart(text="Be brief."),)),
            Message(role="user", content=(TextPart(text="See"), ImagePart(media_type="image/png", data="QUJD"))),
            Message(role="assistant", tool_calls=(ToolCall(id="c1", name="look", arguments='{"q":"é"}'),)),
            Message(role="tool", tool_call_id="c1", content=(TextPart(text="found"),)),
        ),
        client_tools=(ToolSpec(name="look", description="Looks.", parameters_json='{"type": "object"}'),),
        tool_choice="look",
        schema_name="Answer",
        json_schema=json.dumps(schema),
        sampling=Sampling(temperature=0.0, top_p=0.5, seed=3, stop=("END",), logprobs=True, top_logprobs=2),
    )

    body = json.loads(render_openai_chat(call, HOSTED))

    assert set(body) <= FIELDS
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert body["messages"][1]["content"] == [
        {"type": "text", "text": "See"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
    ]
    assert body["messages"][2] == {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"q":"é"}'}}],
    }
    assert body["messages"][3] == {"role": "tool", "content": "found", "tool_call_id": "c1"}
    assert body["tools"] == [
        {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}}
    ]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "look"}}
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "Answer", "schema": schema, "strict": True},
    }
    assert (body["temperature"], body["top_p"], body["seed"], body["stop"]) == (0.0, 0.5, 3, ["END"])
    assert (body["logprobs"], body["top_logprobs"]) == (True, 2)


def test_what_no_provider_can_do_is_refused_and_not_dropped() -> None:
    with pytest.raises(UnsupportedField, match="ignore_eos"):
        render_openai_chat(a_call(sampling=Sampling(ignore_eos=True)), HOSTED)


def test_nothing_that_names_the_caller_leaves() -> None:
    call = a_call(cache_salt="salt-of-the-tenant")

    body = render_openai_chat(call, HOSTED).decode()

    for own in (call.trace_id, call.org, call.bundle_hash, "salt-of-the-tenant", call.lane):
        assert own not in body


def test_any_json_object_is_asked_for_without_a_schema() -> None:
    body = json.loads(render_openai_chat(a_call(json_schema="{}"), HOSTED))

    assert body["response_format"] == {"type": "json_object"}


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        ({"type": "string"}, True),
        ({"type": "object"}, False),
        ({"type": "object", "properties": {"a": {}}, "required": ["a"]}, False),
        ({"type": "object", "properties": {"a": {}}, "additionalProperties": False}, False),
        ({"type": "array", "items": {"type": "object", "properties": {"a": {}}}}, False),
        ({"type": "object", "properties": {}, "additionalProperties": False}, True),
    ],
)
def test_strict_is_asked_for_only_where_the_provider_can_take_it(schema: dict[str, object], strict: bool) -> None:
    assert takes_strict(schema) is strict


def test_half_a_surrogate_is_the_caller_s_fault() -> None:
    call = a_call(messages=(Message(role="user", content=(TextPart(text="a\ud800"),)),))

    with pytest.raises(BadRequest, match="surrogate"):
        render_openai_chat(call, HOSTED)


def test_a_schema_that_is_no_json_is_the_caller_s_fault() -> None:
    for call in (a_call(json_schema="{"), a_call(client_tools=(ToolSpec(name="t", parameters_json='{"a":NaN}'),))):
        with pytest.raises(BadRequest, match="not JSON"):
            render_openai_chat(call, HOSTED)


@given(text=UTF8, argument=UTF8, description=UTF8)
def test_every_text_of_a_call_is_found_in_its_bytes(text: str, argument: str, description: str) -> None:
    call = a_call(
        messages=(
            Message(role="user", content=(TextPart(text=text), TextPart(text="and"))),
            Message(role="assistant", tool_calls=(ToolCall(id="1", name="t", arguments=json.dumps({"q": argument})),)),
        ),
        client_tools=(ToolSpec(name="t", description=description or "d"),),
    )

    found = texts_in(render_openai_chat(call, HOSTED))

    assert text in found
    assert argument in found
    assert (description or "d") in found


def test_keys_and_numbers_are_texts_too() -> None:
    found = texts_in(b'{"k":[{"4111111111111111":5105105105105100}],"f":1.5}')

    assert {"k", "4111111111111111", "5105105105105100", "f", "1.5"} <= set(found)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b'"text"',
        b'{"a": 1}',
        b'{"a":"4111","a":"x"}',
        b'{"a":"\\u0041"}',
        b'{"a":NaN}',
        b'{"a":1}\n',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":"\\ud800"}',
        b"[" * 100_000,
        '{"a":1}'.encode("utf-16"),
    ],
)
def test_bytes_in_any_other_spelling_are_refused(body: bytes) -> None:
    with pytest.raises(NotCanonical):
        texts_in(body)
    with pytest.raises(NotCanonical):
        parse_body(body)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | UTF8,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(UTF8, inner, max_size=3),
)


@given(st.dictionaries(UTF8, JSON))
def test_the_canonical_spelling_reads_back_as_itself(value: dict[str, object]) -> None:
    body = canonical_json(value)

    assert canonical_json(parse_body(body)) == body
