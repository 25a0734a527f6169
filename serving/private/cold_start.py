"""A model has no replica: does a call wait for one to start, or is it told at once when to come back?

It waits where its own deadlines reach beyond the start. Either way the start goes on: whoever is told to come back finds it further on.
"""

from collections.abc import Callable
from typing import Final

from router.errors import LaneStarting
from router.lane import LaneCall

_UNMEASURED_START_SECONDS: Final = 120.0
"""Assumed where no profile says how long a replica takes to start."""


class ColdStart:
    """What one ingress replica knows of a model's way up from nothing.

    `start_seconds` is the measured time, where there is one. After `idle_seconds` without a call the model falls asleep again.
    """

    def __init__(self, start_seconds: float | None, idle_seconds: float, monotonic: Callable[[], float]) -> None:
        self._start_seconds = start_seconds or _UNMEASURED_START_SECONDS
        self._idle_seconds = idle_seconds
        self._monotonic = monotonic
        self._since: float | None = None
        self._asked = 0.0

    def admit(self, call: LaneCall, replicas: int | None) -> None:
        """Let a call go on, to a replica or to the queue for the first one. Raises `LaneStarting` where that would come too late for it."""
        if replicas != 0:
            self._since = None
            return
        now = self._monotonic()
        unseen = (
            now - self._asked > self._start_seconds + self._idle_seconds
        )  # It was up meanwhile, and has fallen asleep.
        if self._since is None or unseen:
            self._since = now
        self._asked = now
        left = max(self._start_seconds - (now - self._since), 1.0)
        patience = min(call.deadline_seconds, call.first_token_seconds)
        if patience < left:
            because = f"no replica is up; one is being started, and this request can wait {patience:.0f} s of the {left:.0f} that it takes"
            raise LaneStarting(call.lane, because, left)
