"""By what is a request decided here? The bundle it runs under, the state of now, and for what leaves the bundle in force as well."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from router.bundle import Bundle
from router.contract import Decision, RouteRequest
from router.decide import decide, leave_by_both, leave_nothing
from router.errors import BudgetExhausted, RouterError, StateUnavailable
from router.ports import Purse, RedactionMaps
from router.redact import Scan, scan_with
from router.scan import scan_text
from router.state import State
from serving.keeper import KeeperClient
from serving.sessions import hash_of

log = logging.getLogger(__name__)

_LONG_TEXT: Final = 50_000
"""Characters above which a decision leaves the event loop: it would hold up everyone else's tokens."""


class Newest(Protocol):
    """The bundle in force: `serving.change.in_force.InForce`."""

    @property
    def bundle_hash(self) -> str:
        """Its hash. Raises a `RouterError` when that can't be told."""
        ...

    async def now(self) -> Bundle:
        """Return it. Raises a `RouterError` when it can't be read."""
        ...


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision, the state it was made by, and how long it took."""

    decision: Decision
    state: State
    microseconds: int


@dataclass(frozen=True, slots=True)
class Planner:
    """Makes decisions under one version of the bundle.

    `lanes_off` says which lanes can't be used now. `newest` is the bundle in force, by which what leaves is judged as well (None: this one,
    always). `purse` holds the tenants' budgets. `salt` is for the hashes that a session's messages are known by.
    """

    bundle: Bundle
    lanes_off: Callable[[], dict[str, str]]
    keeper: KeeperClient
    salt: bytes
    maps: RedactionMaps
    newest: Newest | None = None
    purse: Purse | None = None

    async def decide(self, request: RouteRequest) -> Decided:
        """Decide a request that has just come in."""
        state, scan = await self._known(request)
        began = time.perf_counter_ns()
        decision = await _decide(request, self.bundle, state, scan)
        return Decided(decision, state, (time.perf_counter_ns() - began) // 1000)

    async def decide_again(self, request: RouteRequest, since: dict[str, object]) -> Decided:
        """Decide a request anew by the state of now and by what is known `since` (fields of `State`)."""
        began = time.perf_counter_ns()
        known, scan = await self._known(request)
        state = known.model_copy(update=since)
        decision = await _decide(request, self.bundle, state, scan)
        if self.superseded(decision):
            decision = await self._by_the_newest(decision, request, state, scan)
        return Decided(decision, state, (time.perf_counter_ns() - began) // 1000)

    def when_again(self, refusal: RouterError, org: str) -> RouterError:
        """Return the refusal, and with a budget that is used up the time until the tenant's day ends."""
        if isinstance(refusal, BudgetExhausted) and self.purse is not None:
            refusal.retry_after_seconds = self.purse.seconds_left(org)
        return refusal

    def superseded(self, decision: Decision) -> bool:
        """Whether another bundle is in force than this decision was made by, or nobody can tell."""
        if self.newest is None:
            return False
        try:
            return decision.bundle_hash != self.newest.bundle_hash
        except RouterError:
            return True

    async def _by_the_newest(self, own: Decision, request: RouteRequest, state: State, scan: Scan) -> Decision:
        """Return the plan with the exits that the bundle in force holds as well; with none where that can't be told."""
        assert self.newest is not None, "INVARIANT: only a newest bundle supersedes"
        try:
            newest = await self.newest.now()
            decision = await _decide(request, newest, state, scan)
        except RouterError as error:
            log.warning("nothing leaves under the bundle in force: %s", error)
            return leave_nothing(own, self.bundle.lanes)
        return leave_by_both(own, decision, self.bundle.lanes, newest.lanes)

    async def _known(self, request: RouteRequest) -> tuple[State, Scan]:
        """What a decision reads beside request and bundle: the state of now, and a scan that knows the session's placeholders."""
        state = await self._state(request)
        if request.session is None or not any(lane.redact for lane in self.bundle.lanes.values()):
            return state, scan_text
        try:
            return state, scan_with(await self.maps.recall(request.org, request.session), scan_text)
        except StateUnavailable:
            return state.model_copy(update={"session_unknown": True}), scan_text

    async def _state(self, request: RouteRequest) -> State:
        now = State(lanes_off=self.lanes_off(), usd_left=self.purse.usd_left(request.org) if self.purse else None)
        if request.session is None:
            return now
        hashes = [hash_of(message, self.salt) for message in request.messages]
        known = await self.keeper.recall_session(request.org, request.session, hashes)
        if known is None:
            return now.model_copy(update={"session_unknown": True})
        return now.model_copy(
            update={
                "session_label": known.label,
                "session_turns": known.turns,
                "known_spans": known.recognised(hashes),
            }
        )


async def _decide(request: RouteRequest, bundle: Bundle, state: State, scan: Scan) -> Decision:
    if sum(len(message.text) for message in request.messages) > _LONG_TEXT:
        return await asyncio.to_thread(decide, request, bundle, state, scan=scan)
    return decide(request, bundle, state, scan=scan)
