"""Which of what a lane said may go out now? What was sent can't be recalled, so each piece waits as long as the plan's stream rule says.

`live`: at once, looked at in passing and at its end. `window`: so many tokens later, so that a look can still stop it. `hold`: when the
whole answer has been looked at.
"""

from collections import deque
from typing import Final, Protocol

from router.bundle import Bundle
from router.checks import Amended, AnswerWatch, CheckResult, Passed, Withheld
from router.contract import Decision, RouteRequest, StreamRule
from router.execute.run import Batch
from router.lane import LaneEvent, ReasoningDelta, Refusal, Stop, TextDelta, ToolCallDelta

_TOKEN_CHARACTERS: Final = 4
"""English runs at four to five characters a token; text of fewer a token is held back a little longer."""
_HOLD: Final = StreamRule(release="hold")


def stream_rule(decision: Decision, *, hold: bool) -> StreamRule:
    """Return the rule that holds: the plan's, or `hold` for an answer that goes out whole, or whose end may change its beginning.

    INVARIANT: restricted output, and what a person must see, is never sent piece by piece, whatever a bundle says.
    """
    rewritten = decision.disclaimer is not None and decision.output_contract.type == "json"
    if hold or decision.review or decision.label.level == "restricted" or rewritten:
        return _HOLD
    return decision.stream


class Watch(Protocol):
    """Looks at a text while it comes: `router.checks.AnswerWatch`."""

    cleared: int

    def feed(self, text: str) -> Withheld | Passed:
        """Take the next piece."""
        ...

    def finish(self) -> CheckResult:
        """Tell of the whole."""
        ...


def watches(decision: Decision, request: RouteRequest, bundle: Bundle) -> tuple[Watch, Watch] | None:
    """Return who looks at the answer, and who at what comes beside it; None where the plan has nothing to look for."""
    if not decision.checks and decision.disclaimer is None:
        return None
    return AnswerWatch(decision, request, bundle), AnswerWatch(decision, request, bundle)


class Outlet:
    """What one attempt said and has not sent yet. `begun` is what the caller has already, of an answer that is gone on with.

    `spoke_at`: when the lane's first token came, on the clock; None until then.
    Each method raises `Stopped` as soon as a look speaks against what has come.
    """

    def __init__(self, rule: StreamRule, watched: tuple[Watch, Watch] | None, begun: str = "") -> None:
        self._rule = rule
        self._watch: Watch | None = watched[0] if watched else None
        self._beside: Watch | None = watched[1] if watched else None
        self._queue: deque[LaneEvent] = deque()
        self._sent, self._length = len(begun), 0
        self._text: list[str] = []
        self.opened = bool(begun)
        self.spoke_at: float | None = None
        self._plain = True
        self.result: CheckResult | None = None
        self._feed(TextDelta(begun))

    @property
    def text(self) -> str:
        """What of the answer's text the caller has."""
        return "".join(self._text)[: self._sent]

    @property
    def begun(self) -> str:
        """What another lane could go on with: the text that the caller has, where it is all that the answer is made of."""
        return self.text if self._plain else ""

    def take(self, events: Batch, *, may_open: bool) -> Batch:
        """Return what may go out now that these have come; nothing before the first content: another lane may still take its place."""
        self._add(events)
        if self._rule.release == "hold" or not (self.opened or may_open):
            return ()
        limit = self._length
        if self._rule.release == "window":
            limit -= self._rule.window_tokens * _TOKEN_CHARACTERS
            if self._watch is not None:
                limit = min(limit, self._watch.cleared)
        return self._out(limit)

    def end(self, events: Batch) -> Batch:
        """Return all that is left, as the last look leaves it; these are the last events, with the `Stop`."""
        self._add(events)
        stop = events[-1]
        if self._watch is None or self._beside is None:
            return self._out(self._length)
        beside, self.result = self._beside.finish(), self._watch.finish()
        for one in (beside, self.result):
            if isinstance(one, Withheld):
                raise Stopped(one)
        if isinstance(self.result, Amended) and self._answers(stop):
            self._amend(self.result.text)
        elif isinstance(self.result, Amended):
            self.result = Passed()
        return self._out(self._length)

    def _answers(self, stop: LaneEvent) -> bool:
        """Whether this is an answer that something can be added to: no refusal, no call of a tool."""
        return isinstance(stop, Stop) and stop.reason != "tool_calls" and bool("".join(self._text).strip())

    def _add(self, events: Batch) -> None:
        self._queue.extend(events)
        for event in events:
            self._feed(event)

    def _feed(self, event: LaneEvent) -> None:
        match event:
            case TextDelta(text):
                self._text.append(text)
                self._length += len(text)
                seen = self._watch.feed(text) if self._watch is not None else None
            case ReasoningDelta(text) | Refusal(text) | ToolCallDelta(arguments=text):
                self._plain = self._plain and isinstance(event, ReasoningDelta)
                seen = self._beside.feed(text) if self._beside is not None else None
            case _:
                return
        if isinstance(seen, Withheld):
            raise Stopped(seen)

    def _amend(self, text: str) -> None:
        """Put the amended text in the place of what has not been sent; what has been is its beginning."""
        sent = self.text.rstrip()
        whole = "".join(self._text).rstrip()
        if text.startswith(whole):
            added = TextDelta(text[len(whole) :])
            at = next((i for i, one in enumerate(self._queue) if isinstance(one, Stop)), len(self._queue))
            last = max((i + 1 for i, one in enumerate(self._queue) if isinstance(one, TextDelta)), default=0)
            self._queue.insert(min(last, at), added)
            self._text.append(added.text)
        else:
            assert not sent, "INVARIANT: what is rewritten from its beginning was held"
            others = [event for event in self._queue if not isinstance(event, TextDelta)]
            self._queue = deque((TextDelta(text), *others))
            self._text = [text]
        self._length = sum(map(len, self._text))

    def _out(self, limit: int) -> Batch:
        """Take from the queue's front what stands before this many characters of the text."""
        ready: list[LaneEvent] = []
        while self._queue:
            event = self._queue[0]
            if isinstance(event, TextDelta) and self._sent + len(event.text) > limit:
                left = limit - self._sent
                if left > 0 and event.logprobs is None:
                    ready.append(TextDelta(event.text[:left]))
                    self._queue[0] = TextDelta(event.text[left:])
                    self._sent += left
                break
            ready.append(self._queue.popleft())
            self._sent += len(event.text) if isinstance(event, TextDelta) else 0
        self.opened = self.opened or bool(ready)
        return tuple(ready)


class Stopped(Exception):
    """A look at the answer stops it here: nothing more of it goes out."""

    def __init__(self, withheld: Withheld) -> None:
        super().__init__(withheld.because)
        self.withheld = withheld
