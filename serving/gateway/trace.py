"""What is known of one request on its way: its ID, how it opens, and what it has answered so far."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from router.bundle.files.demands import less_kept
from router.contract import Chunk, Decision, Keep, Label
from router.labels import join
from router.lane import Embedding, LaneEvent, Refusal, TextDelta, ToolCallDelta
from router.ports import Clock
from serving.people.parked import Ticket

Ended = Literal[
    "answered", "decided", "refused", "approval", "clarify", "escalated", "denied", "failed", "cancelled", "bad_request"
]


@dataclass(frozen=True, slots=True)
class Opening:
    """What is known before the first content: goes into the answer's headers.

    `context` are the passages that the answer may cite. `ticket`: the request waits for people (HTTP 202).
    """

    trace_id: str
    decision: Decision
    lane: str | None
    model: str | None
    context: tuple[Chunk, ...] = ()
    ticket: Ticket | None = None


@dataclass(slots=True)
class Trace:
    """One request on its way through. `later`: what was found of its label since the decision that it began with.

    `keep`: the least that any decision since lets be kept of it.
    """

    trace_id: str
    started: float
    lane: str | None = None
    model: str | None = None
    answer: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    decision: Decision | None = None
    session_label: Label = field(default_factory=Label)
    later: Label = field(default_factory=Label)
    keep: Keep | None = None
    key: str = ""
    finished: bool = False

    @classmethod
    def begin(cls, clock: Clock) -> "Trace":
        """Start a trace. Its ID is minted here, never taken from a caller."""
        return cls(secrets.token_hex(16), clock.monotonic())

    def label_of(self, decision: Decision) -> Label:
        """The label of everything that is known of the request by now."""
        return join(decision.label, self.later)

    def keep_of(self, decision: Decision) -> Keep:
        """What may be kept of the request by everything that is known of it by now."""
        return less_kept(decision.keep, self.keep) or decision.keep

    def hash_in(self, batch: Iterable[LaneEvent]) -> None:
        """Take what of a batch is the answer into its hash."""
        for event in batch:
            match event:
                case TextDelta(text, _) | Refusal(text):
                    self.answer.update(text.encode())
                case ToolCallDelta():
                    self.answer.update(event.arguments.encode())
                case Embedding(_, numbers):
                    self.answer.update(numbers)
                case _:
                    pass
