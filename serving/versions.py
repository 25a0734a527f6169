"""Which version of the bundle does this ingress replica serve? The one in service, taken up while it runs.

It looks each second. A new version is loaded beside the one it holds, in a thread, and taken up by one assignment: requests that were
accepted go on under theirs. One that does not load is refused, and the old one goes on.
"""

import asyncio
import gc
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from models.spec import ModelSpec
from router.errors import RouterError
from serving.api.routes import Version
from serving.in_service import Holding, InService

log = logging.getLogger(__name__)

_LOOK_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Held:
    in_service: InService
    version: Version


class Versions:
    """What one replica holds: the version that new requests run under, and older ones until their last request has ended."""

    def __init__(
        self,
        look: Callable[[], InService],
        load: Callable[[InService], Version],
        tell: Callable[[Holding], None] = lambda _: None,
    ) -> None:
        """Take up what `look` returns; `tell` hands on what this replica holds, each second.

        Raises what `look` and `load` raise: a replica that has no version must not start.
        """
        self._look, self._load, self._tell = look, load, tell
        first = look()
        self._now = _Held(first, load(first))
        self._before: list[_Held] = []
        self._refused: dict[str, str] = {}

    @property
    def current(self) -> Version:
        """What a request that comes in now runs under."""
        return self._now.version

    @property
    def in_service(self) -> InService:
        """Which version that is."""
        return self._now.in_service

    @property
    def models(self) -> tuple[ModelSpec, ...]:
        """The private models of every version that this replica holds."""
        held = (self._now, *self._before)
        return tuple(spec for one in held for spec in one.version.gateway.bundle.models.values())

    @property
    def holding(self) -> Holding:
        """What this replica serves, and what it still has requests open under."""
        self._before = [held for held in self._before if not held.version.gateway.is_idle]
        return Holding(
            serves=self._now.in_service.name,
            open=tuple(held.in_service.name for held in self._before),
            refused=dict(self._refused),
        )

    async def follow_forever(self) -> None:
        """Look each second, take up what has changed, and say what is held."""
        while True:
            await self.follow()
            try:
                await asyncio.to_thread(self._tell, self.holding)
            except OSError as error:
                log.warning("what this replica holds can't be written down: %s", error)
            await asyncio.sleep(_LOOK_SECONDS)

    async def follow(self) -> None:
        """Look once. Whatever is wrong with another version, this one goes on."""
        try:
            wanted = self._look()
        except RouterError as error:
            log.warning("%s", error)
            return
        if wanted == self._now.in_service or wanted.name in self._refused:
            return
        try:
            version = await asyncio.to_thread(self._load, wanted)
        except Exception as error:  # noqa: BLE001 - a version that can't be loaded, for whatever reason, ends nothing
            log.warning("bundle %s is refused: %s", wanted.bundle_hash[:12], error)
            self._refused[wanted.name] = str(error) if isinstance(error, RouterError) else type(error).__name__
            return
        self._before.append(self._now)
        self._now = _Held(wanted, version)
        gc.freeze()  # As at the start (`serving.app`): the collector need not walk a bundle in the middle of a decision.
