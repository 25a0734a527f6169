"""End to end: hosted lane, Unix socket, door, ledger, provider client, and a stand-in provider."""

import asyncio
import hashlib
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr

from router.contract import Finding, Label
from router.errors import (
    ContextTooLong,
    DoorRefused,
    EvidenceUnavailable,
    FoundBeforeLeaving,
    LaneErrored,
    LaneMisbehaved,
    LaneOverloaded,
    LaneRateLimited,
    LaneTimeout,
    LaneUnreachable,
    RouterError,
    ScanUnavailable,
    SchemaRefused,
)
from router.lane import Departed, LaneCall, LaneEvent, ReasoningDelta, Refusal, Stop, TextDelta, ToolCallDelta, Usage
from router.render import render
from router.testing import ScriptedDeepScan
from serving.door.ledger import Intent, Outcome, Refused
from serving.door.provider import Providers
from serving.door.wire import LANE_HEADER, PERMIT_HEADER, decode_line
from serving.hosted import HostedLane, door_client, door_status
from serving.lockout import Lockout, lane_switches
from tests.providers.stand_in import MODEL_VERSION, Behaviour, StandIn
from tests.serving.door.kit import KEY, OpenDoor, a_call, a_lane, a_token, hosted_of, open_door, unread, wait_for

Stream = AsyncGenerator[tuple[LaneEvent, ...], None]


@pytest.fixture
def provider() -> Iterator[StandIn]:
    with StandIn() as standing_in:
        yield standing_in


@pytest.fixture
def door(tmp_path: Path, provider: StandIn) -> Iterator[OpenDoor]:
    lane = a_lane(provider.base_url, connect_seconds=1.0, first_token_seconds=0.6, gap_seconds=0.6)
    with open_door(tmp_path, provider, lane) as opened:
        yield opened


