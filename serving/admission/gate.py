"""Is there a place for this call, now or in time? The entrance to one model's engines, one in each ingress replica.

A call with a way round takes a place while there are some to spare, and never one that somebody waits for. A call without one waits
its turn, no longer than it can, or is told at once that it would be too long.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from router.errors import LaneSaturated
from router.queueing import Entry, FairQueue, Pace
from serving.api import metrics

_SPARED: Final = 8
"""One place in so many is kept free of calls that have a way round: what has none should rarely wait for a place to be left."""
_UNKNOWN_WAIT_SECONDS: Final = 1.0
_LONGEST_RETRY_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Ask:
    """One call at the gate: for which lane, with which priority (for the metrics), as which entry, and whether it has a way round."""

    lane: str
    priority: str
    entry: Entry
    way_round: bool


class Gate:
    """`room` says how many calls may be in, given how many are; at most `most_waiting` wait."""

    def __init__(self, room: Callable[[int], int], most_waiting: int, monotonic: Callable[[], float]) -> None:
        self._room, self._monotonic = room, monotonic
        self._queue = FairQueue(most_waiting)
        self._turns: dict[Entry, asyncio.Future[None]] = {}
        self._pace = Pace()
        self._inside = 0

    @property
    def inside(self) -> int:
        """How many hold a place."""
        return self._inside

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return len(self._queue)

    async def enter(self, ask: Ask) -> float:
        """Return once the call holds a place (which `leave` gives back), with the seconds that it waited. Raises `LaneSaturated`."""
        if ask.way_round:
            self._enter_or_go_round(ask)
            return 0.0
        began = self._monotonic()
        seconds = self._seconds_before(ask.entry)
        if seconds is not None and began + seconds > ask.entry.until:
            raise self._shed(
                ask, "hopeless", f"a place is about {seconds:.0f} s away, longer than this request can wait"
            )
        away = self._queue.offer(ask.entry)
        if away is ask.entry:
            raise self._shed(ask, "full", f"{len(self._queue)} requests wait already")
        if away is not None and not self._turns[away].done():
            self._turns[away].set_exception(_Displaced())
        at_once = await self._turn(ask)
        return 0.0 if at_once else self._monotonic() - began

    def leave(self, entry: Entry, *, held_seconds: float | None) -> None:
        """Give a place back. `held_seconds`: how long an answered call had it; None for one that was not answered."""
        self._inside -= 1
        if held_seconds is not None:
            self._pace.note(held_seconds, entry.cost)
        self.look()

    def look(self) -> None:
        """Let in as many as there is room for; call it whenever the room may have changed."""
        while self._inside < self._room(self._inside) and (entry := self._queue.take(self._monotonic())):
            turn = self._turns[entry]
            if not turn.done():  # One that hung up a moment ago may not have left yet.
                self._inside += 1
                turn.set_result(None)

    def _enter_or_go_round(self, ask: Ask) -> None:
        room = self._room(self._inside)
        if len(self._queue) or self._inside >= room - room // _SPARED:
            metrics.spilled_total.labels(ask.lane).inc()
            because = f"saturated: {self._inside} requests under way, room for {room}, {len(self._queue)} waiting"
            raise LaneSaturated(ask.lane, because, self._retry_after(ask.entry))
        self._inside += 1

    async def _turn(self, ask: Ask) -> bool:
        """Wait for a place; tell whether one was free. Whoever goes (no time left, displaced, hung up) leaves nothing behind."""
        turn = self._turns[ask.entry] = asyncio.get_running_loop().create_future()
        depth = metrics.queue_depth.labels(ask.lane, ask.priority)
        depth.inc()
        try:
            self.look()
            at_once = turn.done()
            async with asyncio.timeout(ask.entry.until - self._monotonic()):
                await turn
            return at_once
        except BaseException as error:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave(ask.entry, held_seconds=None)  # It got its place at the very moment that it went.
            match error:
                case TimeoutError():
                    raise self._shed(ask, "late", "no place came free in time") from None
                case _Displaced():
                    raise self._shed(ask, "displaced", "the queue is full, and others have more claim to it") from None
                case _:
                    raise
        finally:
            depth.dec()
            self._queue.remove(ask.entry)
            del self._turns[ask.entry]

    def _shed(self, ask: Ask, reason: str, because: str) -> LaneSaturated:
        metrics.shed_total.labels(ask.lane, reason).inc()
        return LaneSaturated(ask.lane, because, self._retry_after(ask.entry))

    def _seconds_before(self, entry: Entry) -> float | None:
        """Return how long an entry would wait that came now; None where nothing is known of the pace."""
        room = self._room(self._inside)
        if self._inside < room and not len(self._queue):
            return 0.0
        # The one call more is what has to end before the first of them.
        return self._pace.seconds_for(self._queue.work_before(entry) + self._pace.cost, room)

    def _retry_after(self, entry: Entry) -> float:
        return min(self._seconds_before(entry) or _UNKNOWN_WAIT_SECONDS, _LONGEST_RETRY_SECONDS)


class _Displaced(Exception):
    """Another entry took this one's room in the queue."""
