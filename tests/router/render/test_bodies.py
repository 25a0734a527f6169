"""What holds for the bodies of every protocol: the makers' own types take them, the door's guard knows them, and no text hides in them."""

import json
from typing import Any

import pytest
from anthropic.types.message_create_params import MessageCreateParamsStreaming
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming
from pydantic import TypeAdapter

from router.bundle.files import HostedProtocol
from router.contract import ImagePart, Message, Sampling, TextPart, ToolCall, ToolSpec
from router.errors import BadRequest, UnsupportedField
from router.lane import LaneCall
from router.render import canonical_json, parse_body, render, texts_in
from serving.door.shapes import holds_image, wanting
from tests.router.render.calls import BOUNDED, CLOSED, a_call, a_full_call, hosted

PROTOCOLS: tuple[HostedProtocol, ...] = ("openai_chat", "openai_responses", "anthropic_messages")
TYPES: dict[HostedProtocol, Any] = {
    "openai_chat": CompletionCreateParamsStreaming,
    "openai_responses": ResponseCreateParamsStreaming,
    "anthropic_messages": MessageCreateParamsStreaming,
}
SCHEMAS = [None, "{}", json.dumps(CLOSED), json.dumps(BOUNDED)]


def as_the_maker_reads(body: dict[str, Any], protocol: HostedProtocol) -> Any:
    """Read a body by the types of the maker's own client, every list in it to its end."""

    def drained(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: drained(part) for name, part in value.items()}
        return [drained(part) for part in value] if hasattr(value, "__next__") or isinstance(value, list) else value

    adapter = TypeAdapter(TYPES[protocol])  # It has to live while its lists are read.
    return drained(adapter.validate_python(body))


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_maker_s_own_types_take_every_field(protocol: HostedProtocol, schema: str | None) -> None:
    body = json.loads(render(a_full_call(json_schema=schema), hosted(protocol)))

    as_the_maker_reads(body, protocol)

    assert set(body) <= set(TYPES[protocol].__annotations__)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_no_provider_can_do_is_refused_and_not_dropped(protocol: HostedProtocol) -> None:
    with pytest.raises(UnsupportedField, match="ignore_eos"):
        render(a_call(sampling=Sampling(ignore_eos=True)), hosted(protocol))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_that_names_the_caller_leaves(protocol: HostedProtocol) -> None:
    call = a_full_call(cache_salt="salt-of-the-tenant")

    body = render(call, hosted(protocol)).decode()

    for own in (call.trace_id, call.org, call.bundle_hash, "salt-of-the-tenant", call.lane):
        assert own not in body


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_no_json_or_no_utf8_is_the_caller_s_fault(protocol: HostedProtocol) -> None:
    half = Message(role="user", content=(TextPart(text="a\ud800"),))
    for call in (
        a_call(messages=(half,)),
        a_call(json_schema="{"),
        a_call(client_tools=(ToolSpec(name="t", parameters_json='{"a":NaN}'),)),
    ):
        with pytest.raises(BadRequest):
            render(call, hosted(protocol))


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=5,
)
PARTS = st.lists(
    st.builds(TextPart, text=TEXTS) | st.builds(ImagePart, media_type=st.just("image/png"), data=st.just("QUJD")),
    max_size=3,
).map(tuple)
WORDS = st.lists(st.builds(TextPart, text=TEXTS), max_size=2).map(tuple)
ARGUMENTS = st.dictionaries(TEXTS, JSON, max_size=2).map(json.dumps) | TEXTS
CALLS = st.lists(st.builds(ToolCall, id=TEXTS, name=TEXTS, arguments=ARGUMENTS), max_size=2).map(tuple)
MESSAGES = (
    st.builds(Message, role=st.just("system"), content=WORDS)
    | st.builds(Message, role=st.just("user"), content=PARTS)
    | st.builds(Message, role=st.just("assistant"), content=WORDS, tool_calls=CALLS)
    | st.builds(Message, role=st.just("tool"), content=WORDS, tool_call_id=TEXTS)
)
LANE_CALLS = st.builds(
    a_call,
    messages=st.lists(MESSAGES, min_size=1, max_size=4).map(tuple),
    client_tools=st.lists(
        st.builds(ToolSpec, name=TEXTS, description=TEXTS, parameters_json=st.just(json.dumps(CLOSED))), max_size=2
    ).map(tuple),
    tool_choice=st.none() | st.sampled_from(["auto", "none", "required", "look"]),
    json_schema=st.sampled_from(SCHEMAS),
    sampling=st.sampled_from([Sampling(), Sampling(temperature=0.5, top_p=0.9, seed=1)]),
)


@given(call=LANE_CALLS, protocol=st.sampled_from(PROTOCOLS))
def test_every_body_is_canonical_and_of_a_shape_that_the_door_knows(call: LaneCall, protocol: HostedProtocol) -> None:
    body = render(call, hosted(protocol))

    fields = parse_body(body)
    images = any(isinstance(part, ImagePart) for message in call.messages for part in message.content)
    assert canonical_json(fields) == body
    assert wanting(fields, protocol) is None
    assert holds_image(fields, protocol) is images


@given(call=LANE_CALLS, protocol=st.sampled_from(PROTOCOLS))
def test_every_text_of_a_call_is_found_in_its_bytes(call: LaneCall, protocol: HostedProtocol) -> None:
    found = texts_in(render(call, hosted(protocol)))

    said = [part.text for message in call.messages for part in message.content if isinstance(part, TextPart)]
    described = [tool.description for tool in call.client_tools]
    named = [made.name for message in call.messages for made in message.tool_calls]
    assert {text for text in (*said, *described, *named) if text} <= set(found)


@given(q=TEXTS, protocol=st.sampled_from(PROTOCOLS))
def test_what_a_tool_was_given_is_found_however_the_protocol_carries_it(q: str, protocol: HostedProtocol) -> None:
    made = ToolCall(id="1", name="t", arguments=json.dumps({"q": q}))
    call = a_call(messages=(Message(role="assistant", tool_calls=(made,)),))

    assert q in texts_in(render(call, hosted(protocol)))
