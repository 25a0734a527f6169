"""A door to test against: real socket, ledger, scan and provider client; a boundary of one sentence; a stand-in for the provider."""

import asyncio
import secrets
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr

from router.boundary import SendQuestion
from router.bundle.files import Hosted, HostedProtocol, LaneSpec, TiersFile, Timeouts
from router.contract import Label, Message, PolicyFired, Sampling, TextPart
from router.lane import LaneCall, LaneEvent
from router.permit import Permit, sign
from router.scan import scan_text
from router.testing import ScriptedDeepScan
from serving.door.app import build_app
from serving.door.door import Door
from serving.door.guard import Rules
from serving.door.ledger import Ledger, LedgerEntry, read_ledger
from serving.door.main import listening
from serving.door.provider import Providers
from serving.hosted import HostedLane, door_client
from tests.providers.stand_in import StandIn

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
CATEGORIES = ("pii", "health", "payment", "finance", "employment", "legal", "credentials")
TIERS = TiersFile(levels=dict.fromkeys(CATEGORIES, "confidential"), rules=(), profiles=())
_T = TypeVar("_T")
TRACE = "0123456789abcdef" * 2


@dataclass(frozen=True)
class Answer:
    allowed: bool
    policies: tuple[PolicyFired, ...]


def keeps_personal_data_in(question: SendQuestion) -> Answer:
    """The settled rule: a text stays if it is confidential or above, or its label holds any category."""
    label = question.label
    if label.level in {"confidential", "restricted"} or label.categories:
        return Answer(False, (PolicyFired(id="stays_private", effect="forbid", because="it is somebody's"),))
    return Answer(True, (PolicyFired(id="open_text_may_leave", effect="permit", because="it is nobody's"),))


def a_lane(
    base_url: str = "http://127.0.0.1:9/v1", protocol: HostedProtocol = "openai_chat", **timeouts: float
) -> LaneSpec:
    hosted = Hosted(
        provider="big", protocol=protocol, base_url=base_url, model="big-1", api_key_env="BIG_KEY", region="eu"
    )
    return LaneSpec(name="premium", hosted=hosted, timeouts=Timeouts(**timeouts))


def hosted_of(lane: LaneSpec) -> Hosted:
    assert lane.hosted is not None
    return lane.hosted


def rules_for(*lanes: LaneSpec, **changes: Any) -> Rules:
    fields: dict[str, Any] = {
        "bundle_hash": "b" * 64,
        "lanes": {lane.name: lane for lane in lanes},
        "tiers": TIERS,
        "may_send": keeps_personal_data_in,
        "scan": scan_text,
        "public_key": KEY.public_key(),
    }
    return Rules(**(fields | changes))


def a_permit(body_sha256: str, **changes: object) -> Permit:
    fields: dict[str, object] = {
        "trace_id": TRACE,
        "attempt": 1,
        "org": "acme",
        "lane": "premium",
        "region": "eu",
        "label": Label(),
        "risk_tier": "low",
        "bundle_hash": "b" * 64,
        "body_sha256": body_sha256,
        "expires_at": int(time.time()) + 30,
        "nonce": secrets.token_hex(16),
    }
    return Permit.model_validate(fields | changes)


def a_token(body_sha256: str, **changes: object) -> str:
    return sign(a_permit(body_sha256, **changes), KEY)


def a_call(text: str = "What is the capital of France?", **changes: Any) -> LaneCall:
    fields: dict[str, Any] = {
        "trace_id": TRACE,
        "attempt": 1,
        "lane": "premium",
        "model": "big-1",
        "org": "acme",
        "label": Label(),
        "risk_tier": "low",
        "messages": (Message(role="user", content=(TextPart(text=text),)),),
        "sampling": Sampling(temperature=0.0),
        "max_tokens": 64,
        "deadline_seconds": 20.0,
        "first_token_seconds": 10.0,
        "bundle_hash": "b" * 64,
    }
    return LaneCall(**(fields | changes))


@dataclass(frozen=True)
class FixedRules:
    """The rules of a home in which no bundle is ever applied."""

    last: Rules

    @property
    def bundle_hash(self) -> str:
        return self.last.bundle_hash

    async def now(self) -> Rules:
        return self.last


async def unread(call: LaneCall, body: bytes) -> None:
    """A last look that lets everything go: what the door sees, it sees by itself."""


@dataclass
class OpenDoor:
    """A door that is being served, and the lane that goes through it."""

    socket: Path
    ledger_file: Path
    lane: LaneSpec
    door: Door

    def ask(self, call: LaneCall, key: Ed25519PrivateKey = KEY) -> list[LaneEvent]:
        """Return every event of a call; raises what the lane raises."""

        async def scenario() -> list[LaneEvent]:
            async with door_client(self.socket) as client:
                lane = HostedLane(self.lane, hosted_of(self.lane), client, key, time.time, unread)
                return [event async for batch in lane.stream(call) for event in batch]

        return asyncio.run(scenario())

    def with_stream(self, call: LaneCall, use: Callable[[AsyncGenerator[tuple[LaneEvent, ...], None]], Any]) -> Any:
        """Hand a call's open stream to a coroutine function, and close it afterwards."""

        async def scenario() -> Any:
            async with door_client(self.socket) as client:
                lane = HostedLane(self.lane, hosted_of(self.lane), client, KEY, time.time, unread)
                async with aclosing(lane.stream(call)) as stream:
                    return await use(stream)

        return asyncio.run(scenario())

    def entries(self) -> list[LedgerEntry]:
        return list(read_ledger(self.ledger_file))

    def await_entries(self, count: int) -> list[LedgerEntry]:
        """Wait until the ledger holds this many entries."""
        return wait_for(lambda: found if len(found := self.entries()) >= count else None)


def wait_for(probe: Callable[[], _T | None], seconds: float = 10.0) -> _T:
    """Return the probe's first answer that is not None."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (found := probe()) is not None:
            return found
        time.sleep(0.02)
    raise AssertionError("it never came")


@contextmanager
def open_door(folder: Path, provider: StandIn, lane: LaneSpec | None = None, **changes: Any) -> Iterator[OpenDoor]:
    """Serve a door in a thread of this process, on a Unix socket in this folder."""
    lane = lane or a_lane(provider.base_url)
    keys = {hosted_of(lane).api_key_env: SecretStr(provider.key)}
    ledger_file = folder / "ledger.sqlite"
    fields: dict[str, Any] = {
        "rules": rules_for(lane),
        "off": dict,
        "ledger": Ledger(ledger_file),
        "sender": Providers(keys, time.time),
        "deep": ScriptedDeepScan(),
        "now": time.time,
    }
    fields |= changes
    if isinstance(fields["rules"], Rules):
        fields["rules"] = FixedRules(fields["rules"])
    door = Door(**fields)
    config = uvicorn.Config(build_app(door), lifespan="on", log_level="warning", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with listening(folder / "door.sock") as listener:
        thread = threading.Thread(target=lambda: server.run(sockets=[listener]), name="door")
        thread.start()
        wait_for(lambda: True if server.started else None)
        try:
            yield OpenDoor(folder / "door.sock", ledger_file, lane, door)
        finally:
            server.should_exit = True
            thread.join(10)
            assert not thread.is_alive()
