"""What is one door made of? Its rules, its ledger, its way to the providers and its clock, put together once."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from router.bundle.files import Hosted, LaneSpec
from router.errors import RouterError
from router.lane import LaneEvent
from router.ports import DeepScan
from serving.door.guard import Rules
from serving.door.ledger import Intent, Ledger
from serving.door.wire import DoorStatus, LaneStatus
from serving.tools.box import NoWayOut, Runner

_Event = TypeVar("_Event")


class Rulebook(Protocol):
    """What the door judges by, as the bundle in force has it: `serving.change.in_force.InForce`."""

    @property
    def bundle_hash(self) -> str:
        """The hash of the bundle in force. Raises `HistoryBroken`."""
        ...

    @property
    def last(self) -> Rules:
        """The rules that were made last; another bundle may be in force by now."""
        ...

    async def now(self) -> Rules:
        """Return the rules of the bundle in force. Raises a `RouterError` when there are none: then nothing may be sent."""
        ...


class Sender(Protocol):
    """Whoever takes bytes to a provider: `serving.door.provider.Providers`."""

    def stream(self, lane: LaneSpec, hosted: Hosted, body: bytes) -> AsyncGenerator[tuple[LaneEvent, ...], None]:
        """Send the body, yield the answer. Closing the generator closes the connection."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


def _one_writer() -> ThreadPoolExecutor:
    """SQLite blocks on the disk, and the chain needs one writer at a time."""
    return ThreadPoolExecutor(1, "ledger")


def _unsampled(_intent: Intent, _body: bytes) -> None:
    """Keep nothing of what is sent."""


@dataclass(frozen=True, slots=True)
class Door:
    """`rules` follow the bundle in force; `now` gives Unix seconds.

    `off` is asked before each send: the hosted lanes that can't be used here now, each with the reason.
    `sample` is shown each send once its intent is on disk: it returns at once and raises nothing. `tools` takes tools' calls out;
    `halted` says why nothing at all may leave now, if so.
    """

    rules: Rulebook
    off: Callable[[], Mapping[str, str]]
    ledger: Ledger
    sender: Sender
    deep: DeepScan
    now: Callable[[], float]
    sample: Callable[[Intent, bytes], None] = _unsampled
    tools: Runner = field(default_factory=NoWayOut)
    halted: Callable[[], str | None] = lambda: None
    _writer: ThreadPoolExecutor = field(default_factory=_one_writer)
    _sends: set[asyncio.Task[None]] = field(default_factory=set)

    def status(self) -> DoorStatus:
        """Say which bundle is in force here and which lanes can be used. Waits for nothing: the lanes may be the last bundle's still."""
        last, off = self.rules.last, self.off()
        lanes = {
            name: LaneStatus(on=name not in off, because=off.get(name, ""))
            for name, lane in last.lanes.items()
            if lane.is_hosted
        }
        try:
            return DoorStatus(bundle_hash=self.rules.bundle_hash, lanes=lanes)
        except RouterError as error:
            closed = {name: LaneStatus(on=False, because=str(error)) for name in lanes}
            return DoorStatus(bundle_hash=last.bundle_hash, lanes=closed)

    def write(self, append: Callable[[_Event, float], str], event: _Event) -> Awaitable[str]:
        """Hand an entry to the ledger's thread. What was handed over is written, even when nobody waits for it any more."""
        return asyncio.get_running_loop().run_in_executor(self._writer, append, event, self.now())

    def under_way(self, sending: asyncio.Task[None]) -> None:
        """Take note of a send: the ledger stays open until it has handed over how it ended."""
        self._sends.add(sending)
        sending.add_done_callback(self._sends.discard)

    async def close(self) -> None:
        """End what is still under way, write what was handed over, then close the ledger and the connections."""
        for sending in tuple(self._sends):
            sending.cancel()
        if self._sends:
            await asyncio.wait(self._sends)
        await asyncio.to_thread(self._writer.shutdown)
        self.ledger.close()
        await self.sender.close()
