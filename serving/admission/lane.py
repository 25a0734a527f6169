"""How does a call come to a private lane that is full? By its gate: `router.lane.Lane` over another one."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from router.contract import Waited
from router.lane import Lane, LaneCall, LaneEvent, Stop
from router.ports import EvidenceLog
from router.queueing import Entry
from serving.admission.gate import Ask, Gate
from serving.admission.standing import Standings, cost_of
from serving.api import metrics

_PATIENCE: Final = 0.8
"""The share of its time to the first token that a call may wait for a place: the rest is the engine's."""
_NOTICED_SECONDS: Final = 0.001


def out(call: LaneCall) -> bool:
    """Tell whether a call may leave instead: the way round a private lane."""
    return call.may_leave


def onward(call: LaneCall) -> bool:
    """Tell whether any lane is left in the call's plan: the way round a lane with a limit of its own."""
    return call.goes_on


class AdmittedLane:
    """A lane whose calls go by a gate. Lanes of one model share it."""

    def __init__(
        self,
        lane: Lane,
        gate: Gate,
        standings: Standings,
        evidence: EvidenceLog,
        monotonic: Callable[[], float],
        way_round: Callable[[LaneCall], bool] = out,
    ) -> None:
        """Take the lane behind the gate. `way_round` tells which calls do not wait for a place."""
        self._lane, self._gate, self._standings = lane, gate, standings
        self._evidence, self._monotonic, self._way_round = evidence, monotonic, way_round

    async def stream(self, call: LaneCall) -> AsyncGenerator[tuple[LaneEvent, ...], None]:
        """Answer a call once it has a place. Raises `LaneSaturated` where it gets none, and what the lane raises."""
        ask = self._ask(call)
        waited = await self._enter(ask, call)
        since, answered = self._monotonic(), False
        left = replace(
            call,
            deadline_seconds=call.deadline_seconds - waited,
            first_token_seconds=call.first_token_seconds - waited,
        )
        try:
            async with aclosing(self._lane.stream(left)) as batches:  # type: ignore[type-var]
                async for batch in batches:
                    answered = answered or any(isinstance(event, Stop) for event in batch)
                    yield batch
        finally:
            self._gate.leave(ask.entry, held_seconds=self._monotonic() - since if answered else None)

    async def _enter(self, ask: Ask, call: LaneCall) -> float:
        """Wait for a place; what was waited is recorded, also where it was in vain."""
        began, waited, because = self._monotonic(), 0.0, "its engines were full; it has a place now"
        try:
            waited = await self._gate.enter(ask)
        except BaseException as error:
            waited = self._monotonic() - began
            because = str(error) or "the caller went away"
            raise
        else:
            return waited
        finally:
            if waited > _NOTICED_SECONDS:
                metrics.queue_seconds.labels(call.lane).observe(waited)
            if waited > _NOTICED_SECONDS and call.org:  # The system's own calls belong to no request.
                self._evidence.append(call.trace_id, Waited(lane=call.lane, seconds=waited, because=because))

    def _ask(self, call: LaneCall) -> Ask:
        standing, now = self._standings.of(call), self._monotonic()
        entry = Entry(
            tenant=call.org,
            urgency=standing.urgency,
            weight=standing.weight,
            cost=cost_of(call),
            since=now,
            until=now + _PATIENCE * min(call.first_token_seconds, call.deadline_seconds),
        )
        return Ask(call.lane, standing.priority, entry, way_round=self._way_round(call))
