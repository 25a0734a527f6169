"""Each protocol and each of its failures, through the real door and the makers' own clients, from a stand-in that fails on command."""

import threading
from collections.abc import AsyncGenerator, Iterator
from dataclasses import replace
from pathlib import Path

import anthropic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.bundle.files import HostedProtocol
from router.errors import (
    ContextTooLong,
    LaneErrored,
    LaneMisbehaved,
    LaneOverloaded,
    LaneQuotaExhausted,
    LaneRateLimited,
    LaneTimeout,
    LaneUnreachable,
    RouterError,
    SchemaRefused,
)
from router.lane import LaneEvent, ReasoningDelta, Refusal, Stop, TextDelta, ToolCallDelta, Usage
from router.render import render
from serving.door.provider.answer import DECLINED
from serving.door.provider.anthropic_messages import VERSION
from tests.providers.behaviour import Place
from tests.providers.network import Proxy, black_hole
from tests.providers.stand_in import MODEL_VERSION, Behaviour, StandIn, rate_limited
from tests.serving.door.kit import OpenDoor, a_call, a_lane, hosted_of, open_door

PROTOCOLS: tuple[HostedProtocol, ...] = ("openai_chat", "openai_responses", "anthropic_messages")
PATHS = {"openai_chat": "/chat/completions", "openai_responses": "/responses", "anthropic_messages": "/messages"}
ANSWER = "The capital of France is Paris."
HTML = b"<html>Log in</html>"
SSE = "text/event-stream"
Stream = AsyncGenerator[tuple[LaneEvent, ...], None]


pytestmark = pytest.mark.slow  # Two hundred conversations with the stand-in, some of them made to wait.


@pytest.fixture(scope="module")
def standing_in() -> Iterator[StandIn]:
    with StandIn() as provider:
        yield provider


@pytest.fixture(scope="module", params=PROTOCOLS)
def opened(
    request: pytest.FixtureRequest, standing_in: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OpenDoor]:
    """A door for one protocol, for all tests of it: opening one takes longer than a test."""
    lane = a_lane(standing_in.base_url, request.param, connect_seconds=5, first_token_seconds=20, gap_seconds=20)
    with open_door(tmp_path_factory.mktemp("door"), standing_in, lane) as door:
        yield door


@pytest.fixture(scope="module", params=PROTOCOLS)
def hasty(
    request: pytest.FixtureRequest, standing_in: StandIn, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OpenDoor]:
    """A door that does not wait long."""
    lane = a_lane(standing_in.base_url, request.param, connect_seconds=2, first_token_seconds=2, gap_seconds=2)
    with open_door(tmp_path_factory.mktemp("door"), standing_in, lane) as door:
        yield door


@pytest.fixture
def provider(standing_in: StandIn) -> StandIn:
    standing_in.reset()
    return standing_in


