"""What a lane is asked, and what it answers: one call, one stream of typed events, whoever serves it.

A lane yields batches of events (a batch is what became ready together) and ends with exactly one `Stop` or by raising
`router.errors.LaneFailed`. Events are plain dataclasses: they cross process lines thousands of times a second.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from router.contract import Concern, Label, Message, RiskTier, Sampling, ToolSpec


@dataclass(frozen=True, slots=True)
class LaneCall:
    """One attempt on one lane, complete: nothing else is looked up on the way.

    `json_schema` is the JSON Schema the answer must meet (None: free text; `"{}"`: any JSON object).
    `deadline_seconds` is what is left of the request's time. `cache_salt` separates tenants' prefix caches and is set by the server alone.
    On a lane that embeds, each message is a text of its own.
    `may_leave`: a hosted lane is left in the plan as a way round a private one that is full; `goes_on`: any lane is, round this one.
    `continue_from`: the beginning of the answer, that the caller has already; the lane says what follows. Private lanes alone are asked
    that.
    """

    trace_id: str
    attempt: int
    lane: str
    model: str
    org: str
    label: Label
    risk_tier: RiskTier
    messages: tuple[Message, ...]
    sampling: Sampling
    max_tokens: int
    deadline_seconds: float
    first_token_seconds: float
    bundle_hash: str
    attack: Concern = "clear"
    harm: Concern = "clear"
    redacted: tuple[str, ...] = ()
    client_tools: tuple[ToolSpec, ...] = ()
    tool_choice: str | None = None
    schema_name: str | None = None
    json_schema: str | None = None
    cache_salt: str | None = None
    may_leave: bool = False
    continue_from: str | None = None
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the answer. `logprobs` are OpenAI's `choices[].logprobs.content` entries, where asked for."""

    text: str
    logprobs: tuple[dict[str, Any], ...] | None = None


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """A piece of the model's reasoning; not part of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """A piece of tool call number `index`; `id` and `name` come with its first piece."""

    index: int
    arguments: str = ""
    id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Embedding:
    """The embedding of the call's message number `index`: numbers in single precision, little-endian."""

    index: int
    numbers: bytes


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens used so far; the last one counts."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """A piece of the model's own refusal."""

    text: str


@dataclass(frozen=True, slots=True)
class Departed:
    """The door's word that bytes left the cluster (or were kept from it), for the evidence."""

    provider: str
    body_sha256: str
    body_bytes: int
    permit_nonce: str
    ledger_entry: str


@dataclass(frozen=True, slots=True)
class Continued:
    """Another lane goes on from here with an answer that broke off, after so many characters. Said by the router, never by a lane."""

    lane: str
    model: str
    characters: int


@dataclass(frozen=True, slots=True)
class Stop:
    """The end. `model_version` is the weights' hash or the provider's own name for what answered."""

    reason: Literal["stop", "length", "tool_calls", "content_filter"]
    model_version: str | None = None


LaneEvent = TextDelta | ReasoningDelta | ToolCallDelta | Embedding | Usage | Refusal | Departed | Continued | Stop


class Lane(Protocol):
    """The port that every lane implements: private on Ray Serve and vLLM, hosted by way of the door."""

    def stream(self, call: LaneCall) -> AsyncIterator[tuple[LaneEvent, ...]]:
        """Answer a call, a batch of events at a time. Closing the iterator stops the work behind it.

        Raises `LaneFailed` (or `ContextTooLong`, `SchemaRefused`, `DoorRefused`) when it can't.
        """
        ...
