"""The exact bytes for Anthropic's Messages API."""

import json

import pytest

from router.contract import Message, Sampling, ToolCall
from router.errors import UnsupportedField
from router.render import FIELDS, render
from router.render.schemas import takes_output_config
from tests.router.render.calls import BOUNDED, CLOSED, a_call, a_full_call, hosted, said

HOSTED = hosted("anthropic_messages")


def test_the_least_call_has_exactly_these_bytes() -> None:
    assert render(a_call(), HOSTED) == (
        b'{"model":"big-1","messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}],"max_tokens":7,"stream":true}'
    )


def test_everything_a_call_can_ask_for_is_written_in_the_provider_s_words() -> None:
    body = json.loads(render(a_full_call(sampling=Sampling(temperature=1.0, top_p=0.5, stop=("END",))), HOSTED))

    assert set(body) <= FIELDS["anthropic_messages"]
    assert body["system"] == [{"type": "text", "text": "Be brief."}]
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "See"}, image]},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "c1", "name": "look", "input": {"q": "é"}},
                {"type": "tool_use", "id": "c2", "name": "look", "input": {"q": 2}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "found"}]},
                {"type": "tool_result", "tool_use_id": "c2", "content": [{"type": "text", "text": "nothing"}]},
                {"type": "text", "text": "And?"},
            ],
        },
    ]
    assert body["tools"] == [{"name": "look", "description": "Looks.", "input_schema": {"type": "object"}}]
    assert body["tool_choice"] == {"type": "tool", "name": "look"}
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": CLOSED}}
    assert body["stop_sequences"] == ["END"]


@pytest.mark.parametrize(
    ("choice", "spelled"),
    [("auto", {"type": "auto"}), ("none", {"type": "none"}), ("required", {"type": "any"})],
)
def test_a_tool_choice_has_its_own_words_here(choice: str, spelled: dict[str, str]) -> None:
    body = json.loads(render(a_full_call(tool_choice=choice), HOSTED))

    assert body["tool_choice"] == spelled


def test_what_the_protocol_has_no_word_for_is_refused() -> None:
    with pytest.raises(UnsupportedField, match="Messages API"):
        render(a_call(sampling=Sampling(logprobs=True)), HOSTED)


def test_what_only_weighs_words_is_left_out_because_the_protocol_refuses_it() -> None:
    asked = Sampling(temperature=0, top_p=0.5, seed=3, presence_penalty=0.5, frequency_penalty=-1)

    assert render(a_call(sampling=asked), HOSTED) == render(a_call(), HOSTED)


@pytest.mark.parametrize(
    ("schema", "taken"),
    [
        (CLOSED, True),
        ({"type": "string", "enum": ["a"]}, True),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": CLOSED}}, False),
        ({**CLOSED, "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": CLOSED}}, True),
        ({"type": "array", "items": {"anyOf": [{"type": "null"}, CLOSED]}, "minItems": 1}, True),
        ({"type": "array", "items": {"type": "string"}, "minItems": 2}, False),
        ({"type": "object"}, False),
        ({"type": "string", "maxLength": 3}, False),
        ({"type": "string", "format": "iban"}, False),
        (BOUNDED, False),
        (True, False),
    ],
)
def test_a_schema_is_handed_over_only_where_the_provider_can_hold_to_it(schema: object, taken: bool) -> None:
    assert takes_output_config(schema) is taken


@pytest.mark.parametrize("schema", [BOUNDED, {}])
def test_any_other_schema_is_asked_for_in_words(schema: dict[str, object]) -> None:
    body = json.loads(render(a_call(json_schema=json.dumps(schema)), HOSTED))

    assert "output_config" not in body
    [asked] = body["system"]
    assert "JSON" in asked["text"]
    assert ('"minimum":3' in asked["text"]) is (schema == BOUNDED)


def test_what_is_empty_is_left_out_and_a_tool_s_empty_result_is_not() -> None:
    call = a_call(
        messages=(
            said("system", ""),
            said("user", "", "Hi"),
            said("assistant"),
            Message(role="assistant", tool_calls=(ToolCall(id="1", name="t", arguments="{}"),)),
            said("tool", "", tool_call_id="1"),
        )
    )

    body = json.loads(render(call, HOSTED))

    assert "system" not in body
    assert [turn["content"] for turn in body["messages"]] == [
        [{"type": "text", "text": "Hi"}],
        [{"type": "tool_use", "id": "1", "name": "t", "input": {}}],
        [{"type": "tool_result", "tool_use_id": "1"}],
    ]


@pytest.mark.parametrize("arguments", ['"gabenwelter"', "{", "[1]", ""])
def test_arguments_of_an_earlier_call_that_are_no_object_are_passed_on_as_text(arguments: str) -> None:
    call = a_call(messages=(Message(role="assistant", tool_calls=(ToolCall(id="1", name="t", arguments=arguments),)),))

    [turn] = json.loads(render(call, HOSTED))["messages"]

    assert turn["content"][0]["input"] == {"not_an_object": arguments}


def test_an_id_from_another_lane_that_does_not_pass_here_becomes_one_that_does() -> None:
    call = a_call(
        messages=(
            Message(role="assistant", tool_calls=(ToolCall(id="call/é:1", name="t", arguments="{}"),)),
            said("tool", "r", tool_call_id="call/é:1"),
        )
    )

    asking, result = json.loads(render(call, HOSTED))["messages"]

    assert asking["content"][0]["id"] == result["content"][0]["tool_use_id"]
    assert asking["content"][0]["id"].isascii()
