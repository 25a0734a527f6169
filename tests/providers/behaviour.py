"""How does the stand-in answer from now on? One frozen value, the same for every protocol; as JSON it crosses processes."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter

Failure = Literal[
    "rate_limit",
    "quota",
    "overloaded",
    "server_error",
    "bad_key",
    "forbidden",
    "no_such_model",
    "context_too_long",
    "schema_refused",
    "content_filter",
]
"""A failure by name: each protocol has its own status and its own words for it."""
Place = Literal["head", "content", "middle", "end", "tail"]
"""Where in a stream: before the first event, before the first content (nothing of the answer was seen), after the first content, before
the event that says how it ended, after that event. A number counts events from 0."""

MODEL_VERSION = "stand-in-2026-11-01"


@dataclass(frozen=True)
class Behaviour:
    """What is answered. Whatever is not named stays as a friendly provider has it.

    `pieces`, `reasoning`, `refusal`, `tool_calls` (ID, name, arguments as JSON text) are the answer; `follows_schema` answers a request
    for JSON with a value that its schema allows. `parts`: content is a list of parts, reasoning among them (Chat Completions as Mistral's
    reasoning models speak it). `finish`: `stop`, `length`, `tool_calls`, `content_filter`, or any word of the protocol's.
    `usage_tokens`: input (cached ones among them), output, cached.

    `fails` is a failure by name, answered at once, or as an error event at `fails_at`. `status` and `error_code` are one by number.
    `headers` go with every head. `content_type` and `raw_body` take the place of the whole answer.
    `garbage` takes the place of the event at `garbage_at`. `cut_after` resets the connection at a place (-1: before the head); `stall_after`
    says nothing more there. `half_open`: the peer is gone and TCP has not noticed: the request is read, nothing ever comes, not even the
    end. `split_bytes` writes the stream in pieces of so many bytes, `crlf` ends lines as some servers do, `unknown_events` mixes in events
    that no version of the protocol knows yet, `keep_alive_comments` comments.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", ser_json_bytes="base64", val_json_bytes="base64"
    )

    pieces: tuple[str, ...] = ("The capital ", "of France ", "is Paris.")
    reasoning: str = ""
    refusal: str = ""
    tool_calls: tuple[tuple[str, str, str], ...] = ()
    follows_schema: bool = False
    parts: bool = False
    finish: str | None = None
    usage: bool = True
    usage_tokens: tuple[int, int, int] = (11, 7, 3)
    done: bool = True
    fails: Failure | None = None
    fails_at: Place | int | None = None
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    error_code: str | None = None
    content_type: str | None = None
    raw_body: bytes | None = None
    garbage_at: Place | int | None = None
    garbage: str = "{not json"
    head_delay_seconds: float = 0.0
    first_delay_seconds: float = 0.0
    gap_seconds: float = 0.0
    keep_alive_comments: bool = False
    unknown_events: bool = False
    crlf: bool = False
    split_bytes: int | None = None
    cut_after: Place | int | None = None
    stall_after: Place | int | None = None
    half_open: bool = False


BEHAVIOUR: TypeAdapter[Behaviour] = TypeAdapter(Behaviour)


def rate_limited(*, seconds: str | None = None, milliseconds: str | None = None) -> Behaviour:
    """A 429 that says when to come back: `seconds` as a number or an HTTP date, `milliseconds` in `retry-after-ms`."""
    said = (("Retry-After", seconds), ("Retry-After-Ms", milliseconds))
    return Behaviour(fails="rate_limit", headers=tuple((name, value) for name, value in said if value is not None))


@dataclass(frozen=True)
class Event:
    """One event of a stream as a protocol spells it. `part`: `opening`, `content`, `closing`, `end` (says how it ended) or `tail`."""

    data: str
    name: str | None = None
    part: Literal["opening", "content", "closing", "end", "tail"] = "opening"


@dataclass(frozen=True)
class Refused:
    """An HTTP answer that is a failure."""

    status: int
    body: bytes


def place_of(place: Place | int | None, events: list[Event]) -> int | None:
    """Return the number of the event that a place stands before."""
    parts = [event.part for event in events]
    match place:
        case None | int():
            return place
        case "head":
            return 0
        case "content":
            return parts.index("content") if "content" in parts else parts.index("end")
        case "middle":
            return parts.index("content") + 1 if "content" in parts else parts.index("end")
        case "end":
            return parts.index("end")
        case "tail":
            return parts.index("end") + 1
