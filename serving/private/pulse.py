"""How is each engine of a model now, whatever node it is on? Each replica says so every second; whoever lets calls in reads all of them.

A handle reaches one replica, by chance; so they say it in the cluster's own key-value store (GCS). One that has said nothing new for five
seconds is not counted, and where the store can't be read nothing is known: then a model's settings alone say what it can take.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Final

from ray import serve
from ray.experimental import internal_kv

from router.contract import Frozen
from router.queueing import EngineLoad

log = logging.getLogger(__name__)

_NAMESPACE: Final = b"lane-pulse"
_BEAT_SECONDS: Final = 1.0
_STALE_SECONDS: Final = 5.0
_FORGOTTEN_SECONDS: Final = 60.0
"""A replica that is silent for so long is gone, and its word is taken out of the store."""


class Pulse(Frozen):
    """What a replica said at its beat number `beat`; fields as `EngineLoad`'s."""

    application: str
    beat: int
    open_requests: int
    running: int
    waiting: int
    kv_use: float

    @property
    def load(self) -> EngineLoad:
        """The engine's load."""
        return EngineLoad(self.open_requests, self.running, self.waiting, self.kv_use)


async def tell_forever(load: Callable[[], EngineLoad]) -> None:
    """Say every second how this replica's engine is. For replicas; never blocks their loop, and trouble with the store hurts nobody."""
    own = serve.get_replica_context()
    beat = 0
    while True:
        beat, now = beat + 1, load()
        pulse = Pulse(
            application=own.app_name,
            beat=beat,
            open_requests=now.open_requests,
            running=now.running,
            waiting=now.waiting,
            kv_use=now.kv_use,
        )
        try:
            await asyncio.to_thread(_put, own.replica_id.unique_id, pulse)
        except Exception as error:  # noqa: BLE001 - whatever the store's trouble is, the next beat tries again
            log.warning("the store took no pulse: %s", type(error).__name__)
        await asyncio.sleep(_BEAT_SECONDS)


class Pulses:
    """What an ingress replica last heard of all engines."""

    def __init__(
        self,
        monotonic: Callable[[], float],
        read: Callable[[], Mapping[str, Pulse]] | None = None,
        forget: Callable[[str], object] | None = None,
    ) -> None:
        """Take a clock; `read` and `forget` stand for the store in tests."""
        self._monotonic = monotonic
        self._read, self._forget = read or _read, forget or _forget
        self._heard: dict[str, tuple[Pulse, float]] = {}

    def of(self, application: str) -> tuple[EngineLoad, ...]:
        """Return the loads of an application's replicas; none where nothing is known of any."""
        now = self._monotonic()
        return tuple(
            pulse.load
            for pulse, at in self._heard.values()
            if pulse.application == application and now - at <= _STALE_SECONDS
        )

    async def refresh_forever(self, then: Callable[[], None]) -> None:
        """Read every second, and call `then` after each time."""
        while True:
            try:
                self.hear(await asyncio.to_thread(self._read))
            except Exception as error:  # noqa: BLE001 - unknown is an answer here: what was heard goes stale
                log.warning("the engines' pulses can't be read: %s", type(error).__name__)
            then()
            await asyncio.sleep(_BEAT_SECONDS)

    def hear(self, pulses: Mapping[str, Pulse]) -> None:
        """Take in what the store holds, by replica. One whose beat has not moved keeps the time at which it did."""
        now, before = self._monotonic(), self._heard
        heard: dict[str, tuple[Pulse, float]] = {}
        for replica, pulse in pulses.items():
            known = before.get(replica)
            at = known[1] if known is not None and known[0].beat == pulse.beat else now
            heard[replica] = pulse, at
            if now - at > _FORGOTTEN_SECONDS:
                self._forget(replica)
        self._heard = heard


# Ray has no public name for its key-value store.
def _put(replica: str, pulse: Pulse) -> None:
    internal_kv._internal_kv_put(replica, pulse.model_dump_json(), namespace=_NAMESPACE)  # noqa: SLF001


def _read() -> dict[str, Pulse]:
    names = [name.decode() for name in internal_kv._internal_kv_list("", namespace=_NAMESPACE)]  # noqa: SLF001
    written = {name: internal_kv._internal_kv_get(name, namespace=_NAMESPACE) for name in names}  # noqa: SLF001
    return {name: Pulse.model_validate_json(one) for name, one in written.items() if one}


def _forget(replica: str) -> None:
    internal_kv._internal_kv_del(replica, namespace=_NAMESPACE)  # noqa: SLF001
