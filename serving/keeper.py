"""Who owns the state that decisions read? One keeper: a Serve deployment with exactly one replica, over one SQLite file.

Ingress replicas ask it; none keeps state of its own. What the keeper can't say is unknown, and unknown closes:
an unreachable keeper means restricted for a request that names a session, and no hosted lane for any.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from router.bundle import load_bundle
from router.errors import LaneUnreachable
from router.redact import Placeholders, PlaceholderTaken
from serving.hosted import door_client_of, door_status
from serving.redaction_maps import RedactionMaps
from serving.sessions import Remembered, Seen, Sessions
from serving.settings import Settings

log = logging.getLogger(__name__)

_POLL_SECONDS: Final = 1.0
_STALE_SECONDS: Final = 5.0
_ASK_SECONDS: Final = 2.0


class Keeper:
    """The owner: answers what is known of sessions and lanes. Deployed with one replica (see `serving.app`)."""

    def __init__(self, settings: Settings) -> None:
        bundle = load_bundle(settings.bundle)
        self._bundle_hash = bundle.hash
        self._hosted = tuple(name for name, lane in bundle.lanes.items() if lane.is_hosted)
        self._door = door_client_of(settings)
        self._sessions = Sessions(settings.state_file, time.time)
        self._maps = RedactionMaps(settings.state_file, settings.redaction_key_file, time.time)

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

    async def lanes_off(self) -> dict[str, str]:
        """Return the lanes that can't be used now, each with the reason. Asked every second, it also purges expired redaction maps."""
        self._maps.purge()
        if not self._hosted:
            return {}
        try:
            status = await door_status(self._door)
        except LaneUnreachable as error:
            return dict.fromkeys(self._hosted, error.because)
        if status.bundle_hash != self._bundle_hash:
            return dict.fromkeys(self._hosted, "the door holds another version of the bundle")
        seen = {name: status.lanes.get(name) for name in self._hosted}
        return {
            name: lane.because if lane else "unknown at the door"
            for name, lane in seen.items()
            if not (lane and lane.on)
        }


class KeeperHandle(Protocol):
    """What the client needs of a Ray Serve handle."""

    def __getattr__(self, name: str) -> Any: ...


class KeeperClient:
    """An ingress replica's view of the state: lanes by a snapshot refreshed every second, sessions by asking the keeper.

    What an operator switched off is read from the home folder each time, so that it holds at once and without the keeper.
    """

    def __init__(
        self,
        handle: KeeperHandle,
        hosted: tuple[str, ...],
        monotonic: Callable[[], float],
        switched_off: Callable[[], dict[str, str]],
    ) -> None:
        """Take the keeper's `handle`, the names of the `hosted` lanes, a clock, and `serving.lockout.lane_switches`."""
        self._handle = handle
        self._hosted = hosted
        self._monotonic = monotonic
        self._switched_off = switched_off
        self._lanes_off: dict[str, str] = {}
        self._seen_at: float | None = None

    @property
    def lanes_off(self) -> dict[str, str]:
        """The lanes not to be used now; all hosted ones while the keeper has not answered for five seconds."""
        known = self._lanes_off
        if self._seen_at is None or self._monotonic() - self._seen_at > _STALE_SECONDS:
            known = dict.fromkeys(self._hosted, "the state's owner does not answer")
        return known | self._switched_off()

    async def refresh_forever(self) -> None:
        """Keep the snapshot fresh. Any failure leaves it to go stale, which closes the hosted lanes."""
        while True:
            try:
                self._lanes_off = await _within(self._handle.lanes_off.remote())
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