def text_of(events: list[LaneEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def outcome_of_last(door: OpenDoor) -> Outcome:
    event = door.await_entries(2)[-1].event
    assert isinstance(event, Outcome)
    return event


def named(parameter: object) -> str:
    if isinstance(parameter, Behaviour):
        plain = vars(Behaviour())
        return ",".join(f"{name}={value!r:.40}" for name, value in vars(parameter).items() if value != plain[name])
    return getattr(parameter, "__name__", "because")


def first_failure(door: OpenDoor) -> RouterError:
    for number in range(40):
        try:
            door.ask(a_call(f"question {number}"))
        except RouterError as error:
            return error
    raise AssertionError("it never fails")


def test_an_answer_comes_back_whole_and_typed(door: OpenDoor, provider: StandIn) -> None:
    events = door.ask(a_call())

    assert isinstance(events[0], Departed)
    assert text_of(events) == "The capital of France is Paris."
    assert events[-2:] == [Usage(11, 7, 3), Stop("stop", f"{MODEL_VERSION}@fp_1")]


def test_exactly_the_permitted_bytes_reach_the_provider(door: OpenDoor, provider: StandIn) -> None:
    call = a_call("Grüße, 東京 🗼")

    events = door.ask(call)

    [received] = provider.received
    departed = events[0]
    assert isinstance(departed, Departed)
    assert received.body == render(call, hosted_of(door.lane))
    assert hashlib.sha256(received.body).hexdigest() == departed.body_sha256
    assert len(received.body) == departed.body_bytes
    assert (received.method, received.path) == ("POST", "/v1/chat/completions")


def test_the_provider_sees_no_header_but_the_door_s_own(
    door: OpenDoor, provider: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-secret")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Secret: 1\nAuthorization: Bearer another")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/elsewhere")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")

    door.ask(a_call())

    [received] = provider.received
    assert set(received.headers) == {
        "host",
        "authorization",
        "content-type",
        "accept",
        "accept-encoding",
        "user-agent",
        "content-length",
    }
    assert received.headers["authorization"] == f"Bearer {provider.key}"


def test_the_answer_is_relayed_while_it_is_written(door: OpenDoor, provider: StandIn) -> None:
    provider.behaviour = Behaviour(gap_seconds=0.2)

    async def times(stream: Stream) -> list[float]:
        return [time.monotonic() async for batch in stream for event in batch if isinstance(event, TextDelta)]

    first, *_, last = door.with_stream(a_call(), times)

    assert last - first > 0.3


def test_every_kind_of_event_comes_through(door: OpenDoor, provider: StandIn) -> None:
    provider.behaviour = Behaviour(reasoning="Let me see.", tool_calls=(("c1", "look", '{"q":1}'), ("c2", "go", "{}")))
    called = door.ask(a_call())
    provider.behaviour = Behaviour(refusal="I can't.")
    refused = door.ask(a_call())

    assert ReasoningDelta("Let me see.") in called
    assert [event for event in called if isinstance(event, ToolCallDelta)] == [
        ToolCallDelta(0, "", "c1", "look"),
        ToolCallDelta(0, '{"q":1}'),
        ToolCallDelta(1, "", "c2", "go"),
        ToolCallDelta(1, "{}"),
    ]
    assert called[-1] == Stop("tool_calls", f"{MODEL_VERSION}@fp_1")
    assert Refusal("I can't.") in refused


@pytest.mark.parametrize(
    ("behaviour", "error", "because"),
    [
        (Behaviour(status=400, error_code="some_code"), LaneMisbehaved, "400 (some_code)"),
        (Behaviour(status=400, error_code="context_length_exceeded"), ContextTooLong, "does not fit"),
        (Behaviour(status=400, error_code="invalid_json_schema"), SchemaRefused, "schema"),
        (Behaviour(status=403), LaneUnreachable, "may not use"),
        (Behaviour(status=404, error_code="model_not_found"), LaneMisbehaved, "404 (model_not_found)"),
        (Behaviour(status=408), LaneTimeout, "408"),
        (Behaviour(status=429), LaneRateLimited, "429"),
        (Behaviour(status=500), LaneErrored, "500"),
        (Behaviour(status=502, raw_body=b"<html>Bad gateway</html>", content_type="text/html"), LaneErrored, "502"),
        (Behaviour(status=503), LaneOverloaded, "503"),
        (Behaviour(status=529), LaneOverloaded, "529"),
        (Behaviour(raw_body=b"<html>Log in</html>"), LaneMisbehaved, "something else than an event stream"),
        (Behaviour(raw_body=b"data: {}", content_type="application/json"), LaneMisbehaved, "something else"),
        (Behaviour(cut_after=-1), LaneUnreachable, "hung up"),
        (Behaviour(cut_after=0), LaneMisbehaved, "cut"),
        (Behaviour(cut_after=1), LaneMisbehaved, "cut"),
        (Behaviour(garbage_at=0), LaneMisbehaved, "can't be read"),
        (Behaviour(garbage_at=0, garbage="42"), LaneMisbehaved, "can't be read"),
        (Behaviour(garbage_at=0, garbage='{"choices":[{"delta":null}]}'), LaneMisbehaved, "can't be read"),
        (Behaviour(garbage_at=0, garbage='{"choices":"x"}'), LaneMisbehaved, "can't be read"),
        (Behaviour(garbage_at=0, garbage='{"error":{"message":"secret words","code":"boom"}}'), LaneMisbehaved, "boom"),
        (
            Behaviour(garbage_at=0, garbage='{"choices":[{"index":0,"delta":{"content":{"a":1}}}]}'),
            LaneMisbehaved,
            "read",
        ),
        (Behaviour(finish="error"), LaneMisbehaved, "can't be read"),
        (Behaviour(head_delay_seconds=3), LaneTimeout, "no first token in time"),
        (Behaviour(first_delay_seconds=3), LaneTimeout, "no first token in time"),
        (Behaviour(first_delay_seconds=3, keep_alive_comments=True), LaneTimeout, "no first token in time"),
        (Behaviour(stall_after=2), LaneTimeout, "no next token in time"),
    ],
    ids=named,
)
def test_each_failure_of_the_provider_has_its_own_error(
    door: OpenDoor, provider: StandIn, behaviour: Behaviour, error: type[RouterError], because: str
) -> None:
    provider.behaviour = behaviour

    with pytest.raises(error) as raised:
        door.ask(a_call())

    assert type(raised.value) is error
    assert because in str(raised.value)
    assert provider.key not in str(raised.value)
    assert outcome_of_last(door).ended == error.code
    assert len(provider.received) == 1


@pytest.mark.parametrize("cut", [2, 3, 4])
def test_a_cut_stream_never_ends_with_a_stop(door: OpenDoor, provider: StandIn, cut: int) -> None:
    provider.behaviour = Behaviour(cut_after=cut)
    seen: list[LaneEvent] = []

    async def read(stream: Stream) -> None:
        async for batch in stream:
            seen.extend(batch)

    with pytest.raises(LaneMisbehaved, match="cut"):
        door.with_stream(a_call(), read)

    assert text_of(seen) == "".join(Behaviour().pieces[: cut - 1])
    assert not any(isinstance(event, Stop) for event in seen)


def test_a_stream_that_just_ends_is_no_answer(door: OpenDoor, provider: StandIn) -> None:
    provider.behaviour = Behaviour(raw_body=b"data: [DONE]\n\n", content_type="text/event-stream")

    with pytest.raises(LaneMisbehaved, match="ended before the answer did"):
        door.ask(a_call())


@pytest.mark.parametrize("behaviour", [Behaviour(cut_after=5), Behaviour(usage=False, done=False)], ids=named)
def test_after_the_provider_s_own_end_a_cut_costs_only_the_usage(
    door: OpenDoor, provider: StandIn, behaviour: Behaviour
) -> None:
    provider.behaviour = behaviour

    events = door.ask(a_call())

    assert events[-1] == Stop("stop", f"{MODEL_VERSION}@fp_1")
    assert not any(isinstance(event, Usage) for event in events)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ((("Retry-After", "7"),), 7.0),
        ((("Retry-After-Ms", "1500"), ("Retry-After", "9")), 1.5),
        ((("Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT"),), 0.0),
        ((("Retry-After", "soon"),), None),
        ((), None),
    ],
)
def test_what_the_provider_says_of_coming_back_is_handed_on(
    door: OpenDoor, provider: StandIn, headers: tuple[tuple[str, str], ...], seconds: float | None
) -> None:
    provider.behaviour = Behaviour(status=429, headers=headers)

    with pytest.raises(LaneRateLimited) as limited:
        door.ask(a_call())

    assert limited.value.retry_after_seconds == seconds


