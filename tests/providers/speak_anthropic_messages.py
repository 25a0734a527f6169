"""How does Anthropic's Messages API say it? Events, whole answers and failures, for a behaviour and a request."""

import json
from collections.abc import Iterator
from typing import Any

from tests.providers.behaviour import MODEL_VERSION, Behaviour, Event, Failure, Refused
from tests.providers.speak_openai_chat import pieces

FAILURES: dict[Failure, tuple[int, str, str]] = {
    "rate_limit": (429, "rate_limit_error", "This request would exceed your rate limit"),
    "quota": (400, "invalid_request_error", "Your credit balance is too low to access the API"),
    "overloaded": (529, "overloaded_error", "Overloaded"),
    "server_error": (500, "api_error", "Internal server error"),
    "bad_key": (401, "authentication_error", "invalid x-api-key"),
    "forbidden": (403, "permission_error", "Your key may not use this"),
    "no_such_model": (404, "not_found_error", "model: big-1"),
    "context_too_long": (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
    "schema_refused": (400, "invalid_request_error", "output_config.format.schema: For 'object' type, no"),
    "content_filter": (400, "invalid_request_error", "Output blocked by content filtering policy"),
}
_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}


def failure(fails: Failure, message: str) -> Refused:
    """Return a failure in Anthropic's own words."""
    status, kind, words = FAILURES[fails]
    return Refused(status, error_body(f"{words}. {message}", kind))


def error_body(message: str, kind: str | None) -> bytes:
    """Return Anthropic's error object."""
    error = {"type": kind or "api_error", "message": message}
    return json.dumps({"type": "error", "error": error, "request_id": "req_1"}).encode()


def failing_event(fails: Failure, message: str) -> Event:
    """Return a failure in the middle of a stream."""
    return Event(failure(fails, message).body.decode(), "error")


def events(do: Behaviour, asked: dict[str, Any]) -> Iterator[Event]:
    """Yield the stream's events."""
    opening = _message(do, []) | {"stop_reason": None}
    yield _event("message_start", "opening", message=opening)
    yield _event("ping", "opening")
    for index, block in enumerate(_blocks(do, asked)):
        # A tool call's name comes with its block: that is content already.
        part = "content" if block["type"] == "tool_use" else "opening"
        yield _event("content_block_start", part, index=index, content_block=_empty(block))
        for delta in _deltas(do, asked, block):
            yield _event("content_block_delta", "content", index=index, delta=delta)
        yield _event("content_block_stop", "closing", index=index)
    ending = {"stop_reason": _stop_reason(do), "stop_sequence": None, "stop_details": _stop_details(do)}
    given, answered, cached = do.usage_tokens
    usage = {"output_tokens": answered, "input_tokens": given - cached, "cache_read_input_tokens": cached}
    yield _event("message_delta", "end", delta=ending, usage=usage if do.usage else None)
    if do.done:
        yield _event("message_stop", "tail")


def _event(kind: str, part: Any, **fields: Any) -> Event:
    return Event(json.dumps({"type": kind, **fields}), kind, part)


def _deltas(do: Behaviour, asked: dict[str, Any], block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    match block["type"]:
        case "thinking":
            yield {"type": "thinking_delta", "thinking": do.reasoning}
            yield {"type": "signature_delta", "signature": "c2lnbmVk"}
        case "tool_use":
            yield {"type": "input_json_delta", "partial_json": ""}
            yield {"type": "input_json_delta", "partial_json": block["arguments"]}
        case _:
            for piece in pieces(do, asked):
                yield {"type": "text_delta", "text": piece}


def _blocks(do: Behaviour, asked: dict[str, Any]) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if do.reasoning:
        blocks.append({"type": "thinking", "thinking": do.reasoning, "signature": "c2lnbmVk"})
    for identifier, name, arguments in do.tool_calls:
        blocks.append({"type": "tool_use", "id": identifier, "name": name, "arguments": arguments})
    if not (do.tool_calls or do.refusal):
        blocks.append({"type": "text", "text": "".join(pieces(do, asked)), "citations": None})
    return blocks


def _empty(block: dict[str, Any]) -> dict[str, Any]:
    """A block as it is announced: what it holds is still to come."""
    match block["type"]:
        case "thinking":
            return block | {"thinking": "", "signature": ""}
        case "tool_use":
            return {"type": "tool_use", "id": block["id"], "name": block["name"], "input": {}}
        case _:
            return block | {"text": ""}


def whole(do: Behaviour, asked: dict[str, Any]) -> bytes:
    """Return an answer that is not streamed."""
    blocks = _blocks(do, asked)
    for block in blocks:
        if block["type"] == "tool_use":
            block["input"] = json.loads(block.pop("arguments"))
    return json.dumps(_message(do, blocks)).encode()


def _message(do: Behaviour, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    given, answered, cached = do.usage_tokens
    usage = {
        "input_tokens": given - cached,
        "output_tokens": answered if blocks else 1,
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": 0,
    }
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODEL_VERSION,
        "content": blocks,
        "stop_reason": _stop_reason(do),
        "stop_sequence": None,
        "stop_details": _stop_details(do),
        "usage": usage,
    }


def _stop_reason(do: Behaviour) -> str:
    if do.finish is not None:
        return _STOPS.get(do.finish, do.finish)
    return "refusal" if do.refusal else "tool_use" if do.tool_calls else "end_turn"


def _stop_details(do: Behaviour) -> dict[str, Any] | None:
    """This protocol has no refusal in the model's words: it says that there is one, of which kind, and explains."""
    if _stop_reason(do) != "refusal":
        return None
    return {"type": "refusal", "category": "general_harms", "explanation": do.refusal or None}
