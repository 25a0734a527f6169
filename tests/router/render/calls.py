"""Calls to render, for the tests of every protocol."""

import json
from typing import Any

from router.bundle.files import Dialect, Hosted, HostedProtocol
from router.contract import ImagePart, Label, Message, Sampling, TextPart, ToolCall, ToolSpec
from router.lane import LaneCall

CLOSED = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
BOUNDED = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3}}, "additionalProperties": False}


def hosted(protocol: HostedProtocol, **dialect: Any) -> Hosted:
    return Hosted(
        provider="big",
        protocol=protocol,
        base_url="https://x/v1",
        model="big-1",
        api_key_env="K",
        region="eu",
        dialect=Dialect(**dialect),
    )


def said(role: Any, *texts: str, **more: Any) -> Message:
    return Message(role=role, content=tuple(TextPart(text=text) for text in texts), **more)


def a_call(**changes: object) -> LaneCall:
    fields: dict[str, object] = {
        "trace_id": "0123456789abcdef" * 2,
        "attempt": 1,
        "lane": "premium",
        "model": "big-1",
        "org": "org-of-the-caller",
        "label": Label(),
        "risk_tier": "low",
        "messages": (said("user", "Hi"),),
        "sampling": Sampling(),
        "max_tokens": 7,
        "deadline_seconds": 9.0,
        "first_token_seconds": 9.0,
        "bundle_hash": "hash-of-the-bundle",
    }
    return LaneCall(**(fields | changes))  # type: ignore[arg-type]


def a_full_call(**changes: object) -> LaneCall:
    """A conversation with everything that every protocol has a word for."""
    fields: dict[str, object] = {
        "messages": (
            said("system", "Be brief."),
            Message(role="user", content=(TextPart(text="See"), ImagePart(media_type="image/png", data="QUJD"))),
            Message(
                role="assistant",
                content=(TextPart(text="I look."),),
                tool_calls=(
                    ToolCall(id="c1", name="look", arguments='{"q":"é"}'),
                    ToolCall(id="c2", name="look", arguments='{"q":2}'),
                ),
            ),
            said("tool", "found", tool_call_id="c1"),
            said("tool", "nothing", tool_call_id="c2"),
            said("user", "And?"),
        ),
        "client_tools": (ToolSpec(name="look", description="Looks.", parameters_json='{"type": "object"}'),),
        "tool_choice": "look",
        "schema_name": "Answer V3",
        "json_schema": json.dumps(CLOSED),
        "sampling": Sampling(temperature=0.5, top_p=0.5),
    }
    return a_call(**(fields | changes))