def test_a_redirect_is_not_followed(door: OpenDoor, provider: StandIn) -> None:
    with StandIn() as elsewhere:
        location = elsewhere.base_url + "/chat/completions"
        provider.behaviour = Behaviour(status=307, headers=(("Location", location),))

        with pytest.raises(LaneMisbehaved, match="307"):
            door.ask(a_call())

        assert elsewhere.received == []


def test_a_wrong_key_is_named_but_never_repeated(
    tmp_path: Path, provider: StandIn, capfd: pytest.CaptureFixture[str]
) -> None:
    with open_door(tmp_path, provider) as door:
        provider.key = "sk-changed-by-the-provider"
        with pytest.raises(LaneUnreachable) as refused:
            door.ask(a_call())
        ledger = "".join(entry.model_dump_json() for entry in door.entries())

    said = capfd.readouterr()
    assert refused.value.because == "key refused"
    assert "sk-" not in ledger + said.out + said.err + repr(refused.value)


def test_nobody_at_the_provider_s_address_is_unreachable(tmp_path: Path, provider: StandIn) -> None:
    with open_door(tmp_path, provider, a_lane("http://127.0.0.1:9/v1")) as door:
        with pytest.raises(LaneUnreachable, match="can't be reached"):
            door.ask(a_call())

        assert outcome_of_last(door).ended == "lane_unreachable"


