"""The door's promise as a law: whatever is asked and whatever fails, what must stay stays, and what goes was written down first."""

import asyncio
import hashlib
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from router.bundle import Bundle
from router.bundle.files import Hosted, LaneSpec
from router.contract import Finding, Label
from router.errors import ScanUnavailable
from router.lane import LaneEvent, Stop, TextDelta
from router.permit import sign
from router.render import render
from router.scan import scan_text
from router.testing import ScriptedDeepScan
from serving.door.app import build_app
from serving.door.door import Door
from serving.door.guard import Rules
from serving.door.ledger import Intent, Ledger, read_ledger
from serving.door.main import rules_of
from serving.door.wire import LANE_HEADER, PERMIT_HEADER
from serving.hosted import HostedLane, door_client
from tests.providers.stand_in import StandIn
from tests.serving.conftest import System
from tests.serving.door.kit import (
    KEY,
    FixedRules,
    a_call,
    a_lane,
    a_permit,
    hosted_of,
    keeps_personal_data_in,
    open_door,
    rules_for,
    unread,
)

LANE = a_lane()
MUST_STAY = st.sampled_from(
    [
        "4111 1111 1111 1111",
        "5500-0000-0000-0004",
        "DE89 3704 0044 0532 0130 00",
        "AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
    ]
)
FILLER = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="-/+"), max_size=40)


class SendingRecorder:
    """A way to the provider that keeps what it was given, and what the ledger held by then."""

    def __init__(self, ledger_file: Path) -> None:
        self.sent: list[bytes] = []
        self.unwritten: list[bytes] = []
        self._ledger_file = ledger_file

    async def stream(self, lane: LaneSpec, hosted: Hosted, body: bytes) -> AsyncGenerator[tuple[LaneEvent, ...], None]:
        self.sent.append(body)
        intents = [entry.event for entry in read_ledger(self._ledger_file) if isinstance(entry.event, Intent)]
        if hashlib.sha256(body).hexdigest() not in {intent.body_sha256 for intent in intents}:
            self.unwritten.append(body)
        yield (TextDelta("Paris"), Stop("stop"))

    async def close(self) -> None:
        return


def _raises(*_: object) -> Any:
    raise RuntimeError("broken")


def _cannot_tell(_: str) -> tuple[Finding, ...]:
    raise ScanUnavailable("it died")


def _write_protect(ledger: Ledger) -> None:
    ledger._database.execute("PRAGMA query_only = ON")


@dataclass(frozen=True)
class Fault:
    """What goes wrong: in the rules, in the ledger, in the deep scan, with the permit, with the switches."""

    name: str
    rules: Callable[[Rules], Rules] = lambda rules: rules
    ledger: Callable[[Ledger], None] = lambda _: None
    permit: dict[str, object] = field(default_factory=dict)
    key: Ed25519PrivateKey = KEY
    off: dict[str, str] = field(default_factory=dict)
    deep: ScriptedDeepScan = field(default_factory=ScriptedDeepScan)
    times: int = 1
    open_text_may_leave: bool = False


def _is_sure(text: str) -> tuple[Finding, ...]:
    return tuple(found.model_copy(update={"score": 1.0}) for found in scan_text(text))


FAULTS = [
    Fault("nothing", open_text_may_leave=True),
    Fault("the scan raises", rules=lambda rules: replace(rules, scan=_raises)),
    Fault("the policy engine raises", rules=lambda rules: replace(rules, may_send=_raises)),
    Fault("the policy engine answers nonsense", rules=lambda rules: replace(rules, may_send=lambda *_: None)),  # type: ignore[arg-type,return-value]
    Fault(
        "the scan is surer than it should be",
        lambda rules: replace(rules, scan=_is_sure),
        open_text_may_leave=True,
    ),
    Fault("the disk takes nothing", ledger=_write_protect),
    Fault("the permit is used twice", times=2, open_text_may_leave=True),
    Fault("the permit is late", permit={"expires_at": int(time.time()) - 1}),
    Fault("the permit is good for too long", permit={"expires_at": int(time.time()) + 10_000}),
    Fault("the permit is for other bytes", permit={"body_sha256": "0" * 64}),
    Fault("the permit is another router's", key=Ed25519PrivateKey.from_private_bytes(b"x" * 32)),
    Fault(
        "the permit claims that all is public", permit={"label": Label(), "risk_tier": "low"}, open_text_may_leave=True
    ),
    Fault("the deep scan can't tell", deep=ScriptedDeepScan(_cannot_tell)),
    Fault("the deep scan breaks", deep=ScriptedDeepScan(_raises)),
    Fault("the lane is off", off={"premium": "switched off"}),
]


