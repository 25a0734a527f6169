"""A request ends under the version that it began with; the next one runs under the version in service; a bad one changes nothing."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from router.bundle import Bundle
from router.errors import BundleInvalid, StateUnavailable
from router.lane import LaneCall, LaneEvent, Stop, TextDelta
from serving.api.routes import Api, Version, make_api
from serving.in_service import InService, in_service_of, read_in_service, write_in_service
from serving.settings import Settings
from serving.versions import Versions
from tests.serving.conftest import KEY, System

pytestmark = pytest.mark.anyio
ASKED = {"model": "private", "messages": [{"role": "user", "content": "Tell me a story."}]}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class SlowLane:
    """A lane that ends its answer when it is told to."""

    end: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    async def stream(self, _call: LaneCall) -> AsyncIterator[tuple[LaneEvent, ...]]:
        self.begun.set()
        yield (TextDelta("slow"),)
        await self.end.wait()
        yield (Stop("stop", "w1"),)


def a_version(number: int) -> InService:
    return InService(bundle_hash=f"{number:064x}", folder=Path(f"/bundles/{number}"), models={}, hosted=False)


class Replica:
    """An ingress replica between two versions, each over a system of its own. `wanted` is what is in service."""

    def __init__(self, bundle: Bundle, folder: Path) -> None:
        self.systems = {number: System(bundle, _made(folder / str(number))) for number in (1, 2)}
        self.wanted: InService | Exception = a_version(1)
        self.versions = Versions(self._look, self._load)
        self.app = make_api(Api(lambda: self.versions.current), _nothing)

    def _look(self) -> InService:
        if isinstance(self.wanted, Exception):
            raise self.wanted
        return self.wanted

    def _load(self, wanted: InService) -> Version:
        number = int(wanted.bundle_hash, 16)
        if number not in self.systems:
            raise BundleInvalid("the bundle does not check")
        return self.systems[number].version

    async def ask(self) -> httpx2.Response:
        transport = httpx2.ASGITransport(app=self.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://lane") as http:
            return await http.post(
                "/v1/chat/completions", json=ASKED, headers={"authorization": f"Bearer {KEY}"}, timeout=30
            )

    def asked(self, number: int) -> int:
        lane: Any = self.systems[number].lanes["private"]
        return len(lane.calls)


async def _nothing() -> None:
    return


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.fixture
def replica(bundle: Bundle, tmp_path: Path) -> Iterator[Replica]:
    made = Replica(bundle, tmp_path)
    yield made
    for system in made.systems.values():
        system.store.close()
        system.keeper.sessions.close()


async def test_a_request_ends_under_its_own_version_and_the_next_runs_under_the_new_one(replica: Replica) -> None:
    slow = SlowLane()
    replica.systems[1].lanes["private"] = slow  # type: ignore[assignment]
    early = asyncio.create_task(replica.ask())
    await slow.begun.wait()

    replica.wanted = a_version(2)
    await replica.versions.follow()
    late = await replica.ask()
    while_open = replica.versions.holding
    slow.end.set()
    ended = await early

    assert late.status_code == 200
    assert replica.asked(2) == 1
    assert (while_open.serves, while_open.open) == (a_version(2).name, (a_version(1).name,))
    assert ended.json()["choices"][0]["message"]["content"] == "slow"
    assert replica.versions.holding.open == ()


async def test_a_version_that_does_not_load_is_refused_with_the_reason_and_the_old_one_goes_on(
    replica: Replica,
) -> None:
    replica.wanted = a_version(3)
    await replica.versions.follow()

    answered = await replica.ask()

    assert answered.status_code == 200
    assert replica.asked(1) == 1
    holding = replica.versions.holding
    assert (holding.serves, holding.refused) == (a_version(1).name, {a_version(3).name: "the bundle does not check"})


async def test_what_is_in_service_can_be_unreadable_for_a_while(replica: Replica) -> None:
    replica.wanted = StateUnavailable("in-service.json can't be read")
    await replica.versions.follow()

    assert (await replica.ask()).status_code == 200


async def test_a_request_that_was_refused_keeps_no_version_open(replica: Replica) -> None:
    transport = httpx2.ASGITransport(app=replica.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://lane") as http:
        refused = await http.post("/v1/chat/completions", json=ASKED, headers={"authorization": "Bearer none"})

    assert refused.status_code == 401
    assert replica.systems[1].gateway.is_idle


async def test_what_is_written_is_what_is_in_service(bundle: Bundle, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, bundle=bundle.root, models=tmp_path / "models")
    for spec in bundle.models.values():
        folder = settings.models / spec.folder
        folder.mkdir(parents=True)
        (folder / "MANIFEST.sha256").write_text("one\n")
    before = in_service_of(bundle, settings.models)
    (folder / "MANIFEST.sha256").write_text("another\n")
    version = in_service_of(bundle, settings.models)

    write_in_service(settings, version)

    assert read_in_service(settings) == version
    assert before.applications != version.applications, "other weights are another application"
    (settings.in_service_file).write_text("{")
    with pytest.raises(StateUnavailable):
        read_in_service(settings)