def test_no_door_is_unreachable(tmp_path: Path, provider: StandIn) -> None:
    with open_door(tmp_path, provider) as door:
        pass

    with pytest.raises(LaneUnreachable, match="no door"):
        door.ask(a_call())


def test_a_lane_without_a_key_is_off_and_nothing_is_sent(tmp_path: Path, provider: StandIn) -> None:
    with open_door(tmp_path, provider, off=lambda: {"premium": "no key: BIG_KEY is not set at the door"}) as door:
        with pytest.raises(LaneUnreachable, match="BIG_KEY is not set"):
            door.ask(a_call())

        assert door.entries() == []
    assert provider.received == []


def test_the_status_names_lanes_and_bundle_and_no_address(tmp_path: Path, provider: StandIn) -> None:
    async def status(socket: Path) -> Any:
        async with door_client(socket) as client:
            raw = await client.get("/status")
            return await door_status(client), raw.text

    with open_door(tmp_path, provider, off=lambda: {"premium": "no key"}) as door:
        read, raw = asyncio.run(status(door.socket))

    assert read.bundle_hash == "b" * 64
    assert (read.lanes["premium"].on, read.lanes["premium"].because) == (False, "no key")
    assert "127.0.0.1" not in raw


def test_a_card_number_under_a_proper_permit_stays(door: OpenDoor, provider: StandIn) -> None:
    with pytest.raises(DoorRefused, match="payment") as refused:
        door.ask(a_call("Charge 4111 1111 1111 1111, please"))

    [entry] = door.entries()
    assert refused.value.policies == ("stays_private",)
    assert isinstance(entry.event, Refused)
    assert "4111" not in entry.model_dump_json()
    assert provider.received == []


def test_the_permit_s_own_label_counts_beside_the_scan(door: OpenDoor, provider: StandIn) -> None:
    with pytest.raises(DoorRefused, match="confidential"):
        door.ask(a_call("Hello", label=Label(level="confidential")))

    assert provider.received == []


def test_another_router_s_permit_is_refused(door: OpenDoor, provider: StandIn) -> None:
    with pytest.raises(DoorRefused, match="not signed"):
        door.ask(a_call(), key=Ed25519PrivateKey.generate())

    assert provider.received == []


def test_a_send_leaves_an_intent_and_an_outcome_that_follow_each_other(door: OpenDoor, provider: StandIn) -> None:
    departed = door.ask(a_call())[0]

    intent, outcome = door.entries()
    assert isinstance(departed, Departed)
    assert isinstance(intent.event, Intent)
    assert isinstance(outcome.event, Outcome)
    assert departed.ledger_entry == intent.hash == outcome.event.intent == outcome.previous
    assert intent.event.permit_nonce == departed.permit_nonce
    assert (outcome.event.ended, outcome.event.model_version) == ("answered", f"{MODEL_VERSION}@fp_1")
    assert (outcome.event.input_tokens, outcome.event.output_tokens) == (11, 7)


def test_the_intent_is_on_disk_before_the_provider_hears_anything(door: OpenDoor, provider: StandIn) -> None:
    provider.behaviour = Behaviour(head_delay_seconds=0.3)

    async def entries_on_departure(stream: Stream) -> tuple[int, int]:
        await anext(stream)
        return len(door.entries()), sum(isinstance(entry.event, Outcome) for entry in door.entries())

    assert door.with_stream(a_call(), entries_on_departure) == (1, 0)


