"""How is a lane's whole answer restored? Each running text in it by itself: content, reasoning, refusal, every tool call's arguments."""

from collections.abc import Callable
from dataclasses import replace

from router.lane import (
    Continued,
    Departed,
    Embedding,
    LaneEvent,
    ReasoningDelta,
    Refusal,
    Stop,
    TextDelta,
    ToolCallDelta,
    Usage,
)
from router.redact.placeholders import Placeholders
from router.redact.restore import Restorer

_Channel = tuple[type[LaneEvent], int]


class AnswerRestorer:
    """Takes batches of a lane's events and gives them back with the values in the placeholders' places.

    What waits at the end comes before the `Stop`. Log probabilities would be those of other tokens: they are left out, and `decide` offers
    no redacting lane to a request that asks for them.
    """

    def __init__(self, placeholders: Placeholders, *, json_answer: bool) -> None:
        """`json_answer`: the answer's text is to be JSON, so that values are escaped in it. Arguments always are."""
        self._placeholders = placeholders
        self._json_answer = json_answer
        self._running: dict[_Channel, tuple[Restorer, Callable[[str], LaneEvent]]] = {}

    def take(self, batch: tuple[LaneEvent, ...]) -> tuple[LaneEvent, ...]:
        """Return the events that are certain by now; none may be empty of content."""
        onward: list[LaneEvent] = []
        for event in batch:
            match event:
                case TextDelta(text, _):
                    onward += self._feed((TextDelta, 0), text, TextDelta, in_json=self._json_answer)
                case ReasoningDelta(text):
                    onward += self._feed((ReasoningDelta, 0), text, ReasoningDelta, in_json=False)
                case Refusal(text):
                    onward += self._feed((Refusal, 0), text, Refusal, in_json=False)
                case ToolCallDelta():
                    onward += self._call(event)
                case Stop():
                    onward += (*self._rest(), event)
                case Usage() | Departed() | Embedding() | Continued():
                    onward.append(event)
        return tuple(onward)

    def _call(self, event: ToolCallDelta) -> list[LaneEvent]:
        """A call's first piece goes on at once, also when its arguments wait: it says who is called."""
        index = event.index
        later = self._feed(
            (ToolCallDelta, index), event.arguments, lambda text: ToolCallDelta(index, text), in_json=True
        )
        if event.id is None and event.name is None:
            return later
        arguments = "".join(piece.arguments for piece in later if isinstance(piece, ToolCallDelta))
        return [replace(event, arguments=arguments)]

    def _feed(
        self, channel: _Channel, text: str, event_of: Callable[[str], LaneEvent], *, in_json: bool
    ) -> list[LaneEvent]:
        if channel not in self._running:
            self._running[channel] = Restorer(self._placeholders, in_json=in_json), event_of
        certain = self._running[channel][0].feed(text)
        return [event_of(certain)] if certain else []

    def _rest(self) -> list[LaneEvent]:
        return [event_of(rest) for restorer, event_of in self._running.values() if (rest := restorer.end())]
