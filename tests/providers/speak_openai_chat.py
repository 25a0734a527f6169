"""How does OpenAI's Chat Completions say it? Events, whole answers and failures, for a behaviour and a request."""

import json
from collections.abc import Iterator
from typing import Any

from tests.providers.behaviour import MODEL_VERSION, Behaviour, Event, Failure, Refused
from tests.providers.schemas import instance_of

FAILURES: dict[Failure, tuple[int, str | None, str]] = {
    "rate_limit": (429, "rate_limit_exceeded", "requests"),
    "quota": (429, "insufficient_quota", "insufficient_quota"),
    "overloaded": (503, None, "server_error"),
    "server_error": (500, None, "server_error"),
    "bad_key": (401, "invalid_api_key", "invalid_request_error"),
    "forbidden": (403, "unsupported_country_region_territory", "request_forbidden"),
    "no_such_model": (404, "model_not_found", "invalid_request_error"),
    "context_too_long": (400, "context_length_exceeded", "invalid_request_error"),
    "schema_refused": (400, "invalid_json_schema", "invalid_request_error"),
    "content_filter": (400, "content_filter", "invalid_request_error"),
}


def failure(fails: Failure, message: str) -> Refused:
    """Return a failure in OpenAI's own words; both of its protocols share them."""
    status, code, kind = FAILURES[fails]
    return Refused(status, error_body(message, code, kind))


def error_body(message: str, code: str | None, kind: str = "error") -> bytes:
    """Return OpenAI's error object."""
    return json.dumps({"error": {"message": message, "type": kind, "code": code, "param": None}}).encode()


def failing_event(fails: Failure, message: str) -> Event:
    """Return a failure in the middle of a stream."""
    return Event(failure(fails, message).body.decode())


def events(do: Behaviour, asked: dict[str, Any]) -> Iterator[Event]:
    """Yield the stream's events."""

    def chunk(delta: dict[str, Any], part: Any, finish: str | None = None) -> Event:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return Event(_chunk_json([choice], None), part=part)

    yield chunk({"role": "assistant", "content": ""}, "opening")
    if do.reasoning:
        yield chunk({"content": [_thinking(do)]} if do.parts else {"reasoning_content": do.reasoning}, "content")
    if do.refusal:
        yield chunk({"refusal": do.refusal}, "content")
    for index, (identifier, name, arguments) in enumerate(do.tool_calls):
        function = {"name": name, "arguments": ""}
        called = {"index": index, "id": identifier, "type": "function", "function": function}
        yield chunk({"tool_calls": [called]}, "content")
        yield chunk({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]}, "content")
    if not (do.refusal or do.tool_calls):
        for piece in pieces(do, asked):
            yield chunk({"content": _text(piece) if do.parts else piece}, "content")
    yield chunk({}, "end", _finish(do))
    if do.usage:
        yield Event(_chunk_json([], _usage(do)), part="tail")
    if do.done:
        yield Event("[DONE]", part="tail")


def pieces(do: Behaviour, asked: dict[str, Any]) -> tuple[str, ...]:
    """Return the answer's text, piece by piece."""
    schema = schema_asked(asked)
    if schema is None or not do.follows_schema:
        return do.pieces
    text = json.dumps(instance_of(schema))
    return text[: len(text) // 2], text[len(text) // 2 :]


def schema_asked(asked: dict[str, Any]) -> Any:
    """Return the JSON Schema that a request of any of the protocols asks the answer to meet, or None."""
    match asked:
        case {"response_format": {"type": "json_schema", "json_schema": {"schema": schema}}}:
            return schema
        case {"text": {"format": {"type": "json_schema", "schema": schema}}}:
            return schema
        case {"output_config": {"format": {"type": "json_schema", "schema": schema}}}:
            return schema
        case {"response_format": {"type": "json_object"}} | {"text": {"format": {"type": "json_object"}}}:
            return {"type": "object"}
        case _:
            return None


def whole(do: Behaviour, asked: dict[str, Any]) -> bytes:
    """Return an answer that is not streamed."""
    calls = [
        {"id": identifier, "type": "function", "function": {"name": name, "arguments": arguments}}
        for identifier, name, arguments in do.tool_calls
    ]
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if do.refusal or calls else "".join(pieces(do, asked)),
        "refusal": do.refusal or None,
    }
    if calls:
        message["tool_calls"] = calls
    if do.reasoning and not do.parts:
        message["reasoning_content"] = do.reasoning
    if do.parts and message["content"] is not None:
        message["content"] = [*([_thinking(do)] if do.reasoning else []), *_text(message["content"])]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(do)}
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1_790_000_000,
            "model": MODEL_VERSION,
            "choices": [choice],
            "usage": _usage(do) if do.usage else None,
        }
    ).encode()


def _thinking(do: Behaviour) -> dict[str, Any]:
    return {"type": "thinking", "thinking": [{"type": "text", "text": do.reasoning}], "closed": True}


def _text(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text}]


def _finish(do: Behaviour) -> str:
    return do.finish or ("tool_calls" if do.tool_calls else "stop")


def _usage(do: Behaviour) -> dict[str, Any]:
    given, answered, cached = do.usage_tokens
    return {
        "prompt_tokens": given,
        "completion_tokens": answered,
        "total_tokens": given + answered,
        "prompt_tokens_details": {"cached_tokens": cached},
    }


def _chunk_json(choices: list[dict[str, Any]], usage: dict[str, Any] | None) -> str:
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1_790_000_000,
            "model": MODEL_VERSION,
            "system_fingerprint": "fp_1",
            "choices": choices,
            "usage": usage,
        }
    )