def test_a_client_that_goes_away_closes_the_way_to_the_provider(tmp_path: Path, provider: StandIn) -> None:
    provider.behaviour = Behaviour(stall_after=2)

    async def leave_after_a_word(stream: Stream) -> None:
        async for batch in stream:
            if any(isinstance(event, TextDelta) for event in batch):
                return

    with open_door(tmp_path, provider) as door:
        door.with_stream(a_call(), leave_after_a_word)

        assert wait_for(lambda: provider.hung_up or None) == 1
        outcome = outcome_of_last(door)
    assert (outcome.ended, outcome.because) == ("cancelled", "the client went away")


def test_a_client_that_goes_away_before_the_first_token_is_noticed_too(tmp_path: Path, provider: StandIn) -> None:
    provider.behaviour = Behaviour(head_delay_seconds=20)

    async def leave_at_once(stream: Stream) -> None:
        await anext(stream)
        await asyncio.to_thread(wait_for, lambda: provider.received or None)

    with open_door(tmp_path, provider) as door:
        door.with_stream(a_call(), leave_at_once)

        assert wait_for(lambda: provider.hung_up or None, 3.0) == 1
        assert outcome_of_last(door).ended == "cancelled"


@pytest.mark.slow
def test_a_door_that_closes_in_the_middle_says_so_in_its_ledger(tmp_path: Path, provider: StandIn) -> None:
    provider.behaviour = Behaviour(stall_after=2)
    failed: list[BaseException] = []

    def ask() -> None:
        try:
            door.ask(a_call())
        except RouterError as error:
            failed.append(error)

    with open_door(tmp_path, provider) as door:
        asking = threading.Thread(target=ask)
        asking.start()
        wait_for(lambda: provider.received or None)
    asking.join(10)

    [error] = failed
    assert isinstance(error, LaneMisbehaved)
    outcome = outcome_of_last(door)
    assert (outcome.ended, outcome.because) == ("cancelled", "the door was closed")
    assert wait_for(lambda: provider.hung_up or None) == 1


def test_a_permit_works_once_and_no_header_turns_it_elsewhere(door: OpenDoor, provider: StandIn) -> None:
    body = render(a_call(), hosted_of(door.lane))
    headers = {
        PERMIT_HEADER: a_token(hashlib.sha256(body).hexdigest()),
        LANE_HEADER: "premium",
        "Host": "127.0.0.1:1",
        "X-Forwarded-Host": "127.0.0.1:1",
        "X-Base-Url": "http://127.0.0.1:1/v1",
        "Authorization": "Bearer sk-of-the-caller",
    }

    async def twice() -> list[httpx2.Response]:
        async with door_client(door.socket) as client:
            return [await client.post("/send?base_url=http://127.0.0.1:1", content=body, headers=headers) for _ in "12"]

    first, second = asyncio.run(twice())

    assert b'"stop"' in first.content
    assert second.status_code == 403
    with pytest.raises(DoorRefused, match="used before"):
        decode_line(second.content, "premium")
    [received] = provider.received
    assert received.headers["authorization"] == f"Bearer {provider.key}"
    assert received.headers["host"] == f"127.0.0.1:{provider.port}"
    assert [entry.event.kind for entry in door.entries()] == ["intent", "outcome", "refused"]


def test_a_disk_that_is_full_sends_nothing(door: OpenDoor, provider: StandIn) -> None:
    database = door.door.ledger._database
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    database.execute(f"PRAGMA max_page_count = {pages}")
    first = first_failure(door)
    sent = len(provider.received)

    with pytest.raises(LaneUnreachable, match="sends nothing"):
        door.ask(a_call())

    # The disk may also fill between an intent and its outcome: then the answer has no end.
    assert isinstance(first, LaneUnreachable | EvidenceUnavailable)
    assert len(provider.received) == sent


