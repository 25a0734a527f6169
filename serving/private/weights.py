"""May an engine start on this node, and from which bytes? From a folder that is vouched for and untouched, or never.

A node that lacks the folder fetches it first, when a source is named; no more than a few nodes read from the source at once.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import ray

from models.errors import ModelError
from models.manifest import MANIFEST, weights_hash
from models.spec import ModelSpec
from models.weights.fetch import carry_out, plan_fetch
from models.weights.places import open_source
from models.weights.signature import trusted_keys
from models.weights.slots import LEASE_SECONDS, Slots
from models.weights.starts import Start, record_start
from models.weights.verify import admit
from router.contract import Frozen
from router.errors import LaneUnreachable

_ASK_AGAIN_SECONDS: Final = 1.0
_ANSWER_SECONDS: Final = 60.0
_SLOTS: Final = ("weights-slots", "lane")


class WeightsPolicy(Frozen):
    """How a site's nodes come by weights, and whom they believe.

    signers: the folder of public keys on each node; None: manifests alone count. source: `s3://BUCKET/PREFIX`, or a folder that every
    node sees; None: nothing is fetched at a start. at_once: how many replicas may read from it at a time.
    """

    signers: Path | None = None
    source: str | None = None
    at_once: int = 4


@dataclass
class Preparation:
    """One start of a replica, from nothing to ready; each part's seconds go to the node's record."""

    spec: ModelSpec
    folder: Path
    policy: WeightsPolicy
    _began: float = field(default_factory=time.monotonic)
    _fetch_seconds: float = 0.0
    _check_seconds: float = 0.0
    _warm: bool = False

    async def run(self, adapters: tuple[Path, ...]) -> None:
        """Return once the model's folder and its adapters' may be loaded. Raises `LaneUnreachable`, naming each file at fault."""
        try:
            cold = [one for one in (self.folder, *adapters) if not one.exists() and self.policy.source is not None]
            if cold:
                async with _slot(self.policy.at_once):
                    for one in cold:
                        await asyncio.to_thread(self._fetch, one)
            self._fetch_seconds = time.monotonic() - self._began
            ways = [await asyncio.to_thread(self._admit, one) for one in (self.folder, *adapters)]
        except ModelError as error:
            self._record(refused=str(error))
            raise LaneUnreachable(self.spec.name, str(error)) from error
        self._check_seconds = time.monotonic() - self._began - self._fetch_seconds
        self._warm = not cold and set(ways) == {"sealed"}

    def ready(self) -> None:
        """Record that the engine has answered a call of each kind."""
        self._record(load_seconds=time.monotonic() - self._began - self._fetch_seconds - self._check_seconds)

    def _admit(self, folder: Path) -> str:
        trusted = trusted_keys(self.policy.signers) if self.policy.signers is not None else ()
        return admit(folder, trusted, datetime.now(UTC)).how

    def _fetch(self, folder: Path) -> None:
        trusted = trusted_keys(self.policy.signers) if self.policy.signers is not None else ()
        source = open_source(str(self.policy.source), folder.name, None)
        carry_out(
            plan_fetch(source, folder, trusted),
            now=datetime.now(UTC),
            advance=lambda _name, _count: None,
            trusted=trusted,
        )

    def _record(self, *, load_seconds: float | None = None, refused: str | None = None) -> None:
        start = Start(
            model=self.spec.name,
            weights_hash=weights_hash(self.folder) if (self.folder / MANIFEST).is_file() else "",
            at=datetime.now(UTC),
            warm=self._warm,
            fetch_seconds=round(self._fetch_seconds, 3),
            check_seconds=round(self._check_seconds, 3),
            load_seconds=None if load_seconds is None else round(load_seconds, 3),
            refused=refused,
        )
        record_start(self.folder.parent, start)


class SlotKeeper:
    """The cluster's one keeper of `Slots`: an actor, so that all nodes ask the same one."""

    def __init__(self, places: int) -> None:
        self._slots = Slots(places)

    def ask(self, holder: str) -> bool:
        """Give `holder` a place, or let it keep its own; False: ask again."""
        self._slots, granted = self._slots.ask(holder, time.monotonic())
        return granted

    def give_back(self, holder: str) -> None:
        """Take `holder`'s place back."""
        self._slots = self._slots.give_back(holder)


def _keeper(places: int) -> "ray.actor.ActorHandle[SlotKeeper]":
    name, namespace = _SLOTS
    return (
        ray.remote(SlotKeeper)
        .options(name=name, namespace=namespace, get_if_exists=True, lifetime="detached", num_cpus=0)
        .remote(places)
    )


class ClusterPlaces:
    """The keeper, for a program that is no replica (`lane models fetch`) and is connected to its cluster."""

    def __init__(self, places: int) -> None:
        """Find the keeper, or make it. Whoever is first says how many `places` there are."""
        self._keeper = _keeper(places)

    def ask(self, holder: str) -> bool:
        """Give `holder` a place, or let it keep its own; False: ask again."""
        return bool(ray.get(self._keeper.ask.remote(holder), timeout=_ANSWER_SECONDS))

    def give_back(self, holder: str) -> None:
        """Take `holder`'s place back."""
        ray.get(self._keeper.give_back.remote(holder), timeout=_ANSWER_SECONDS)


@asynccontextmanager
async def _slot(places: int) -> AsyncIterator[None]:
    """Hold one of the cluster's places at the source. A replica that dies loses its own by not renewing it."""
    keeper = _keeper(places)
    holder = ray.get_runtime_context().get_actor_id() or "driver"
    while not await keeper.ask.remote(holder):  # noqa: ASYNC110 - what is polled lives in another process
        await asyncio.sleep(_ASK_AGAIN_SECONDS)
    renewing = asyncio.create_task(_renew(keeper, holder))
    try:
        yield
    finally:
        renewing.cancel()
        await keeper.give_back.remote(holder)


async def _renew(keeper: "ray.actor.ActorHandle[SlotKeeper]", holder: str) -> None:
    while True:
        await asyncio.sleep(LEASE_SECONDS / 3)
        await keeper.ask.remote(holder)
