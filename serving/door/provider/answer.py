"""What is known of an answer while it is read? The same for every protocol; what its events mean, each protocol's module says."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

import httpx2

from router.bundle.files import Hosted, LaneSpec
from router.errors import LaneMisbehaved
from router.lane import LaneEvent, ReasoningDelta, Refusal, Stop, TextDelta, ToolCallDelta
from serving.door.provider.failures import Lost, Said

StopReason = Literal["stop", "length", "tool_calls", "content_filter"]
DECLINED: Final = "The provider's model declined to answer."
"""Said where a provider tells that it refuses and not in which words, or in words that may quote the prompt."""
_CONTENT: Final = (TextDelta, ReasoningDelta, ToolCallDelta, Refusal)


@dataclass(slots=True)
class Answer(ABC):
    """An answer so far. `began`: content came. `ended`: the provider's own word for how it ended. `version`: what answered."""

    began: bool = False
    ended: StopReason | None = None
    version: str | None = None
    _calls: dict[int, int] = field(default_factory=dict)

    def take(self, event: Any) -> tuple[LaneEvent, ...]:
        """Return what an event of the stream means.

        Raises `BrokeOff` for an error in the stream, and `ValueError`, `TypeError` or `AttributeError` for what is no event of the
        protocol: types are checked here, the SDKs build their objects without looking.
        """
        events = self.read(event)
        self.began = self.began or any(isinstance(one, _CONTENT) for one in events)
        if self.ended == "stop" and self._calls:
            # Some say `stop` after a tool call that was asked for by name.
            self.ended = "tool_calls"
        return events

    @abstractmethod
    def read(self, event: Any) -> tuple[LaneEvent, ...]:
        """Return what an event means; set `ended` and `version` where it says so."""

    def stop(self, lane: str) -> Stop:
        """Return the end, which only the provider's own word makes one. Raises `LaneMisbehaved`."""
        if self.ended is None:
            raise LaneMisbehaved(lane, "the stream ended before the answer did")
        return Stop(self.ended, self.version)

    def call_number(self, place: int) -> int:
        """Return the number, from 0, of the tool call that the protocol knows by this place in its output."""
        return self._calls.setdefault(place, len(self._calls))

    @property
    def calls(self) -> int:
        """How many tool calls there are so far."""
        return len(self._calls)


def text_of(value: Any) -> str:
    """Return a text, empty for none. Raises `TypeError` for anything else."""
    if value is not None and not isinstance(value, str):
        raise TypeError("not a text")
    return value or ""


class Events(Protocol):
    """A client's stream, open."""

    response: httpx2.Response

    def __aiter__(self) -> AsyncIterator[Any]: ...

    async def __anext__(self) -> Any: ...

    async def close(self) -> None: ...


class Speaks(Protocol):
    """A protocol, by way of its maker's client."""

    path: str
    """What comes after a lane's `base_url`."""

    def key_headers(self, key: str) -> Mapping[str, str]:
        """Return the headers that carry the key."""
        ...

    async def opened(self, lane: LaneSpec, hosted: Hosted, key: str, body: bytes, client: httpx2.AsyncClient) -> Events:
        """Have the client send the body and return its stream. Raises the client's own errors."""
        ...

    def answer(self) -> Answer:
        """Return an answer of which nothing has come."""
        ...

    def said(self, error: Exception) -> Said | Lost | None:
        """Return what an error of the client's says; None for one that is not the client's."""
        ...
