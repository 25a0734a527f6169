import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from router.bundle import Bundle, load_bundle
from router.bundle.files import ApiKey, TenantSpec
from router.lane import Stop, TextDelta, Usage
from router.testing import ScriptedLane
from serving.api.auth import Keyring
from serving.api.routes import Api, Version, make_api
from serving.door.wire import DoorStatus, LaneStatus
from serving.gateway import Gateway, Planner
from serving.keeper import DoorSeen, KeeperClient
from serving.lockout import Lockout, lane_switches
from serving.redaction_maps import KeptMaps
from serving.sessions import Seen, Sessions
from serving.store import EvidenceStore

KEY = "lane-test-key"
HELLO = [(TextDelta("Hello"),), (TextDelta(" there"), Usage(5, 2), Stop("stop", "w1"))]


def an_api_key(secret: str, **fields: Any) -> ApiKey:
    """The bundle's entry for a key."""
    return ApiKey(id="test", sha256=hashlib.sha256(secret.encode()).hexdigest()).model_copy(update=fields)


class MonotonicClock:
    def monotonic(self) -> float:
        return time.monotonic()


class KeeperHandle:
    """A keeper in this process, with a Ray handle's face. `gone` makes it fail; `off` is what the door says is off."""

    def __init__(self, path: Path, bundle: Bundle) -> None:
        self.bundle = bundle
        self.sessions = Sessions(path, time.time)
        self.off: dict[str, str] = {}
        self.gone = False

    def __getattr__(self, name: str) -> Any:
        handle = self

        class Method:
            async def remote(self, *arguments: Any) -> Any:
                if handle.gone:
                    raise ConnectionError("gone")
                if name == "door":
                    return handle.door().model_dump_json()
                if name == "recall_session":
                    return handle.sessions.recall(*arguments).model_dump_json()
                org, session, seen = arguments
                return handle.sessions.keep(org, session, Seen.model_validate_json(seen))

        return Method()

    def door(self) -> DoorSeen:
        return door_of(self.bundle, self.off)


def door_of(bundle: Bundle, off: dict[str, str]) -> DoorSeen:
    """What a door says that holds this bundle."""
    hosted = [name for name, lane in bundle.lanes.items() if lane.is_hosted]
    lanes = {name: LaneStatus(on=name not in off, because=off.get(name, "")) for name in hosted}
    return DoorSeen(status=DoorStatus(bundle_hash=bundle.hash, lanes=lanes))


class System:
    """The API over scripted lanes: everything real but Ray, the engine and the door."""

    def __init__(
        self,
        bundle: Bundle,
        folder: Path,
        tenants: tuple[TenantSpec, ...] = (),
        keeper: Any | None = None,
        **changes: Any,
    ) -> None:
        self.bundle = bundle
        self.keeper = keeper or KeeperHandle(folder / "state.sqlite", bundle)
        self.lanes = {name: ScriptedLane(lambda _: HELLO) for name in bundle.lanes}
        self.store = EvidenceStore(folder / "evidence.sqlite")
        hosted = tuple(lane.name for lane in bundle.lanes.values() if lane.is_hosted)
        self.switches = Lockout(folder / "lanes-off")
        self.switches.make()
        switched_off = lane_switches(self.switches, bundle.lanes)
        client = KeeperClient(self.keeper, time.monotonic)
        maps = KeptMaps(self.keeper)
        planner = Planner(
            bundle,
            lambda: client.door.closes(hosted, {bundle.hash}) | switched_off(),
            client,
            b"salt",
            maps,
            changes.pop("newest", None),
        )
        self.gateway = Gateway(planner, self.lanes, self.store, MonotonicClock(), **changes)
        self.now = time.time()
        self.revoked = Lockout(folder / "keys-revoked")
        self.revoked.make()
        self.tenants = tenants or (TenantSpec(org="local", keys=(an_api_key(KEY),)),)
        keys = Keyring(self.tenants, folder / "keys.json", self.revoked, lambda: self.now)
        self.missing: dict[str, str] = {}

        async def missing() -> dict[str, str]:
            return self.missing

        self.version = Version(self.gateway, keys, missing)
        self.app = make_api(Api(lambda: self.version), client.refresh_forever)
        self.client = client

    def http(self, key: str | None = KEY) -> httpx2.AsyncClient:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.app), base_url="http://lane", headers=headers)

    async def all_lanes_on(self) -> None:
        """What the background task does every second."""
        self.client._door, self.client._seen_at = self.keeper.door(), time.monotonic()


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return load_bundle(Path(__file__).parents[2] / "config" / "starter")


@pytest.fixture
def system(bundle: Bundle, tmp_path: Path) -> Iterator[System]:
    made = System(bundle, tmp_path)
    yield made
    made.store.close()
    made.keeper.sessions.close()
