from typing import Any

import pytest

from router.contract import ImagePart, Label, Message, Sampling, TextPart, ToolCall, ToolSpec
from router.errors import ContractViolated, LaneMisbehaved, UnsupportedField
from router.lane import LaneCall, ReasoningDelta, Stop, TextDelta, ToolCallDelta, Usage
from serving.private.wire import Abilities, ChunkReader, chat_body

TEXT_ONLY = Abilities(models=frozenset({"small", "small:support"}), images=False, tools=False)
ABLE = Abilities(models=frozenset({"small"}), images=True, tools=True)
WEATHER = ToolSpec(
    name="weather",
    parameters_json='{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}',
)


def call(**changes: Any) -> LaneCall:
    fields: dict[str, Any] = {
        "trace_id": "ab" * 16,
        "attempt": 2,
        "lane": "private",
        "model": "small",
        "org": "local",
        "label": Label(),
        "risk_tier": "low",
        "messages": (Message(role="user", content=(TextPart(text="Hi"),)),),
        "sampling": Sampling(),
        "max_tokens": 9,
        "deadline_seconds": 10.0,
        "first_token_seconds": 5.0,
        "bundle_hash": "0" * 64,
    }
    return LaneCall(**{**fields, **changes})


def chunk(delta: dict[str, Any], finish_reason: str | None = None, **choice: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason, **choice}]}


def test_what_the_caller_left_open_is_left_to_the_model() -> None:
    body = chat_body(call(), TEXT_ONLY)

    assert (
        not {"temperature", "top_p", "seed", "cache_salt", "response_format", "tools", "logprobs", "ignore_eos"}
        & body.keys()
    )
    assert body["max_tokens"] == 9
    assert body["stream_options"] == {"include_usage": True}
    assert body["request_id"] == "ab" * 16 + "-2"


def test_decoding_goes_over_as_it_was_asked_for() -> None:
    sampling = Sampling(
        temperature=0,
        top_p=0.5,
        seed=7,
        stop=("a", "b"),
        presence_penalty=1,
        logprobs=True,
        top_logprobs=3,
        ignore_eos=True,
    )

    body = chat_body(call(sampling=sampling, cache_salt="tenant"), TEXT_ONLY)

    asked = {"temperature": 0, "top_p": 0.5, "seed": 7, "stop": ["a", "b"], "presence_penalty": 1, "ignore_eos": True}
    assert asked.items() <= body.items()
    assert (body["logprobs"], body["top_logprobs"], body["cache_salt"]) == (True, 3, "tenant")


def test_a_schema_goes_over_parsed_and_an_open_one_as_any_object() -> None:
    named = chat_body(call(json_schema='{"type":"object"}', schema_name="person"), TEXT_ONLY)
    open_one = chat_body(call(json_schema="{}"), TEXT_ONLY)

    assert named["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "person", "schema": {"type": "object"}},
    }
    assert open_one["response_format"] == {"type": "json_object"}


def test_tool_calls_and_their_results_keep_their_ids() -> None:
    messages = (
        Message(role="assistant", tool_calls=(ToolCall(id="c1", name="weather", arguments='{"city":"Rome"}'),)),
        Message(role="tool", content=(TextPart(text="sunny"),), tool_call_id="c1"),
    )

    asked, told = chat_body(call(messages=messages), TEXT_ONLY)["messages"]

    assert asked["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city":"Rome"}'}
    assert told == {"role": "tool", "content": "sunny", "tool_call_id": "c1"}


def test_an_image_is_refused_where_it_cannot_be_seen_and_sent_inline_where_it_can() -> None:
    image = Message(role="user", content=(ImagePart(media_type="image/png", data="AAAA"),))

    with pytest.raises(UnsupportedField) as refused:
        chat_body(call(messages=(image,)), TEXT_ONLY)
    (seen,) = chat_body(call(messages=(image,)), ABLE)["messages"]

    assert refused.value.param == "messages"
    assert seen["content"][0]["image_url"]["url"] == "data:image/png;base64,AAAA"


