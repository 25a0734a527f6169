"""What do the door and its clients say to each other? Lines of JSON: a batch of lane events, or one error that ends the answer.

An answer without a `stop` event or an error line was cut, and is no answer.
"""

from collections.abc import Sequence
from typing import Any, Final

import orjson
from pydantic import TypeAdapter, ValidationError

from router.contract import Frozen
from router.errors import (
    ContextTooLong,
    DoorRefused,
    EvidenceUnavailable,
    LaneErrored,
    LaneFailed,
    LaneMisbehaved,
    LaneOverloaded,
    LaneQuotaExhausted,
    LaneRateLimited,
    LaneTimeout,
    LaneUnreachable,
    PermitOutdated,
    RouterError,
    SchemaRefused,
)
from router.lane import Departed, LaneEvent, ReasoningDelta, Refusal, Stop, TextDelta, ToolCallDelta, Usage

LANE_HEADER: Final = "x-lane"
PERMIT_HEADER: Final = "x-permit"
NDJSON: Final = "application/x-ndjson"

_EVENTS: Final[dict[str, type[LaneEvent]]] = {
    "text": TextDelta,
    "reasoning": ReasoningDelta,
    "tool_call": ToolCallDelta,
    "usage": Usage,
    "refusal": Refusal,
    "departed": Departed,
    "stop": Stop,
}
_NAMES: Final = {type_: name for name, type_ in _EVENTS.items()}
_ADAPTERS: Final[dict[str, TypeAdapter[Any]]] = {name: TypeAdapter(type_) for name, type_ in _EVENTS.items()}
_LANE_ERRORS: Final[dict[str, type[LaneFailed]]] = {
    error.__name__: error
    for error in (
        LaneTimeout,
        LaneUnreachable,
        LaneOverloaded,
        LaneRateLimited,
        LaneQuotaExhausted,
        LaneMisbehaved,
        LaneErrored,
    )
}
_CALLER_ERRORS: Final[dict[str, type[ContextTooLong | SchemaRefused]]] = {
    error.__name__: error for error in (ContextTooLong, SchemaRefused)
}


class LaneStatus(Frozen):
    """Whether the door can send for a lane, and if not, why."""

    on: bool
    because: str = ""


class DoorStatus(Frozen):
    """What the door says of itself: the bundle it checks against, and its hosted lanes. No address, no key."""

    bundle_hash: str
    lanes: dict[str, LaneStatus]


class WireError(Frozen):
    """An error as it crosses the socket. `kind` is the class's name in `router.errors`."""

    kind: str
    lane: str = ""
    because: str
    retry_after_seconds: float | None = None
    policies: tuple[str, ...] = ()
    param: str | None = None


class _ErrorLine(Frozen):
    error: WireError


def encode_events(batch: Sequence[LaneEvent]) -> bytes:
    """Return a batch as one line."""
    return orjson.dumps([{_NAMES[type(event)]: event} for event in batch]) + b"\n"


def encode_error(error: RouterError) -> bytes:
    """Return an error as one line. An error that clients don't know of becomes `LaneMisbehaved`."""
    kind, because = type(error).__name__, str(error)
    match error:
        case LaneFailed():
            wire = WireError(
                kind=kind if kind in _LANE_ERRORS else LaneMisbehaved.__name__,
                lane=error.lane,
                because=error.because,
                retry_after_seconds=error.retry_after_seconds,
            )
        case DoorRefused():
            wire = WireError(kind=kind, because=because, policies=error.policies)
        case ContextTooLong() | SchemaRefused():
            wire = WireError(kind=kind, because=because, param=error.param)
        case EvidenceUnavailable():
            wire = WireError(kind=kind, because=because)
        case _:
            wire = WireError(kind=LaneMisbehaved.__name__, because=because)
    return _ErrorLine(error=wire).model_dump_json().encode() + b"\n"


def decode_line(line: bytes, lane: str) -> tuple[LaneEvent, ...]:
    """Return a line's events, or raise the error it carries. A line that is neither is `LaneMisbehaved`."""
    try:
        value = orjson.loads(line)
        if isinstance(value, list):
            return tuple(_event(item) for item in value)
        error = _ErrorLine.model_validate(value).error
    except (ValueError, ValidationError, KeyError) as problem:
        raise LaneMisbehaved(lane, "the door's answer can't be read") from problem
    raise _error(error, lane)


def _event(item: Any) -> LaneEvent:
    if not isinstance(item, dict) or len(item) != 1:
        raise ValueError("an event has one name")
    [(name, fields)] = item.items()
    event: LaneEvent = _ADAPTERS[name].validate_python(fields)
    return event


def _error(error: WireError, lane: str) -> RouterError:
    if error.kind in _LANE_ERRORS:
        return _LANE_ERRORS[error.kind](error.lane or lane, error.because, error.retry_after_seconds)
    if error.kind in _CALLER_ERRORS:
        return _CALLER_ERRORS[error.kind](error.because, error.param)
    if error.kind == DoorRefused.__name__:
        return DoorRefused(error.because, error.policies)
    if error.kind == PermitOutdated.__name__:
        return PermitOutdated(error.because, error.policies)
    if error.kind == EvidenceUnavailable.__name__:
        return EvidenceUnavailable(error.because)
    return LaneMisbehaved(lane, "the door named an error that is not known here")
