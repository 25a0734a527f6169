"""Which failure of ours is it that a provider reports? One table for every protocol: status, codes, and what its sentence is about.

Sentences are read where nothing else tells the causes apart, and never passed on.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from router.errors import (
    ContextTooLong,
    LaneErrored,
    LaneMisbehaved,
    LaneOverloaded,
    LaneQuotaExhausted,
    LaneRateLimited,
    LaneTimeout,
    LaneUnreachable,
    RouterError,
    SchemaRefused,
)
from serving.door.retry_after import retry_after_seconds

Lost = Literal["timeout", "connection"]
"""The client could not reach the provider, or lost it."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a provider said of a failure. `status` is None within a stream; `codes` are its words for it, the most exact first."""

    status: int | None
    codes: tuple[str, ...] = ()
    sentence: str = ""
    param: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class BrokeOff(Exception):
    """The stream holds an error in place of the answer's rest."""

    def __init__(self, said: Said) -> None:
        super().__init__()
        self.said = said


@dataclass(frozen=True, slots=True)
class Filtered:
    """The provider's content filter stopped the request or the answer: a refusal, and no failure of the lane."""


_SAFE: Final = re.compile(r"^[a-z][a-z0-9_]{0,63}$")
_QUOTA: Final = frozenset(
    {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "billing_error", "quota_exceeded"}
)
_FILTER: Final = frozenset(
    {
        "content_filter",
        "content_policy_violation",
        "invalid_prompt",
        "bio_policy",
        "misalignment_policy_violation",
        "image_content_policy_violation",
    }
)
_CONTEXT: Final = frozenset({"context_length_exceeded", "request_too_large"})
_SCHEMA: Final = frozenset({"invalid_json_schema", "unsupported_schema"})
_KEY: Final = frozenset({"authentication_error", "invalid_api_key"})
_RATE: Final = frozenset({"rate_limit_exceeded", "rate_limit_error"})
_FULL: Final = frozenset({"overloaded_error", "overloaded", "server_overloaded", "engine_overloaded"})
_LATE: Final = frozenset({"timeout_error", "request_timeout"})
_OWN: Final = frozenset({"server_error", "api_error", "internal_error", "internal_server_error"})
_BROKE: Final = re.compile(r"credit balance is too low", re.I)
_TOO_LONG: Final = re.compile(
    r"(prompt|input|request) is too long|context (length|window|size)|too many (input )?tokens|input token count", re.I
)
_OF_SCHEMA: Final = re.compile(r"response_format|output_config\.format|text\.format|json_schema", re.I)
_OF_FILTER: Final = re.compile(r"content (filter(ing)?|management) policy|content filter", re.I)


def failure_of(said: Said, lane: str, now: float) -> RouterError | Filtered:
    """Return the router's error for what was said at `now`, in Unix seconds."""
    of_request = _of_request(said, lane)
    return of_request if of_request is not None else _of_lane(said, lane, now)


def _of_request(said: Said, lane: str) -> RouterError | Filtered | None:
    """What the request, the key or the account is at fault for: the same would fail again."""
    codes = frozenset(said.codes)
    bad = said.status in {None, 400, 413, 422}
    if codes & _QUOTA or said.status == 402 or (bad and _BROKE.search(said.sentence)):
        return LaneQuotaExhausted(lane, "the provider's account has nothing left")
    if said.status == 401 or (said.status is None and codes & _KEY):
        return LaneUnreachable(lane, "key refused")
    if said.status == 403:
        return LaneUnreachable(lane, "the key may not use this model")
    if bad and (codes & _FILTER or _OF_FILTER.search(said.sentence)):
        return Filtered()
    if said.status == 413 or (bad and (codes & _CONTEXT or _TOO_LONG.search(said.sentence))):
        return ContextTooLong("the prompt does not fit the hosted model", "messages")
    if bad and (codes & _SCHEMA or _OF_SCHEMA.search(f"{said.param} {said.sentence}")):
        return SchemaRefused("the hosted model's provider does not take this response schema", "response_format")
    return None


def _of_lane(said: Said, lane: str, now: float) -> RouterError:
    """What the provider is at fault for: it may pass."""
    code = next((f" ({code})" for code in said.codes if _SAFE.match(code)), "")
    what = f"the provider broke off{code}" if said.status is None else f"the provider answered {said.status}{code}"
    wait = retry_after_seconds(said.headers, now)
    codes = frozenset(said.codes) if said.status is None else frozenset[str]()
    if said.status in {408, 504} or codes & _LATE:
        return LaneTimeout(lane, what)
    if said.status == 429 or codes & _RATE:
        return LaneRateLimited(lane, what, wait)
    if said.status in {503, 529} or codes & _FULL:
        return LaneOverloaded(lane, what, wait)
    if (said.status or 0) >= 500 or codes & _OWN:
        return LaneErrored(lane, what, wait)
    return LaneMisbehaved(lane, what, wait)