def text_of(events: list[LaneEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def stop_of(events: list[LaneEvent]) -> Stop:
    assert isinstance(events[-1], Stop)
    return events[-1]


def failure_of(door: OpenDoor, *, streamed: bool) -> tuple[RouterError, list[LaneEvent]]:
    """Return how a call fails, and what came before it where it is read while it comes."""
    seen: list[LaneEvent] = []

    async def read(stream: Stream) -> None:
        async for batch in stream:
            seen.extend(batch)

    with pytest.raises(RouterError) as raised:
        door.with_stream(a_call(), read) if streamed else door.ask(a_call())
    return raised.value, seen


def test_an_answer_comes_back_typed_with_its_usage_and_what_answered(opened: OpenDoor, provider: StandIn) -> None:
    events = opened.ask(a_call())

    assert text_of(events) == ANSWER
    assert [event for event in events if isinstance(event, Usage)][-1] == Usage(11, 7, 3)
    assert stop_of(events).reason == "stop"
    assert (stop_of(events).model_version or "").startswith(MODEL_VERSION)


def test_exactly_the_rendered_bytes_go_to_the_protocol_s_path_with_its_own_headers(
    opened: OpenDoor, provider: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_CUSTOM_HEADERS", "X-Secret: 1")
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "another")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-secret")
    hosted = hosted_of(opened.lane)
    call = a_call("Grüße, 東京 🗼")

    opened.ask(call)

    [received] = provider.received
    own = {"x-api-key", "anthropic-version"} if hosted.protocol == "anthropic_messages" else set()
    plain = {"host", "authorization", "content-type", "accept", "accept-encoding", "user-agent", "content-length"}
    assert received.body == render(call, hosted)
    assert received.path == "/v1" + PATHS[hosted.protocol]
    assert set(received.headers) == plain | own


def test_the_version_that_is_asked_for_is_the_one_whose_types_read_the_answer() -> None:
    sdk = anthropic.AsyncAnthropic(api_key="k", base_url="http://127.0.0.1:9")

    assert sdk.default_headers["anthropic-version"] == VERSION


def test_tool_calls_come_with_their_names_ids_and_arguments(opened: OpenDoor, provider: StandIn) -> None:
    calls = (("call_1", "look", '{"q":1}'), ("call_2", "go", "{}"))
    provider.behaviour = Behaviour(reasoning="Let me see.", tool_calls=calls)

    events = opened.ask(a_call())

    pieces = [event for event in events if isinstance(event, ToolCallDelta)]
    assert ReasoningDelta("Let me see.") in events
    assert [(piece.index, piece.id, piece.name) for piece in pieces if piece.id] == [
        (0, "call_1", "look"),
        (1, "call_2", "go"),
    ]
    for number, (_, _, arguments) in enumerate(calls):
        assert "".join(piece.arguments for piece in pieces if piece.index == number) == arguments
    assert stop_of(events).reason == "tool_calls"


def test_arguments_that_are_no_object_come_as_they_are(opened: OpenDoor, provider: StandIn) -> None:
    provider.behaviour = Behaviour(tool_calls=(("call_1", "look", '"gabenwelter"'),))

    events = opened.ask(a_call())

    assert "".join(event.arguments for event in events if isinstance(event, ToolCallDelta)) == '"gabenwelter"'


def test_a_refusal_is_a_refusal_in_every_protocol(opened: OpenDoor, provider: StandIn) -> None:
    provider.behaviour = Behaviour(refusal="I can't.")

    events = opened.ask(a_call())

    says = "".join(event.text for event in events if isinstance(event, Refusal))
    words = {"anthropic_messages": DECLINED}.get(hosted_of(opened.lane).protocol, "I can't.")
    assert says == words
    assert text_of(events) == ""


@pytest.mark.parametrize(("finish", "reason"), [("length", "length"), ("content_filter", "content_filter")])
def test_how_an_answer_ends_has_one_name_in_every_protocol(
    opened: OpenDoor, provider: StandIn, finish: str, reason: str
) -> None:
    provider.behaviour = Behaviour(finish=finish)

    events = opened.ask(a_call())

    assert stop_of(events).reason == reason
    assert text_of(events) == ANSWER


@pytest.mark.parametrize("at", [None, "content"])
def test_a_content_filter_s_error_is_a_refusal_and_no_failure(
    opened: OpenDoor, provider: StandIn, at: Place | None
) -> None:
    provider.behaviour = Behaviour(fails="content_filter", fails_at=at)

    events = opened.ask(a_call())

    assert Refusal(DECLINED) in events
    assert stop_of(events).reason == "content_filter"


FAILURES = [
    (Behaviour(fails="rate_limit"), LaneRateLimited, "429"),
    (Behaviour(fails="quota"), LaneQuotaExhausted, "nothing left"),
    (Behaviour(status=402), LaneQuotaExhausted, "nothing left"),
    (Behaviour(fails="overloaded"), LaneOverloaded, "5"),
    (Behaviour(status=503), LaneOverloaded, "503"),
    (Behaviour(status=529), LaneOverloaded, "529"),
    (Behaviour(fails="server_error"), LaneErrored, "500"),
    (Behaviour(status=502, raw_body=b"<html>Bad gateway</html>", content_type="text/html"), LaneErrored, "502"),
    (Behaviour(status=408), LaneTimeout, "408"),
    (Behaviour(status=504), LaneTimeout, "504"),
    (Behaviour(fails="bad_key"), LaneUnreachable, "key refused"),
    (Behaviour(fails="forbidden"), LaneUnreachable, "may not use"),
    (Behaviour(fails="no_such_model"), LaneMisbehaved, "404"),
    (Behaviour(status=400), LaneMisbehaved, "400"),
    (Behaviour(fails="context_too_long"), ContextTooLong, "does not fit"),
    (Behaviour(status=413), ContextTooLong, "does not fit"),
    (Behaviour(fails="schema_refused"), SchemaRefused, "schema"),
    (Behaviour(raw_body=HTML), LaneMisbehaved, "something else than an event stream"),
    (Behaviour(raw_body=b"", content_type=SSE), LaneMisbehaved, "ended before the answer did"),
    (Behaviour(raw_body=HTML, content_type=SSE), LaneMisbehaved, "ended before the answer did"),
    (Behaviour(cut_after=-1), LaneUnreachable, "hung up"),
    (Behaviour(cut_after="head"), LaneMisbehaved, "cut"),
    (Behaviour(cut_after="content"), LaneMisbehaved, "cut"),
    (Behaviour(garbage_at="head"), LaneMisbehaved, "can't be read"),
    (Behaviour(garbage_at="content"), LaneMisbehaved, "can't be read"),
    (Behaviour(garbage_at="content", garbage="42"), LaneMisbehaved, "can't be read"),
    (Behaviour(fails="rate_limit", fails_at="content"), LaneRateLimited, "broke off (rate_limit"),
    (Behaviour(fails="server_error", fails_at="content"), LaneErrored, "broke off"),
]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("behaviour", "error", "because"), FAILURES, ids=[f"{number}" for number in range(len(FAILURES))]
)
def test_each_failure_before_the_answer_has_its_own_error_in_every_protocol(
    opened: OpenDoor,
    provider: StandIn,
    behaviour: Behaviour,
    error: type[RouterError],
    because: str,
    streamed: bool,
) -> None:
    provider.behaviour = behaviour

    failure, seen = failure_of(opened, streamed=streamed)

    assert type(failure) is error
    assert because in str(failure)
    assert provider.key not in str(failure)
    assert text_of(seen) == ""
    assert len(provider.received) == 1


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("behaviour", "error", "because"),
    [
        (Behaviour(cut_after="middle"), LaneMisbehaved, "cut"),
        (Behaviour(cut_after="end"), LaneMisbehaved, "cut"),
        (Behaviour(garbage_at="middle"), LaneMisbehaved, "can't be read"),
        (Behaviour(fails="overloaded", fails_at="middle"), LaneMisbehaved | LaneOverloaded, "broke off"),
    ],
    ids=["cut", "cut before the end", "garbage", "error"],
)
def test_a_failure_after_content_never_ends_with_a_stop(
    opened: OpenDoor,
    provider: StandIn,
    behaviour: Behaviour,
    error: type[RouterError],
    because: str,
    streamed: bool,
) -> None:
    provider.behaviour = behaviour

    failure, seen = failure_of(opened, streamed=streamed)

    assert isinstance(failure, error)
    assert because in str(failure)
    assert not any(isinstance(event, Stop) for event in seen)
    assert ANSWER.startswith(text_of(seen))
    if streamed:
        assert text_of(seen)


