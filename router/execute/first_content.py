"""When did the caller get the first of an answer, and what did its stream rule cost? Once for each request, for its record.

What is held back on purpose and what the lane took to speak are told apart: both times are counted from when the request came in.
"""

from typing import Final

from router.contract import Decision, Released
from router.execute.run import Batch, Climbed, Run
from router.lane import Embedding, LaneEvent, ReasoningDelta, Refusal, TextDelta, ToolCallDelta

_MS: Final = 1000.0


class FirstContent:
    """Waits for the first piece of content that goes out, and records it."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._climbed: Climbed | None = None
        self._told = False

    def note(self, step: Batch | Climbed, decision: Decision) -> None:
        """Take what goes out now. What a person must see first does not: whoever settles it lets it go."""
        if self._told or decision.review:
            return
        if isinstance(step, Climbed):
            self._climbed = step
        elif any(map(_is_content, step)):
            self._told = True
            self._record(decision)

    def _record(self, decision: Decision) -> None:
        run, climbed = self._run, self._climbed
        if climbed is None or climbed.rule is None or climbed.spoke_at is None:
            return
        rule = climbed.rule
        released = Released(
            attempt=climbed.attempt,
            lane=climbed.rung.lane,
            risk_tier=decision.risk_tier,
            release=rule.release,
            window_tokens=rule.window_tokens if rule.release == "window" else None,
            streamed=run.request.stream,
            lane_ms=round((climbed.spoke_at - run.began) * _MS, 3),
            first_content_ms=round((run.clock.monotonic() - run.began) * _MS, 3),
        )
        run.evidence.append(run.trace_id, released)


def _is_content(event: LaneEvent) -> bool:
    match event:
        case TextDelta(text) | ReasoningDelta(text) | Refusal(text):
            return bool(text)
        case ToolCallDelta() | Embedding():
            return True
        case _:
            return False
