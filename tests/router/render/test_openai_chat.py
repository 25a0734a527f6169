"""The exact bytes for Chat Completions and its dialects, and reading back every text in them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.contract import Message, Sampling, ToolCall
from router.render import FIELDS, NotCanonical, canonical_json, parse_body, render, texts_in
from router.render.schemas import takes_strict
from tests.router.render.calls import CLOSED, a_call, a_full_call, hosted, said

HOSTED = hosted("openai_chat")
UTF8 = st.text(st.characters(exclude_categories=["Cs"]))


def test_the_least_call_has_exactly_these_bytes() -> None:
    body = render(a_call(), HOSTED)

    assert body == (
        b'{"model":"big-1","messages":[{"role":"user","content":"Hi"}],"max_completion_tokens":7,'
        b'"stream":true,"stream_options":{"include_usage":true}}'
    )


def test_everything_a_call_can_ask_for_is_written_in_the_provider_s_words() -> None:
    sampling = Sampling(temperature=0.0, top_p=0.5, seed=3, stop=("END",), logprobs=True, top_logprobs=2)

    body = json.loads(render(a_full_call(sampling=sampling), HOSTED))

    assert set(body) <= FIELDS["openai_chat"]
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert body["messages"][1]["content"] == [
        {"type": "text", "text": "See"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}},
    ]
    assert body["messages"][2] == {
        "role": "assistant",
        "content": "I look.",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"q":"é"}'}},
            {"id": "c2", "type": "function", "function": {"name": "look", "arguments": '{"q":2}'}},
        ],
    }
    assert body["messages"][3] == {"role": "tool", "content": "found", "tool_call_id": "c1"}
    assert body["tools"] == [
        {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}}
    ]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "look"}}
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "Answer_V3", "schema": CLOSED, "strict": True},
    }
    assert (body["temperature"], body["top_p"], body["seed"], body["stop"]) == (0.0, 0.5, 3, ["END"])
    assert (body["logprobs"], body["top_logprobs"]) == (True, 2)


def test_a_dialect_s_own_words_are_used_and_what_it_lacks_is_left_out() -> None:
    small = hosted(
        "openai_chat", output_limit="max_tokens", stream_usage=False, strict=False, leaves_out=("seed", "logprobs")
    )
    sampling = Sampling(temperature=0.5, seed=3, logprobs=True, top_logprobs=2)

    body = json.loads(render(a_full_call(sampling=sampling), small))

    assert body["max_tokens"] == 7
    assert "strict" not in body["response_format"]["json_schema"]
    assert body["temperature"] == 0.5
    assert not {"max_completion_tokens", "stream_options", "seed", "logprobs", "top_logprobs"} & set(body)


@pytest.mark.parametrize(("structured", "held"), [("json_object", {"type": "json_object"}), ("none", None)])
def test_a_schema_that_nothing_enforces_is_asked_for_in_words(structured: str, held: object) -> None:
    body = json.loads(render(a_full_call(), hosted("openai_chat", structured_output=structured)))

    assert body.get("response_format") == held
    assert '"additionalProperties":false' in body["messages"][0]["content"]


def test_where_ids_have_nine_letters_an_id_from_elsewhere_gets_nine_always_the_same() -> None:
    call = a_call(
        messages=(
            Message(
                role="assistant",
                tool_calls=tuple(ToolCall(id=given, name="t", arguments="{}") for given in ("call_é-1", "abcdEF123")),
            ),
            said("tool", "r", tool_call_id="call_é-1"),
        )
    )

    asking, result = json.loads(render(call, hosted("openai_chat", tool_call_ids="nine")))["messages"]

    mapped, kept = (made["id"] for made in asking["tool_calls"])
    assert mapped == result["tool_call_id"]
    assert mapped.isalnum()
    assert (len(mapped), kept) == (9, "abcdEF123")


def test_any_json_object_is_asked_for_without_a_schema() -> None:
    body = json.loads(render(a_call(json_schema="{}"), HOSTED))

    assert body["response_format"] == {"type": "json_object"}
    assert "JSON" in body["messages"][0]["content"]


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