def test_a_cut_after_the_provider_s_own_end_costs_no_answer(opened: OpenDoor, provider: StandIn) -> None:
    provider.behaviour = Behaviour(cut_after="tail")

    events = opened.ask(a_call())

    assert (text_of(events), stop_of(events).reason) == (ANSWER, "stop")


@pytest.mark.parametrize(
    ("behaviour", "seconds"),
    [
        (rate_limited(seconds="7"), 7.0),
        (rate_limited(milliseconds="1500", seconds="9"), 1.5),
        (rate_limited(seconds="Wed, 21 Oct 2015 07:28:00 GMT"), 0.0),
        (rate_limited(seconds="soon"), None),
        (rate_limited(), None),
    ],
    ids=["seconds", "milliseconds", "date", "nonsense", "nothing"],
)
def test_what_a_provider_says_of_coming_back_is_handed_on(
    opened: OpenDoor, provider: StandIn, behaviour: Behaviour, seconds: float | None
) -> None:
    provider.behaviour = behaviour
    limited, _ = failure_of(opened, streamed=False)
    provider.behaviour = replace(behaviour, fails="overloaded")
    overloaded, _ = failure_of(opened, streamed=False)

    assert isinstance(limited, LaneRateLimited)
    assert isinstance(overloaded, LaneOverloaded)
    assert limited.retry_after_seconds == overloaded.retry_after_seconds == seconds