@pytest.mark.slow
def test_sixty_four_at_once_are_all_answered_and_chained(tmp_path: Path, provider: StandIn) -> None:
    async def all_at_once(socket: Path, door: OpenDoor) -> list[str]:
        async with door_client(socket) as client, asyncio.TaskGroup() as tasks:
            lane = HostedLane(door.lane, hosted_of(door.lane), client, KEY, time.time, unread)

            async def one(number: int) -> str:
                events = [event async for batch in lane.stream(a_call(f"number {number}")) for event in batch]
                return text_of(events)

            asked = [tasks.create_task(one(number)) for number in range(64)]
        return [task.result() for task in asked]

    with open_door(tmp_path, provider) as door:
        answers = asyncio.run(all_at_once(door.socket, door))

        assert answers == ["The capital of France is Paris."] * 64
        assert len(door.entries()) == 128


def test_the_provider_client_keeps_the_keys_out_of_its_own_description() -> None:
    providers = Providers({"BIG_KEY": SecretStr("sk-secret")}, time.time)

    assert "sk-secret" not in repr(vars(providers))
    asyncio.run(providers.close())


def test_a_lane_that_was_switched_off_sends_nothing_from_the_next_request_on(tmp_path: Path, provider: StandIn) -> None:
    switches = Lockout(tmp_path / "lanes-off")
    switches.make()
    with open_door(tmp_path, provider, off=lane_switches(switches, ["premium"])) as door:
        door.ask(a_call("before"))
        switches.lock("premium", "it leaks")
        with pytest.raises(LaneUnreachable, match="because it leaks"):
            door.ask(a_call("while it is off"))
        switches.unlock("premium")
        door.ask(a_call("after"))

        assert [entry.event.kind for entry in door.entries()] == ["intent", "outcome", "intent", "outcome"]
    assert len(provider.received) == 2


def test_a_door_that_can_t_read_the_switches_sends_nothing(tmp_path: Path, provider: StandIn) -> None:
    unreadable = lane_switches(Lockout(tmp_path / "missing"), ["premium"])

    with (
        open_door(tmp_path, provider, off=unreadable) as door,
        pytest.raises(LaneUnreachable, match="switches can't be read"),
    ):
        door.ask(a_call())

    assert provider.received == []


SOMEBODYS = Finding(entity="PERSON", category="pii", start=0, end=3, score=0.9, detector="presidio")


def test_what_the_deep_scan_reads_is_asked_of_cedar_again_and_written_down(tmp_path: Path, provider: StandIn) -> None:
    deep = ScriptedDeepScan(lambda text: (SOMEBODYS,) if "Ada" in text else ())
    with open_door(tmp_path, provider, deep=deep) as door:
        with pytest.raises(DoorRefused, match="confidential text with pii"):
            door.ask(a_call("Ada"))
        door.ask(a_call("Nobody"))

        assert [entry.event.kind for entry in door.await_entries(3)] == ["refused", "intent", "outcome"]
    assert len(provider.received) == 1


def test_a_deep_scan_that_cannot_tell_lets_nothing_out(tmp_path: Path, provider: StandIn) -> None:
    def dies(_: str) -> tuple[Finding, ...]:
        raise ScanUnavailable("it died")

    with open_door(tmp_path, provider, deep=ScriptedDeepScan(dies)) as door:
        with pytest.raises(LaneUnreachable, match="sends nothing unread"):
            door.ask(a_call())

        assert door.entries() == []
    assert provider.received == []


def test_the_last_look_comes_before_the_permit_and_what_it_stops_never_reaches_the_door(door: OpenDoor) -> None:
    async def stops(call: LaneCall, body: bytes) -> None:
        raise FoundBeforeLeaving(call.lane, (SOMEBODYS,))

    async def scenario() -> None:
        async with door_client(door.socket) as client:
            lane = HostedLane(door.lane, hosted_of(door.lane), client, KEY, time.time, stops)
            async for _ in lane.stream(a_call()):
                pass

    with pytest.raises(FoundBeforeLeaving):
        asyncio.run(scenario())
    assert door.entries() == []
