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
from serving.api.routes import Api, make_api
from serving.gateway import Gateway
from serving.keeper import KeeperClient
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
    """A keeper in this process, with a Ray handle's face. `gone` makes it fail."""

    def __init__(self, path: Path) -> None:
        self.sessions = Sessions(path, time.time)
        self.off: dict[str, str] = {}
        self.gone = False

    def __getattr__(self, name: str) -> Any:
        handle = self

        class Method:
            async def remote(self, *arguments: Any) -> Any:
                if handle.gone:
                    raise ConnectionError("gone")
                if name == "lanes_off":
                    return handle.off
                if name == "recall_session":
                    return handle.sessions.recall(*arguments).model_dump_json()
                org, session, seen = arguments
                return handle.sessions.keep(org, session, Seen.model_validate_json(seen))

        return Method()


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
        self.keeper = keeper or KeeperHandle(folder / "state.sqlite")
        self.lanes = {name: ScriptedLane(lambda _: HELLO) for name in bundle.lanes}
        self.store = EvidenceStore(folder / "evidence.sqlite")
        hosted = tuple(lane.name for lane in bundle.lanes.values() if lane.is_hosted)
        self.switches = Lockout(folder / "lanes-off")
        self.switches.make()
        switched_off = lane_switches(self.switches, bundle.lanes)
        client = KeeperClient(self.keeper, hosted, time.monotonic, switched_off)
        maps = KeptMaps(self.keeper)
        gateway = Gateway(bundle, self.lanes, client, self.store, MonotonicClock(), b"salt", maps, **changes)
        self.now = time.time()
        self.revoked = Lockout(folder / "keys-revoked")
        self.revoked.make()
        self.tenants = tenants or (TenantSpec(org="local", keys=(an_api_key(KEY),)),)
        keys = Keyring(self.tenants, folder / "keys.json", self.revoked, lambda: self.now)
        self.missing: dict[str, str] = {}

        async def not_ready() -> dict[str, str]:
            return self.missing

        self.app = make_api(Api(gateway, keys, not_ready), client.refresh_forever)
        self.client = client

    def http(self, key: str | None = KEY) -> httpx2.AsyncClient:
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.app), base_url="http://lane", headers=headers)

    async def all_lanes_on(self) -> None:
        """What the background task does every second."""
        self.client._lanes_off, self.client._seen_at = self.keeper.off, time.monotonic()


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    return load_bundle(Path(__file__).parents[2] / "config" / "starter")


@pytest.fixture
def system(bundle: Bundle, tmp_path: Path) -> Iterator[System]:
    made = System(bundle, tmp_path)
    yield made
    made.store.close()
    made.keeper.sessions.close()