@pytest.mark.parametrize(
    ("behaviour", "because"),
    [
        (Behaviour(head_delay_seconds=20), "no first token in time"),
        (Behaviour(first_delay_seconds=20, keep_alive_comments=True), "no first token in time"),
        (Behaviour(half_open=True), "no first token in time"),
        (Behaviour(stall_after="content"), "no first token in time"),
        (Behaviour(stall_after="middle"), "no next token in time"),
    ],
    ids=["before the head", "comments alone", "half-open", "before content", "after content"],
)
def test_a_provider_that_falls_silent_is_not_waited_for(
    hasty: OpenDoor, provider: StandIn, behaviour: Behaviour, because: str
) -> None:
    provider.behaviour = behaviour

    failure, _ = failure_of(hasty, streamed=True)

    assert isinstance(failure, LaneTimeout)
    assert because in str(failure)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_goes_wrong_below_http_is_told_apart(tmp_path: Path, provider: StandIn, protocol: HostedProtocol) -> None:
    def error_at(port: int) -> RouterError:
        lane = a_lane(f"http://127.0.0.1:{port}/v1", protocol, connect_seconds=1, first_token_seconds=5, gap_seconds=1)
        folder = tmp_path / str(port)
        folder.mkdir()
        with open_door(folder, provider, lane) as door:
            return failure_of(door, streamed=True)[0]

    with black_hole() as nowhere:
        assert type(error_at(nowhere)) is LaneTimeout
    with Proxy(provider.port, refusing=True) as refusing:
        assert type(error_at(refusing.port)) is LaneUnreachable
    with Proxy(provider.port, cut_after_bytes=600) as cutting:
        assert type(error_at(cutting.port)) is LaneMisbehaved
    with Proxy(provider.port) as freezing:
        provider.behaviour = Behaviour(gap_seconds=0.3)
        threading.Timer(0.8, lambda: setattr(freezing, "frozen", True)).start()
        assert type(error_at(freezing.port)) is LaneTimeout


PIECES = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12), min_size=1, max_size=4)


@given(pieces=PIECES, split=st.integers(1, 60), crlf=st.booleans(), unknown=st.booleans(), comments=st.booleans())
@settings(max_examples=12)
def test_however_a_stream_is_cut_into_packets_and_lines_the_events_are_the_same(
    opened: OpenDoor,
    standing_in: StandIn,
    pieces: list[str],
    split: int,
    crlf: bool,
    unknown: bool,
    comments: bool,
) -> None:
    plain = Behaviour(pieces=tuple(pieces), tool_calls=())
    standing_in.behaviour = plain
    expected = opened.ask(a_call())[1:]

    standing_in.behaviour = replace(
        plain, split_bytes=split, crlf=crlf, unknown_events=unknown, keep_alive_comments=comments
    )
    events = opened.ask(a_call())[1:]

    assert events == expected
    assert text_of(events) == "".join(pieces)
