"""What do the door and its clients say to each other about a tool's call? One JSON object: an answer, or one error."""

from typing import Final

from pydantic import ValidationError

from router.contract import Frozen
from router.errors import (
    DoorRefused,
    EvidenceUnavailable,
    PermitOutdated,
    RouterError,
    ToolArgumentsInvalid,
    ToolChanged,
    ToolDenied,
    ToolError,
    ToolFailed,
    ToolResultInvalid,
    ToolTimeout,
)
from router.tools import Ended
from serving.tools.box import Answer

JSON: Final = "application/json"
_PLAIN: Final[dict[str, type[ToolTimeout | ToolFailed | ToolChanged]]] = {
    kind.__name__: kind for kind in (ToolTimeout, ToolFailed, ToolChanged)
}
_BREACHES: Final[dict[str, type[ToolArgumentsInvalid | ToolResultInvalid]]] = {
    kind.__name__: kind for kind in (ToolArgumentsInvalid, ToolResultInvalid)
}
_REFUSALS: Final = frozenset({DoorRefused.__name__, PermitOutdated.__name__})


class _Failure(Frozen):
    kind: str
    because: str
    errors: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()


class _Said(Frozen):
    text: str = ""
    ended: Ended = "answered"
    error: _Failure | None = None


def encode_answer(answer: Answer) -> bytes:
    """Return an answer as it crosses the socket."""
    return _Said(text=answer.text, ended=answer.ended).model_dump_json().encode()


def encode_failure(error: RouterError) -> bytes:
    """Return an error as it crosses the socket."""
    kind = type(error).__name__
    match error:
        case ToolArgumentsInvalid() | ToolResultInvalid():
            failure = _Failure(kind=kind, because=error.because, errors=error.errors)
        case DoorRefused():
            failure = _Failure(kind=kind, because=str(error), policies=error.policies)
        case ToolError():
            failure = _Failure(kind=kind, because=error.because)
        case _:
            failure = _Failure(kind=kind, because=str(error))
    return _Said(error=failure).model_dump_json().encode()


def decode(tool: str, body: bytes) -> Answer:
    """Return the answer, or raise the error that came instead. What can't be read, and an error not known here, is `ToolFailed`."""
    try:
        said = _Said.model_validate_json(body)
    except ValidationError as error:
        raise ToolFailed(tool, "the door's answer can't be read") from error
    if said.error is None:
        return Answer(said.text, said.ended)
    kind, because = said.error.kind, said.error.because
    if kind in _PLAIN:
        raise _PLAIN[kind](tool, because)
    if kind in _BREACHES:
        raise _BREACHES[kind](tool, said.error.errors)
    if kind in _REFUSALS:
        raise ToolDenied(tool, f"the door refused: {because}", said.error.policies)
    if kind == EvidenceUnavailable.__name__:
        raise ToolFailed(tool, f"the door sends nothing: {because}")
    raise ToolFailed(tool, f"the door failed: {because}")
