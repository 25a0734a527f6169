"""Where does the deep scan run in the cluster? One Serve deployment that holds one worker, asked by every ingress replica.

It exists only where the bundle has hosted lanes, and its worker is started only once the door has a lane to send to: a system that sends
nothing pays nothing for it.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final

from pydantic import TypeAdapter
from ray.serve.handle import DeploymentHandle

from router.contract import Finding
from router.errors import LaneUnreachable, ScanUnavailable
from serving.deep.scanner import DeepScanner
from serving.hosted import door_client_of, door_status
from serving.settings import Settings

log = logging.getLogger(__name__)

_POLL_SECONDS: Final = 2.0
_STALE_SECONDS: Final = 10.0
_FINDINGS: Final = TypeAdapter(tuple[tuple[Finding, ...], ...])


class DeepScanReplica:
    """The deployment: starts a worker when the door can send, and hands questions to it."""

    def __init__(self, settings: Settings) -> None:
        self._door = door_client_of(settings)
        self._scanner = DeepScanner()
        self._starting = asyncio.get_running_loop().create_task(self._start_when_the_door_sends())

    async def scan(self, texts: tuple[str, ...]) -> bytes:
        """Return the findings as JSON, a list for each text. Raises `ScanUnavailable`."""
        return _FINDINGS.dump_json(await self._scanner.scan(texts))

    async def ready(self) -> bool:
        """Tell whether a worker is up."""
        return self._scanner.ready

    async def _start_when_the_door_sends(self) -> None:
        while not await self._door_sends():  # noqa: ASYNC110 - the door is another process
            await asyncio.sleep(_POLL_SECONDS)
        self._scanner.start()

    async def _door_sends(self) -> bool:
        try:
            return any(lane.on for lane in (await door_status(self._door)).lanes.values())
        except LaneUnreachable:
            return False


class DeepScanClient:
    """Implements `router.ports.DeepScan` by asking the deployment. `refresh_forever` keeps `ready` true to life."""

    def __init__(self, handle: DeploymentHandle, monotonic: Callable[[], float]) -> None:
        self._handle: Any = handle
        self._monotonic = monotonic
        self._ready_at: float | None = None

    @property
    def ready(self) -> bool:
        """Whether a worker was up a moment ago: while none is, nothing can be read, so no hosted lane is open."""
        return self._ready_at is not None and self._monotonic() - self._ready_at < _STALE_SECONDS

    async def refresh_forever(self, needed: Callable[[], bool]) -> None:
        """Ask now and then, while there is one to ask. Any failure leaves the answer to go stale, which closes the hosted lanes."""
        while True:
            try:
                if not needed():
                    self._ready_at = None
                    await asyncio.sleep(_POLL_SECONDS)
                    continue
                async with asyncio.timeout(_POLL_SECONDS):
                    self._ready_at = self._monotonic() if await self._handle.ready.remote() else None
            except Exception as error:  # noqa: BLE001 - whatever the trouble is, stale means closed
                log.warning("the deep scan does not answer: %s", type(error).__name__)
            await asyncio.sleep(_POLL_SECONDS)

    async def scan(self, texts: tuple[str, ...]) -> tuple[tuple[Finding, ...], ...]:
        """Return each text's findings. Whatever the cluster raises on the way is a `ScanUnavailable`: the text stays."""
        try:
            return _FINDINGS.validate_json(await self._handle.scan.remote(texts))
        except Exception as error:
            raised = getattr(error, "cause", error)  # Ray hands the replica's own error on inside its own.
            because = str(raised) if isinstance(raised, ScanUnavailable) else type(error).__name__
            raise ScanUnavailable(f"the deep scan did not answer ({because})") from error
