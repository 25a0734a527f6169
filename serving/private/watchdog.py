"""Does the engine still move? One that hangs is told from one that is busy by what it does, never by how long a request takes.

vLLM's own health check sees a dead engine, not a silent one. Here an engine with requests open shows life by anything that its
scheduler counts (a chunk of a prompt, a token, a preemption), an idle one by answering a question. One long step, a prompt of
thousands of tokens on a CPU, is silence too, so the limit follows the longest that this engine has come back from.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from serving.private.vitals import Vitals

LOOK_SECONDS: Final = 1.0
"""Time between two looks."""
_LOOKS_A_QUESTION: Final = 5
"""An idle engine is asked something at every fifth look."""
_TIMES_THE_LONGEST: Final = 5
_TIMES_THE_FLOOR: Final = 4


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at an engine shows. `at_seconds` never goes back; `answers` counts the questions that the engine has answered."""

    at_seconds: float
    open_requests: int
    vitals: Vitals
    answers: int


class StallClock:
    """How long has the engine shown no sign of life, and is that too long? Fed with a look every `look_seconds`."""

    def __init__(self, floor_seconds: float, look_seconds: float = LOOK_SECONDS) -> None:
        self._floor = floor_seconds
        self.look_seconds = look_seconds
        self._last: Look | None = None
        self._longest = 0.0
        self.silent_seconds = 0.0

    @property
    def limit_seconds(self) -> float:
        """Silence beyond this is a hang: five times the longest step so far, within one and four times the floor."""
        return min(max(self._floor, _TIMES_THE_LONGEST * self._longest), _TIMES_THE_FLOOR * self._floor)

    def look(self, look: Look) -> str | None:
        """Take a look in; return why the engine counts as hung, or None."""
        before, self._last = self._last, look
        if before is None:
            return None
        # A gap between looks is our own absence (a suspended machine, a starved process): it proves nothing about the engine.
        self.silent_seconds += min(look.at_seconds - before.at_seconds, 2 * self.look_seconds)
        if _is_alive(before, look):
            if before.open_requests:
                self._longest = max(self._longest, self.silent_seconds)
            self.silent_seconds = 0.0
            return None
        if self.silent_seconds <= self.limit_seconds:
            return None
        doing = f"{look.open_requests} requests open" if look.open_requests else "a question unanswered"
        return f"no sign of life for {self.silent_seconds:.0f} s with {doing} (limit {self.limit_seconds:.0f} s)"


def _is_alive(before: Look, now: Look) -> bool:
    """Whether the engine did something in between. An answer is no progress while there are requests that it does not serve."""
    return now.vitals != before.vitals or (not now.open_requests and now.answers != before.answers)


class Watched(Protocol):
    """What the watchdog sees of an engine."""

    @property
    def dead(self) -> bool:
        """Whether its process is gone."""
        ...

    @property
    def running(self) -> int:
        """Requests that it has open."""
        ...

    @property
    def vitals(self) -> Vitals:
        """What it has done so far."""
        ...

    async def answer_a_question(self) -> None:
        """Return once the engine has answered something that costs it nothing."""
        ...


async def watch(
    engine: Watched, clock: StallClock, monotonic: Callable[[], float], after_look: Callable[[], None] = lambda: None
) -> str:
    """Watch until the engine is dead or hangs; return which, in words. Nothing is asked of an engine that has work."""
    answers, asked_at = 0, monotonic()
    question: asyncio.Task[None] | None = None
    try:
        while True:
            await asyncio.sleep(clock.look_seconds)
            now = monotonic()
            if engine.dead:
                return "its process ended"
            if question is not None and question.done():
                answers += question.exception() is None
                question = None
            if question is None and not engine.running and now - asked_at >= _LOOKS_A_QUESTION * clock.look_seconds:
                question, asked_at = asyncio.create_task(engine.answer_a_question()), now
            if because := clock.look(Look(now, engine.running, engine.vitals, answers)):
                return because
            after_look()
    finally:
        if question is not None:
            question.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await question
