"""What follows from the bundle in force? A door's rules, an ingress's second opinion: made anew when another bundle comes into force.

Whoever is about to send something waits for it. What can't be made (the kept version is damaged, this program can't read it) raises, and
then nothing leaves.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from router.bundle import Bundle, load_bundle
from router.errors import RouterError
from serving.change.errors import StoreDamaged
from serving.change.store import Store
from serving.change.watch import Watch
from serving.settings import Settings

_Made = TypeVar("_Made")
_TRY_AGAIN_SECONDS: Final = 10.0


class InForce(Generic[_Made]):
    """What `make` makes of the bundle in force. Where none was ever applied, that is the one that the program was started with."""

    def __init__(self, settings: Settings, own: Bundle, make: Callable[[Bundle], _Made]) -> None:
        """Take the bundle that the program was started with: what follows from it is made at once."""
        self._watch = Watch(settings.changes_file, settings.approvers)
        self._store = Store(settings.bundles)
        self._own, self._make = own.hash, make
        self._made = (own.hash, make(own))
        self._failed: tuple[str, float, RouterError] | None = None
        self._one_at_a_time = asyncio.Lock()

    @property
    def bundle_hash(self) -> str:
        """The hash of the bundle in force, now. Raises `HistoryBroken`."""
        return self._watch.in_force or self._own

    @property
    def last(self) -> _Made:
        """What was made last; another bundle may be in force by now."""
        return self._made[1]

    async def now(self) -> _Made:
        """Return what follows from the bundle in force. Raises `HistoryBroken`, `StoreDamaged` or `BundleInvalid`."""
        async with self._one_at_a_time:
            wanted = self.bundle_hash
            if wanted != self._made[0]:
                self._made = wanted, await asyncio.to_thread(self._make_anew, wanted)
            return self._made[1]

    def _make_anew(self, wanted: str) -> _Made:
        """Load and make; what failed a moment ago fails again at once, so that many senders do not load the same in turn."""
        if self._failed is not None and self._failed[0] == wanted and time.monotonic() < self._failed[1]:
            raise self._failed[2]
        try:
            bundle = load_bundle(self._store.verify(wanted))
            if bundle.hash != wanted:
                raise StoreDamaged(f"{bundle.root} changed while it was read")
            return self._make(bundle)
        except RouterError as error:
            self._failed = (wanted, time.monotonic() + _TRY_AGAIN_SECONDS, error)
            raise