def send(text: str, fault: Fault, folder: Path) -> tuple[bytes, SendingRecorder]:
    """Ask a door in which this fault is at work; return the body it was asked to send, and what became of it."""
    ledger, sender = Ledger(folder / "ledger.sqlite"), SendingRecorder(folder / "ledger.sqlite")
    fault.ledger(ledger)
    body = render(a_call(text), hosted_of(LANE))
    permit = a_permit(**({"body_sha256": hashlib.sha256(body).hexdigest()} | fault.permit))  # type: ignore[arg-type]
    headers = {PERMIT_HEADER: sign(permit, fault.key), LANE_HEADER: "premium"}
    rules = fault.rules(rules_for(LANE, may_send=keeps_personal_data_in))
    door = Door(FixedRules(rules), lambda: fault.off, ledger, sender, fault.deep, time.time)

    async def ask() -> None:
        transport = httpx2.ASGITransport(app=build_app(door))
        async with httpx2.AsyncClient(transport=transport, base_url="http://door") as client:
            for _ in range(fault.times):
                await client.post("/send", content=body, headers=headers)
        await door.close()

    asyncio.run(ask())
    return body, sender


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
@given(before=FILLER, secret=st.none() | MUST_STAY, after=FILLER)
@settings(max_examples=15)
def test_whatever_fails_nothing_protected_passes_and_nothing_passes_unwritten(
    tmp_path_factory: pytest.TempPathFactory, fault: Fault, before: str, secret: str | None, after: str
) -> None:
    body, sender = send(f"{before} {secret or ''} {after}", fault, tmp_path_factory.mktemp("door"))

    assert sender.unwritten == []
    assert sender.sent in ([], [body])
    if secret is not None or not fault.open_text_may_leave:
        assert sender.sent == []


@pytest.mark.parametrize(
    "fault", [fault for fault in FAULTS if fault.open_text_may_leave], ids=lambda fault: fault.name
)
def test_without_a_secret_it_goes_or_the_law_would_hold_of_a_wall(tmp_path: Path, fault: Fault) -> None:
    body, sender = send("What is the capital of France?", fault, tmp_path)

    assert sender.sent == [body]


# ------------------------------------------------------------------ the whole way: API, router, door, provider


@pytest.fixture
def provider() -> Iterator[StandIn]:
    with StandIn() as standing_in:
        yield standing_in


PERSON = {
    "user": "employee-7731",
    "metadata": {"employee": "employee-7732", "desk": "desk-7733"},
}
HEADERS = {
    "x-lane-session": "session-7734",
    "user-agent": "agent-7735",
    "cookie": "id=cookie-7736",
    "x-forwarded-for": "203.0.113.77",
    "x-request-id": "request-7737",
    "openai-organization": "organization-7738",
}


def test_no_name_of_person_session_tenant_or_trace_reaches_the_provider(
    bundle: Bundle, tmp_path: Path, provider: StandIn
) -> None:
    spec = bundle.lanes["premium"]
    hosted = hosted_of(spec).model_copy(update={"base_url": provider.base_url})
    lane = spec.model_copy(update={"hosted": hosted})
    rules = replace(rules_of(bundle, KEY.public_key()), lanes={lane.name: lane})
    system = System(bundle, tmp_path)
    asked = {"model": "premium", "messages": [{"role": "user", "content": "What is the capital of France?"}], **PERSON}

    async def ask(socket: Path) -> httpx2.Response:
        await system.all_lanes_on()
        async with door_client(socket) as client, system.http() as http:
            system.lanes["premium"] = HostedLane(lane, hosted, client, KEY, time.time, unread)  # type: ignore[assignment]
            return await http.post("/v1/chat/completions", json=asked, headers=HEADERS)

    with open_door(tmp_path, provider, lane, rules=rules) as door:
        response = asyncio.run(ask(door.socket))
        ledger = door.entries()
    system.store.close()
    system.keeper.sessions.close()

    [received] = provider.received
    names = [PERSON["user"], *PERSON["metadata"].values(), *HEADERS.values()]  # type: ignore[union-attr]
    names += ["7736", response.headers["x-lane-trace-id"], "local", "lane-test-key", bundle.hash]
    assert response.status_code == 200
    assert not [name for name in names if str(name).encode() in received.body]
    assert not [name for name in names if any(str(name) in value for value in received.headers.values())]
    assert set(received.headers) == {
        "host",
        "authorization",
        "content-type",
        "accept",
        "accept-encoding",
        "user-agent",
        "content-length",
    }
    assert [entry.event.kind for entry in ledger] == ["intent", "outcome"]
