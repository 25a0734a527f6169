"""The ingress by itself: API, decision, gate and evidence as they are, a stub in place of the engine, and neither Ray nor HAProxy.

`python -m benchmarks.overload.alone --settings JSON --parent PID`. It starts in seconds, also on a box that is too busy for a cluster.
"""

import argparse
import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any

import uvicorn

from benchmarks.stub_engine import StubEngine, slots
from router.bundle import Bundle, load_bundle
from router.errors import StateUnavailable
from router.lane import Lane, LaneCall, LaneEvent
from router.queueing import EngineLoad
from serving.admission import AdmittedLane, Rooms, Standings
from serving.api.auth import Keyring
from serving.api.routes import Api, Version, make_api
from serving.app import MonotonicClock
from serving.gateway import Gateway, Planner
from serving.keeper import KeeperClient
from serving.lockout import Lockout
from serving.processes import die_with_parent
from serving.redaction_maps import KeptMaps
from serving.settings import Settings
from serving.store import EvidenceStore


class NoKeeper:
    """A keeper that nobody needs: the benchmark's requests name no session, and nothing leaves."""

    def __getattr__(self, name: str) -> Any:
        raise StateUnavailable(f"no keeper runs here to be asked for {name}")


class EngineHere:
    """The stub as a lane, and what was said of its load a moment ago."""

    def __init__(self) -> None:
        self._engine = StubEngine(slots())
        self.said: tuple[EngineLoad, ...] = ()

    async def stream(self, call: LaneCall) -> AsyncGenerator[tuple[LaneEvent, ...], None]:
        """Answer a call."""
        async for batch in self._engine.stream(call):
            yield batch

    async def tell_forever(self, rooms: Rooms) -> None:
        """Say every second how the engine is, as a replica does."""
        while True:
            self.said = (self._engine.load,)
            rooms.look()
            await asyncio.sleep(1.0)


def serve(settings: Settings) -> None:
    """Serve until told to end."""
    bundle, engine = load_bundle(settings.bundle), EngineHere()
    rooms = Rooms(lambda _: engine.said, lambda: 1, time.monotonic)
    store, keeper = EvidenceStore(settings.evidence_file), KeeperClient(NoKeeper(), time.monotonic)
    planner = Planner(
        bundle=bundle,
        lanes_off=dict,
        keeper=keeper,
        salt=settings.salt_file.read_bytes(),
        maps=KeptMaps(NoKeeper()),
    )
    gateway = Gateway(planner=planner, lanes=_lanes(bundle, engine, rooms, store), store=store, clock=MonotonicClock())
    keys = Keyring(bundle.tenants.values(), settings.keys_file, Lockout(settings.keys_revoked_folder), time.time)

    async def missing() -> dict[str, str]:
        return {}

    version = Version(gateway, keys, missing)
    app = make_api(Api(lambda: version), lambda: engine.tell_forever(rooms))
    uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning")


def _lanes(bundle: Bundle, engine: EngineHere, rooms: Rooms, store: EvidenceStore) -> dict[str, Lane]:
    standings = Standings(bundle.tenants.values())
    return {
        spec.name: AdmittedLane(
            engine,
            rooms.gate(str(spec.base_model), bundle.models[str(spec.base_model)]),
            standings,
            store,
            time.monotonic,
        )
        for spec in bundle.lanes.values()
        if spec.model is not None
    }


def main() -> None:
    """Parse the command line and serve. The benchmark starts this."""
    parser = argparse.ArgumentParser(prog="benchmarks.overload.alone", description=__doc__)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--parent", required=True, type=int)
    arguments = parser.parse_args()
    die_with_parent(arguments.parent)
    serve(Settings.model_validate_json(arguments.settings))


if __name__ == "__main__":
    main()
