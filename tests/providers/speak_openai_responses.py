"""How does OpenAI's Responses API say it? Events, whole answers and failures, for a behaviour and a request."""

import json
from collections.abc import Iterator
from itertools import count
from typing import Any

from tests.providers.behaviour import MODEL_VERSION, Behaviour, Event, Failure
from tests.providers.speak_openai_chat import FAILURES, error_body, failure, pieces

__all__ = ["error_body", "events", "failing_event", "failure", "whole"]


def failing_event(fails: Failure, message: str) -> Event:
    """Return a failure in the middle of a stream: the answer itself failed."""
    _, code, _ = FAILURES[fails]
    error = {"code": code or "server_error", "message": message}
    response = _response(Behaviour(), [], "failed") | {"error": error}
    return _event("response.failed", 99, "end", response=response)


def events(do: Behaviour, asked: dict[str, Any]) -> Iterator[Event]:
    """Yield the stream's events."""
    numbers = count()

    def event(kind: str, part: Any = "opening", /, **fields: Any) -> Event:
        return _event(kind, next(numbers), part, **fields)

    unfinished = _response(do, [], "in_progress") | {"usage": None}
    yield event("response.created", response=unfinished)
    yield event("response.in_progress", response=unfinished)
    items = _items(do, asked)
    for index, item in enumerate(items):
        at = {"output_index": index, "item_id": item["id"]}
        yield event("response.output_item.added", _opening(item), output_index=index, item=_empty(item))
        yield from (event(kind, part, **at, **fields) for kind, part, fields in _deltas(do, asked, item))
        yield event("response.output_item.done", "closing", output_index=index, item=item)
    status = {"length": "incomplete", "content_filter": "incomplete"}.get(do.finish or "", "completed")
    kind = "response.incomplete" if status == "incomplete" else "response.completed"
    yield event(kind, "end", response=_response(do, items, status))


def _event(kind: str, number: int, part: Any = "opening", /, **fields: Any) -> Event:
    return Event(json.dumps({"type": kind, "sequence_number": number, **fields}), kind, part)


def _opening(item: dict[str, Any]) -> str:
    """A tool call's name comes with its item: that is content already."""
    return "content" if item["type"] == "function_call" else "opening"


def _deltas(do: Behaviour, asked: dict[str, Any], item: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    part = {"content_index": 0}
    match item["type"]:
        case "reasoning":
            yield "response.reasoning_summary_text.delta", "content", {"summary_index": 0, "delta": do.reasoning}
        case "function_call":
            yield "response.function_call_arguments.delta", "content", {"delta": item["arguments"]}
            done = {"arguments": item["arguments"], "name": item["name"]}
            yield "response.function_call_arguments.done", "closing", done
        case _ if do.refusal:
            yield "response.content_part.added", "opening", part | {"part": {"type": "refusal", "refusal": ""}}
            yield "response.refusal.delta", "content", part | {"delta": do.refusal}
            yield "response.refusal.done", "closing", part | {"refusal": do.refusal}
        case _:
            empty = {"type": "output_text", "text": "", "annotations": []}
            yield "response.content_part.added", "opening", part | {"part": empty}
            for piece in pieces(do, asked):
                yield "response.output_text.delta", "content", part | {"delta": piece, "logprobs": []}
            text = "".join(pieces(do, asked))
            yield "response.output_text.done", "closing", part | {"text": text, "logprobs": []}


def _items(do: Behaviour, asked: dict[str, Any]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if do.reasoning:
        items.append({"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": do.reasoning}]})
    for number, (identifier, name, arguments) in enumerate(do.tool_calls):
        called = {"call_id": identifier, "name": name, "arguments": arguments, "status": "completed"}
        items.append({"id": f"fc_{number}", "type": "function_call", **called})
    if not do.tool_calls:
        text = {"type": "output_text", "text": "".join(pieces(do, asked)), "annotations": [], "logprobs": []}
        content = {"type": "refusal", "refusal": do.refusal} if do.refusal else text
        message = {"type": "message", "role": "assistant", "status": "completed", "content": [content]}
        items.append({"id": "msg_1", **message})
    return items


def _empty(item: dict[str, Any]) -> dict[str, Any]:
    """An item as it is announced: its parts are still to come."""
    empty: dict[str, Any] = {"content": [], "arguments": "", "summary": []}
    return item | {name: value for name, value in empty.items() if name in item} | {"status": "in_progress"}


def whole(do: Behaviour, asked: dict[str, Any]) -> bytes:
    """Return an answer that is not streamed."""
    status = "incomplete" if do.finish in {"length", "content_filter"} else "completed"
    return json.dumps(_response(do, _items(do, asked), status)).encode()


def _response(do: Behaviour, output: list[dict[str, Any]], status: str) -> dict[str, Any]:
    given, answered, cached = do.usage_tokens
    usage = {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": cached, "cache_write_tokens": 0},
        "output_tokens": answered,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": given + answered,
    }
    reason = {"length": "max_output_tokens"}.get(do.finish or "", do.finish)
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_790_000_000,
        "model": MODEL_VERSION,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": reason} if status == "incomplete" else None,
        "output": output,
        "usage": usage if do.usage else None,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "instructions": None,
        "metadata": {},
        "temperature": 1.0,
        "top_p": 1.0,
    }
