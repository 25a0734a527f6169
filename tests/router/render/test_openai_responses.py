"""The exact bytes for OpenAI's Responses API."""

import json

import pytest

from router.contract import Sampling
from router.errors import UnsupportedField
from router.render import FIELDS, render
from tests.router.render.calls import CLOSED, a_call, a_full_call, hosted

HOSTED = hosted("openai_responses")


def test_the_least_call_has_exactly_these_bytes() -> None:
    assert render(a_call(), HOSTED) == (
        b'{"model":"big-1","input":[{"role":"user","content":"Hi"}],"max_output_tokens":7,"store":false,"stream":true}'
    )


def test_everything_a_call_can_ask_for_is_written_in_the_provider_s_words() -> None:
    body = json.loads(render(a_full_call(sampling=Sampling(temperature=0.0, logprobs=True, top_logprobs=2)), HOSTED))

    assert set(body) <= FIELDS["openai_responses"]
    assert body["input"] == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "See"},
                {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,QUJD"},
            ],
        },
        {"role": "assistant", "content": "I look."},
        {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"q":"é"}'},
        {"type": "function_call", "call_id": "c2", "name": "look", "arguments": '{"q":2}'},
        {"type": "function_call_output", "call_id": "c1", "output": "found"},
        {"type": "function_call_output", "call_id": "c2", "output": "nothing"},
        {"role": "user", "content": "And?"},
    ]
    assert body["tools"] == [
        {"type": "function", "name": "look", "description": "Looks.", "parameters": {"type": "object"}, "strict": False}
    ]
    assert body["tool_choice"] == {"type": "function", "name": "look"}
    assert body["text"] == {"format": {"type": "json_schema", "name": "Answer_V3", "schema": CLOSED, "strict": True}}
    assert (body["include"], body["top_logprobs"]) == (["message.output_text.logprobs"], 2)
    assert body["store"] is False


def test_what_the_protocol_has_no_word_for_is_refused() -> None:
    with pytest.raises(UnsupportedField, match="Responses API has no word"):
        render(a_call(sampling=Sampling(stop=("END",))), HOSTED)


def test_what_only_weighs_words_is_left_out_where_there_is_no_word_for_it() -> None:
    asked = render(a_call(sampling=Sampling(seed=3, presence_penalty=0.5, frequency_penalty=-1)), HOSTED)

    assert asked == render(a_call(), HOSTED)


def test_any_json_object_is_asked_for_in_words_too() -> None:
    body = json.loads(render(a_call(json_schema="{}"), HOSTED))

    assert body["text"] == {"format": {"type": "json_object"}}
    assert "JSON" in body["input"][0]["content"]
