from typing import Any

import orjson
import pytest

from router.contract import Label
from router.errors import BadRequest, SchemaRefused, UnsupportedField
from serving.api.parse import ChatAsk, parse_chat

HELLO = {"model": "auto", "messages": [{"role": "user", "content": "Hello"}]}


def parse(headers: dict[str, str] | None = None, **fields: Any) -> ChatAsk:
    return parse_chat(orjson.dumps({**HELLO, **fields}), headers or {}, "local")


def test_a_plain_body_becomes_a_request_of_the_keys_tenant() -> None:
    asked = parse()

    assert asked.request.org == "local"
    assert asked.request.messages[0].text == "Hello"
    assert not asked.stream


def test_standard_fields_and_headers_are_carried() -> None:
    asked = parse(
        {
            "x-lane-channel": "web",
            "x-lane-mode": "batch",
            "x-lane-session": "s1",
            "x-lane-allowed-tools": "ticket_lookup, refund_eligibility",
            "x-lane-labels": "level=confidential; categories=pii,health; jurisdictions=EU",
            "x-lane-deadline-seconds": "2.5",
        },
        user="u1",
        metadata={"team": "a"},
        stop="END",
        seed=7,
        max_completion_tokens=9,
        stream=True,
        stream_options={"include_usage": True},
    )

    request = asked.request
    assert (request.channel, request.mode, request.session, request.user) == ("web", "batch", "s1", "u1")
    assert request.allowed_tools == ("ticket_lookup", "refund_eligibility")
    assert request.labels == Label(level="confidential", categories=("health", "pii"), jurisdictions=("EU",))
    assert (request.limits.max_tokens, request.limits.deadline_seconds) == (9, 2.5)
    assert (request.sampling.stop, request.sampling.seed) == (("END",), 7)
    assert asked.stream
    assert asked.include_usage


@pytest.mark.parametrize(
    "field",
    [
        {"chat_template": "x"},
        {"cache_salt": "x"},
        {"guided_json": {}},
        {"n": 2},
        {"logit_bias": {"1": 1}},
        {"mm_processor_kwargs": {}},
    ],
)
def test_a_field_that_would_be_dropped_is_refused_by_name(field: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedField) as refusal:
        parse(**field)

    assert refusal.value.param == next(iter(field))


def test_fields_that_ask_for_nothing_are_accepted() -> None:
    parse(n=1, store=False, service_tier="auto", parallel_tool_calls=True, logit_bias=None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", 3),
        ("max_tokens", 0),
        ("messages", []),
        ("messages", "hi"),
        ("top_logprobs", 99),
        ("stop", ["a"] * 5),
    ],
)
def test_a_value_out_of_bounds_is_a_bad_request_that_names_the_field(field: str, value: Any) -> None:
    with pytest.raises(BadRequest) as refusal:
        parse(**{field: value})

    assert field in str(refusal.value)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[" * 5000, b'{"model": "auto"}'])
def test_what_is_no_chat_body_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_chat(body, {}, "local")


def test_a_schema_that_no_lane_could_enforce_is_refused_up_front() -> None:
    with pytest.raises(SchemaRefused):
        parse(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "nonsense"}}})


def test_a_tools_parameters_must_be_a_schema() -> None:
    with pytest.raises(SchemaRefused):
        parse(tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "nonsense"}}}])


@pytest.mark.parametrize(
    "header",
    [
        {"x-lane-labels": "level=secret"},
        {"x-lane-labels": "colour=red"},
        {"x-lane-channel": "fax"},
        {"x-lane-deadline-seconds": "soon"},
    ],
)
def test_a_bad_header_is_a_bad_request(header: dict[str, str]) -> None:
    with pytest.raises(BadRequest):
        parse(header)


def test_a_body_cannot_claim_an_org() -> None:
    with pytest.raises(UnsupportedField, match="org"):
        parse(org="someone-else")