def test_tools_are_refused_without_a_parser_unless_none_may_be_called() -> None:
    with pytest.raises(UnsupportedField):
        chat_body(call(client_tools=(WEATHER,)), TEXT_ONLY)

    assert "tools" not in chat_body(call(client_tools=(WEATHER,), tool_choice="none"), TEXT_ONLY)


def test_a_tool_choice_that_is_no_keyword_names_a_tool() -> None:
    body = chat_body(call(client_tools=(WEATHER,), tool_choice="weather"), ABLE)

    assert body["tool_choice"] == {"type": "function", "function": {"name": "weather"}}
    assert body["tools"][0]["function"]["parameters"]["required"] == ["city"]


def test_chunks_become_events_and_the_stop_carries_the_weights() -> None:
    reader = ChunkReader(call(), "w" * 64)

    events = reader.read(chunk({"role": "assistant", "content": ""}))
    events += reader.read(chunk({"reasoning": "hm"}))
    events += reader.read(chunk({"content": "Hello"}, logprobs={"content": [{"token": "Hello"}]}))
    events += reader.read(chunk({"content": ""}, "length"))
    events += reader.read(
        {
            "choices": [],
            "usage": {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 4}},
        }
    )

    assert events == [ReasoningDelta("hm"), TextDelta("Hello", ({"token": "Hello"},)), Usage(5, 1, 4)]
    assert reader.finish() == Stop("length", "w" * 64)


def test_a_tool_call_comes_in_pieces_and_its_arguments_are_held_against_their_schema() -> None:
    reader = ChunkReader(call(client_tools=(WEATHER,)), "w")

    events = reader.read(chunk({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "weather"}}]}))
    events += reader.read(chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"city":"Rome"}'}}]}, "stop"))

    assert events == [ToolCallDelta(0, "", "c1", "weather"), ToolCallDelta(0, '{"city":"Rome"}')]
    assert reader.finish() == Stop("tool_calls", "w")


@pytest.mark.parametrize(
    ("name", "arguments"), [("weather", '"gabenwelter"'), ("weather", "{"), ("weather", "{}"), ("rocket", "{}")]
)
def test_arguments_that_break_their_schema_fail_the_answer(name: str, arguments: str) -> None:
    reader = ChunkReader(call(client_tools=(WEATHER,)), "w")
    reader.read(
        chunk({"tool_calls": [{"index": 0, "id": "c", "function": {"name": name, "arguments": arguments}}]}, "stop")
    )

    with pytest.raises(ContractViolated):
        reader.finish()


def test_arguments_cut_off_by_length_are_not_called_a_violation() -> None:
    reader = ChunkReader(call(client_tools=(WEATHER,)), "w")
    reader.read(
        chunk({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "weather", "arguments": '{"ci'}}]}, "length")
    )

    assert reader.finish() == Stop("length", "w")


@pytest.mark.parametrize("reason", [None, "abort", "error"])
def test_a_stream_without_a_proper_end_is_a_failure(reason: str | None) -> None:
    reader = ChunkReader(call(), "w")
    reader.read(chunk({"content": "Hel"}, reason))

    with pytest.raises(LaneMisbehaved):
        reader.finish()


def test_an_adapter_is_asked_for_by_its_served_name_and_under_the_tenants_salt() -> None:
    body = chat_body(call(model="small:support", cache_salt="tenant"), TEXT_ONLY)

    assert (body["model"], body["cache_salt"]) == ("small:support", "tenant")


def test_a_model_that_this_engine_does_not_serve_is_not_answered_by_another() -> None:
    with pytest.raises(LaneMisbehaved, match="not small:law"):
        chat_body(call(model="small:law"), TEXT_ONLY)


def test_an_answer_that_was_begun_is_gone_on_with_in_the_same_turn() -> None:
    body = chat_body(call(continue_from="The capital of"), ABLE)

    assert body["messages"][-1] == {"role": "assistant", "content": "The capital of"}
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)
