"""Whatever a provider might act on, and no renderer of ours writes, is strange in every protocol's body."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.bundle.files import HostedProtocol
from router.render import FIELDS, render
from serving.door.shapes import holds_image, wanting
from tests.router.render.calls import a_full_call, hosted

PROTOCOLS: tuple[HostedProtocol, ...] = ("openai_chat", "openai_responses", "anthropic_messages")
ADDRESS = "the body tells the provider to fetch an address"
STRANGE = "the body holds a part that no renderer of ours writes"


def body_of(protocol: HostedProtocol, **fields: Any) -> dict[str, Any]:
    return {**json.loads(render(a_full_call(), hosted(protocol))), **fields}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_our_renderer_writes_is_in_order(protocol: HostedProtocol) -> None:
    assert wanting(body_of(protocol), protocol) is None


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "field",
    ["user", "metadata", "previous_response_id", "conversation", "prompt", "background", "mcp_servers", "container"],
)
def test_a_field_that_no_renderer_writes_stays(protocol: HostedProtocol, field: str) -> None:
    assert wanting(body_of(protocol, **{field: "x"}), protocol) == "the body holds fields that may not leave: 1 of them"


def said(part: Any) -> list[Any]:
    return [{"role": "user", "content": [part]}]


@pytest.mark.parametrize(
    ("protocol", "fields", "because"),
    [
        ("openai_chat", {"tools": [{"type": "web_search"}]}, STRANGE),
        ("openai_chat", {"tools": {"type": "function"}}, STRANGE),
        ("openai_chat", {"tool_choice": {"type": "mcp"}}, STRANGE),
        ("openai_chat", {"tool_choice": "web"}, STRANGE),
        ("openai_chat", {"messages": said({"type": "input_audio"})}, STRANGE),
        ("openai_chat", {"messages": [{"role": "user", "content": "x", "audio": {"id": "a"}}]}, STRANGE),
        ("openai_responses", {"store": True}, STRANGE),
        ("openai_responses", {"store": None}, STRANGE),
        ("openai_responses", {"input": "Hi"}, STRANGE),
        ("openai_responses", {"input": [{"type": "item_reference", "id": "msg_1"}]}, STRANGE),
        ("openai_responses", {"input": said({"type": "input_file", "file_url": "https://x/?leak"})}, STRANGE),
        ("openai_responses", {"input": said({"type": "input_image", "detail": "auto", "file_id": "f"})}, STRANGE),
        (
            "openai_responses",
            {"input": said({"type": "input_image", "detail": "auto", "image_url": "https://x/?leak"})},
            ADDRESS,
        ),
        ("openai_responses", {"tools": [{"type": "web_search"}]}, STRANGE),
        ("openai_responses", {"tools": [{"type": "mcp", "server_url": "https://x"}]}, STRANGE),
        ("openai_responses", {"tool_choice": {"type": "function", "name": "f", "more": 1}}, STRANGE),
        ("openai_responses", {"tool_choice": 3}, STRANGE),
        ("openai_responses", {"include": ["reasoning.encrypted_content"]}, STRANGE),
        ("openai_responses", {"text": {"verbosity": "high"}}, STRANGE),
        ("openai_responses", {"text": 3}, STRANGE),
        ("anthropic_messages", {"messages": "Hi"}, STRANGE),
        ("anthropic_messages", {"messages": [{"role": "system", "content": []}]}, STRANGE),
        ("anthropic_messages", {"messages": said({"type": "document", "source": {"type": "url"}})}, STRANGE),
        ("anthropic_messages", {"messages": said({"type": "image", "source": {"type": "url", "url": "x"}})}, ADDRESS),
        (
            "anthropic_messages",
            {"messages": said({"type": "image", "source": {"type": "file", "file_id": "x"}})},
            STRANGE,
        ),
        ("anthropic_messages", {"messages": said({"type": "text", "text": "x", "cache_control": {}})}, STRANGE),
        ("anthropic_messages", {"system": "Be brief."}, STRANGE),
        ("anthropic_messages", {"tools": [{"type": "web_search_20260318", "name": "web_search"}]}, STRANGE),
        ("anthropic_messages", {"tools": [{"type": "custom", "name": "t", "input_schema": {}}]}, STRANGE),
        ("anthropic_messages", {"tool_choice": "auto"}, STRANGE),
        ("anthropic_messages", {"tool_choice": {"type": "tool", "name": "t", "more": 1}}, STRANGE),
        ("anthropic_messages", {"output_config": {"effort": "max"}}, STRANGE),
    ],
)
def test_what_a_provider_would_fetch_keep_or_run_itself_stays(
    protocol: HostedProtocol, fields: dict[str, Any], because: str
) -> None:
    assert wanting(body_of(protocol, **fields), protocol) == because


def test_a_tool_s_result_may_hold_an_image_and_is_then_unreadable() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}
    messages = said({"type": "tool_result", "tool_use_id": "1", "content": [image]})
    fields = body_of("anthropic_messages", messages=messages)

    assert wanting(fields, "anthropic_messages") is None
    assert holds_image(fields, "anthropic_messages")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(protocol=st.sampled_from(PROTOCOLS), values=st.lists(JSON, min_size=20, max_size=20))
def test_no_json_at_all_trips_the_reading(protocol: HostedProtocol, values: list[Any]) -> None:
    fields = dict(zip(sorted(FIELDS[protocol]), values, strict=False))

    assert wanting(fields, protocol) in {None, STRANGE, ADDRESS}
