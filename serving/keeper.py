"""Who owns the state that decisions read? One keeper: a Serve deployment with exactly one replica, over one SQLite file.

Ingress replicas ask it; none keeps state of its own. What the keeper can't say is unknown, and unknown closes:
an unreachable keeper means restricted for a request that names a session, and no hosted lane for any.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any, Final, Protocol

from router.contract import Frozen
from router.errors import LaneUnreachable
from router.redact import Placeholders, PlaceholderTaken
from serving.budgets.accounts import BudgetAccounts
from serving.budgets.wire import ASK as BUDGET_ASK
from serving.budgets.wire import Reserve, Settle
from serving.door.wire import DoorStatus
from serving.hosted import door_client_of, door_status
from serving.people.moments import this_moment
from serving.people.owner import PeopleOwner
from serving.people.wire import ASK as PEOPLE_ASK
from serving.redaction_maps import RedactionMaps
from serving.sessions import Remembered, Seen, Sessions
from serving.settings import Settings

log = logging.getLogger(__name__)

_POLL_SECONDS: Final = 1.0
_STALE_SECONDS: Final = 5.0
_ASK_SECONDS: Final = 2.0


class Keeper:
    """The owner: answers what is known of sessions and lanes. Deployed with one replica (see `serving.app`). It knows no bundle."""

    def __init__(self, settings: Settings) -> None:
        self._door = door_client_of(settings)
        self._sessions = Sessions(settings.state_file, time.time)
        self._maps = RedactionMaps(settings.state_file, settings.redaction_key_file, time.time)
        self._people = PeopleOwner(settings.state_file, settings.people_key_file, this_moment)
        self._budgets = BudgetAccounts(settings.state_file, time.time)

    async def recall_session(self, org: str, session: str, spans: list[str]) -> str:
        """Return what a session knows, and of these messages in particular, as JSON."""
        return self._sessions.recall(org, session, spans).model_dump_json()

    async def keep_session(self, org: str, session: str, seen: str) -> None:
        """Join what was seen (`Seen` as JSON) into a session."""
        self._sessions.keep(org, session, Seen.model_validate_json(seen))

    async def recall_placeholders(self, org: str, session: str) -> bytes:
        """Return a session's placeholders as JSON."""
        return self._maps.recall(org, session).to_json()

    async def keep_placeholders(self, org: str, session: str, placeholders: bytes) -> bool:
        """Add placeholders (JSON) to a session's; False when one of them was given away meanwhile."""
        try:
            self._maps.keep(org, session, Placeholders.from_json(placeholders))
        except PlaceholderTaken:
            return False
        return True

    async def people(self, ask: str) -> str:
        """Answer about approvals and waiting requests (`serving.people.wire`, as JSON)."""
        return self._people.answer(PEOPLE_ASK.validate_json(ask)).model_dump_json()

    async def budget(self, ask: str) -> str:
        """Reserve or settle (`serving.budgets.wire`, as JSON)."""
        match BUDGET_ASK.validate_json(ask):
            case Reserve() as reserve:
                return self._budgets.reserve(reserve).model_dump_json()
            case Settle() as settle:
                return self._budgets.settle(settle).model_dump_json()

    async def door(self) -> str:
        """Return what the door says of itself (`DoorSeen` as JSON). Asked every second, it also purges what has expired."""
        self._maps.purge()
        self._people.purge()
        self._budgets.purge()
        try:
            seen = DoorSeen(status=await door_status(self._door))
        except LaneUnreachable as error:
            seen = DoorSeen(because=error.because)
        return seen.model_dump_json()


class DoorSeen(Frozen):
    """The door's word, or why there is none."""

    status: DoorStatus | None = None
    because: str = ""

    def closes(self, hosted: Iterable[str], bundle_hashes: Collection[str]) -> dict[str, str]:
        """Return which of these lanes can't be used through this door under one of these versions, each with the reason."""
        if self.status is None:
            return dict.fromkeys(hosted, self.because)
        if self.status.bundle_hash not in bundle_hashes:
            return dict.fromkeys(hosted, "the door holds another version of the bundle")
        seen = {name: self.status.lanes.get(name) for name in hosted}
        return {
            name: lane.because if lane else "unknown at the door"
            for name, lane in seen.items()
            if not (lane and lane.on)
        }


_UNSEEN: Final = DoorSeen(because="the state's owner does not answer")


class KeeperHandle(Protocol):
    """What the client needs of a Ray Serve handle."""

    def __getattr__(self, name: str) -> Any: ...


class KeeperClient:
    """An ingress replica's view of the state: the door by a snapshot refreshed every second, sessions by asking the keeper."""

    def __init__(self, handle: KeeperHandle, monotonic: Callable[[], float]) -> None:
        """Take the keeper's `handle` and a clock."""
        self._handle = handle
        self._monotonic = monotonic
        self._door = _UNSEEN
        self._seen_at: float | None = None

    @property
    def door(self) -> DoorSeen:
        """What the door said a moment ago; nothing while the keeper has not answered for five seconds."""
        stale = self._seen_at is None or self._monotonic() - self._seen_at > _STALE_SECONDS
        return _UNSEEN if stale else self._door

    async def refresh_forever(self) -> None:
        """Keep the snapshot fresh. Any failure leaves it to go stale, which closes the hosted lanes."""
        while True:
            try:
                self._door = DoorSeen.model_validate_json(await _within(self._handle.door.remote()))
                self._seen_at = self._monotonic()
            except Exception as error:  # noqa: BLE001 - whatever the keeper's trouble is, stale means closed
                log.warning("the keeper does not answer: %s", type(error).__name__)
            await asyncio.sleep(_POLL_SECONDS)

    async def recall_session(self, org: str, session: str, spans: list[str]) -> Remembered | None:
        """Return what a session knows; None when the keeper does not answer: then the request must be taken as restricted."""
        try:
            return Remembered.model_validate_json(
                await _within(self._handle.recall_session.remote(org, session, spans))
            )
        except Exception as error:  # noqa: BLE001 - unknown is an answer here, and closes
            log.warning("the keeper does not answer: %s", type(error).__name__)
            return None

    async def keep_session(self, org: str, session: str, seen: Seen) -> bool:
        """Join what was seen into a session; False when the keeper did not confirm it."""
        try:
            await _within(self._handle.keep_session.remote(org, session, seen.model_dump_json()))
        except Exception as error:  # noqa: BLE001 - the caller decides what an unconfirmed raise means
            log.warning("the keeper does not answer: %s", type(error).__name__)
            return False
        return True


async def _within(answer: Awaitable[Any]) -> Any:
    async with asyncio.timeout(_ASK_SECONDS):
        return await answer
