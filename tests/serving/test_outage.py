"""With every hosted lane dark, everybody gets an answer or the planned refusal. All is real here but Ray, the engine and the deep scan.

The door, its ledger and the providers' client are real, so are ladders, breakers and the private lane's gate.
"""

import asyncio
import sys
import threading
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, time
from typing import Any

import httpx2
import pytest
import uvicorn

from router.bundle import load_bundle
from router.lane import LaneCall, LaneEvent, Stop, TextDelta, Usage
from serving.admission import AdmittedLane, Gate, Standings
from serving.api.routes import Api, make_api
from serving.door.main import rules_of
from serving.hosted import HostedLane, door_client
from serving.store import read_evidence
from tests import outage
from tests.providers.behaviour import Behaviour
from tests.providers.stand_in import StandIn
from tests.serving.conftest import KEY, KeeperHandle, System, door_of
from tests.serving.door.kit import KEY as PERMIT_KEY
from tests.serving.door.kit import open_door, unread, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
PLACES = 8
DEADLINE_SECONDS = 20.0


class SmallModel:
    """Answers what a small model on two cores would, about as fast; JSON where that is asked for."""

    async def stream(self, call: LaneCall) -> AsyncGenerator[tuple[LaneEvent, ...], None]:
        await asyncio.sleep(0.05)
        yield (TextDelta('{"city": "Paris"}' if call.json_schema else "The capital of France"),)
        await asyncio.sleep(0.05)
        yield TextDelta("" if call.json_schema else " is Paris."), Usage(9, 5), Stop("stop", "w1")


class KeeperOfADoor(KeeperHandle):
    """A keeper that can be asked for the door, as the running system asks."""

    @property
    def door(self) -> Any:  # type: ignore[override]
        seen = door_of(self.bundle, self.off).model_dump_json()

        class Door:
            async def remote(self) -> str:
                return seen

        return Door()


@dataclass
class Drilled:
    """The system under drill, and the port at which its providers are looked for."""

    system: System
    address: str
    port: int
    evidence: Path
    gate: Gate


@contextmanager
def drilled(folder: Path) -> Iterator[Drilled]:
    port = outage.free_port()
    provider = StandIn(port=port)  # Not started: its address refuses connections.
    bundle = load_bundle(outage.drill_bundle(folder / "bundle", provider.base_url))
    hosted = {name: lane for name, lane in bundle.lanes.items() if lane.hosted is not None}
    system = System(bundle, folder, keeper=KeeperOfADoor(folder / "state.sqlite", bundle))
    gate, standings = Gate(lambda _: PLACES, 4 * PLACES, monotonic), Standings(system.tenants)
    with open_door(folder, provider, hosted["premium"], rules=rules_of(bundle, PERMIT_KEY.public_key())) as door:
        client = door_client(door.socket)
        for name, lane in bundle.lanes.items():
            if lane.hosted is not None:
                system.lanes[name] = HostedLane(lane, lane.hosted, client, PERMIT_KEY, time, unread)  # type: ignore[assignment]
            else:
                admitted = AdmittedLane(SmallModel(), gate, standings, system.store, monotonic)
                system.lanes[name] = admitted  # type: ignore[assignment]
        with served(system, client) as address:
            yield Drilled(system, address, port, folder / "evidence.sqlite", gate)
    system.store.close()
    system.keeper.sessions.close()


@contextmanager
def served(system: System, door: httpx2.AsyncClient) -> Iterator[str]:
    """Serve the API on a port of this machine; the way to the door is closed with it."""
    port = outage.free_port()

    async def background() -> None:
        try:
            await system.client.refresh_forever()
        finally:
            await door.aclose()

    config = uvicorn.Config(
        make_api(Api(lambda: system.version), background),
        host="127.0.0.1",
        port=port,
        log_level="warning",
        lifespan="on",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="api")
    thread.start()
    wait_for(lambda: True if server.started else None)
    wait_for(lambda: True if system.client._seen_at is not None else None)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(10)


def test_with_every_hosted_lane_dark_all_get_an_answer_or_the_planned_refusal_and_recovery_takes_one_period(
    tmp_path: Path,
) -> None:
    asked = outage.drill(200, max_tokens=8)
    parts = [asked[:70], asked[70:140], asked[140:]]
    got, tables = list[outage.Got](), list[str]()

    def phase(name: str, part: list[outage.Asked], system: Drilled) -> None:
        came = asyncio.run(outage.send(system.address, KEY, part, DEADLINE_SECONDS))
        tables.append(outage.table(name, came))
        assert outage.faults_of(came, DEADLINE_SECONDS) == []
        got.extend(came)

    with drilled(tmp_path) as system:
        phase("connections refused", parts[0], system)
        with StandIn(port=system.port) as provider:
            provider.behave(Behaviour(status=503))
            phase("503", parts[1], system)
            provider.behave(Behaviour(half_open=True))
            phase("half-open", parts[2], system)

            provider.behave(Behaviour())
            seconds = asyncio.run(outage.seconds_to_recovery(system.address, KEY, 30.0))
            received = outage.received_by(provider)
        tables.append(f"recovered after {seconds:.1f} s, a breaker's period is {outage.OPEN_SECONDS:g} s")
        sys.stdout.write("\n".join(tables) + "\n")

        assert len(got) == 200
        assert outage.leaked(got, received) == []
        assert seconds <= outage.OPEN_SECONDS + 1.0
        assert (system.gate.inside, system.gate.waiting) == (0, 0)
        records = [read_evidence(system.evidence, str(one.trace)) for one in got]
        assert all(record is not None and record.finished is not None for record in records)
