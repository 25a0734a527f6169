"""What a session remembers: on disk, and through the API as an agent meets it."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from router.contract import ImagePart, Label, Message, TextPart, ToolCall
from router.lane import Stop, TextDelta, ToolCallDelta, Usage
from serving.api.metrics import turn_bucket
from serving.sessions import KEPT_SECONDS, SPANS_AT_MOST, Said, Seen, Sessions, hash_of

PRIVATE = Label(level="restricted", categories=("payment",))
INTERNAL = Label(level="internal")
CARD = "Please note my card 4111 1111 1111 1111 for the order."


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(tmp_path: Path, clock: Clock) -> Iterator[Sessions]:
    made = Sessions(tmp_path / "state.sqlite", clock)
    yield made
    made.close()


def seen(label: Label = INTERNAL, *, turn: bool = True, **spans: Label) -> Seen:
    return Seen(label=label, spans=spans, turn=turn)


def test_a_session_never_seen_knows_nothing_and_is_public(sessions: Sessions) -> None:
    remembered = sessions.recall("org", "s", ["a"])

    assert (remembered.label, remembered.turns, remembered.known) == (Label(), 0, {})


def test_what_was_kept_is_known_to_this_session_alone(sessions: Sessions) -> None:
    sessions.keep("org", "s", seen(PRIVATE, a=PRIVATE, b=Label()))

    assert sessions.recall("org", "s", ["a", "b", "c"]).known == {"a": PRIVATE, "b": Label()}
    assert sessions.recall("org", "t", ["a"]).known == {}
    assert sessions.recall("other", "s", ["a"]).label == Label()


def test_labels_only_rise_and_turns_are_counted_not_answers(sessions: Sessions) -> None:
    sessions.keep("org", "s", seen(PRIVATE, a=PRIVATE))
    sessions.keep("org", "s", seen(INTERNAL, turn=False, a=INTERNAL))

    remembered = sessions.recall("org", "s", ["a"])
    assert (remembered.label, remembered.turns, remembered.known) == (PRIVATE, 1, {"a": PRIVATE})


def test_it_is_still_known_after_a_restart(sessions: Sessions, tmp_path: Path, clock: Clock) -> None:
    sessions.keep("org", "s", seen(PRIVATE, a=PRIVATE))
    again = Sessions(tmp_path / "state.sqlite", clock)

    assert again.recall("org", "s", ["a"]) == sessions.recall("org", "s", ["a"])
    again.close()


def test_of_too_many_messages_none_is_recognised_and_the_join_counts(sessions: Sessions) -> None:
    sessions.keep("org", "s", seen(PRIVATE, **{f"m{number}": Label() for number in range(SPANS_AT_MOST)}))

    remembered = sessions.recall("org", "s", ["m0"])
    assert (remembered.label, remembered.known) == (PRIVATE, {})


def test_long_after_the_last_turn_only_the_join_is_left(sessions: Sessions, clock: Clock) -> None:
    sessions.keep("org", "s", seen(PRIVATE, a=PRIVATE))
    clock.now += KEPT_SECONDS + 1
    sessions.keep("org", "another", seen(a=Label()))

    remembered = sessions.recall("org", "s", ["a"])
    assert (remembered.label, remembered.known) == (PRIVATE, {})


def test_a_keep_that_fails_changes_nothing(sessions: Sessions, tmp_path: Path) -> None:
    sessions.keep("org", "s", seen(INTERNAL, a=INTERNAL))
    with sqlite3.connect(tmp_path / "state.sqlite") as other:
        other.execute("CREATE TRIGGER no BEFORE INSERT ON session_spans BEGIN SELECT RAISE(ABORT, 'no'); END")

    with pytest.raises(sqlite3.IntegrityError):
        sessions.keep("org", "s", seen(PRIVATE, b=PRIVATE))

    assert sessions.recall("org", "s", []).label == INTERNAL


# ------------------------------------------------------------------ recognising


def message(text: str, role: Any = "user", **fields: Any) -> Message:
    return Message(role=role, content=(TextPart(text=text),), **fields)


def test_a_message_is_recognised_by_role_and_content_under_a_key() -> None:
    one = hash_of(message("Hello"), b"key")

    assert one == hash_of(message(" Hello\n", label=INTERNAL), b"key")
    assert one != hash_of(message("Hello"), b"another")
    assert one != hash_of(message("Hello", role="assistant"), b"key")
    assert one != hash_of(message("Hello there"), b"key")
    picture = ImagePart(media_type="image/png", data="aGk=")
    assert one != hash_of(Message(role="user", content=(TextPart(text="Hello"), picture)), b"key")


def test_an_answer_is_recognised_when_it_comes_back_with_its_tool_calls() -> None:
    said = Said()
    for batch in (
        (TextDelta("Let me "),),
        (TextDelta("see."), ToolCallDelta(0, id="x1", name="look_up")),
        (ToolCallDelta(0, '{"a":'), ToolCallDelta(0, "1}")),
        (Usage(1, 1), Stop("tool_calls")),
    ):
        said.take(batch)
    call = ToolCall(id="anything", name="look_up", arguments='{"a":1}')
    returned = message("Let me see.", role="assistant", tool_calls=(call,))

    assert hash_of(said.message(), b"key") == hash_of(returned, b"key")


@pytest.mark.parametrize(("turn", "bucket"), [(1, "1"), (2, "2"), (3, "3-5"), (5, "3-5"), (10, "6-10"), (11, "11+")])
def test_turns_are_counted_in_few_buckets(turn: int, bucket: str) -> None:
    assert turn_bucket(turn) == bucket


# ------------------------------------------------------------------ as an agent meets it

USER_1 = {"role": "user", "content": "What is the capital of France?"}
ANSWER = {"role": "assistant", "content": "Hello there"}
USER_2 = {"role": "user", "content": CARD}
USER_3 = {"role": "user", "content": "Write a python function that reverses a list."}


def stored_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("state.sqlite*"))


async def turn(system: Any, *messages: dict[str, str], session: str = "s1") -> dict[str, Any]:
    async with system.http() as http:
        response = await http.post(
            "/v1/chat/completions",
            json={"model": "auto", "messages": messages},
            headers={"x-lane-session": session},
        )
        assert response.status_code == 200, response.text
        evidence = (await http.get(f"/v1/evidence/{response.headers['x-lane-trace-id']}")).json()
    decision: dict[str, Any] = evidence["decisions"][0]["decision"]
    return decision


async def ready(system: Any) -> None:
    """The private lane says something of its own: equal words are one message to a session."""
    await system.all_lanes_on()
    system.lanes["private"].script = lambda _: [(TextDelta("Noted, thank you."), Usage(5, 2), Stop("stop", "w1"))]


def may_leave(system: Any, decision: dict[str, Any]) -> bool:
    return any(system.bundle.lanes[rung["lane"]].is_hosted for rung in decision["ladder"])


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.anyio
async def test_a_private_turn_that_the_agent_leaves_out_lets_the_next_one_leave_again(system: Any) -> None:
    await ready(system)
    await turn(system, USER_1)
    private = await turn(system, USER_1, ANSWER, USER_2)
    left_out = await turn(system, USER_1, ANSWER, USER_3)

    assert not may_leave(system, private)
    assert left_out["label"]["level"] == "public"
    assert may_leave(system, left_out)


@pytest.mark.anyio
async def test_a_private_turn_that_is_sent_along_or_summarised_keeps_the_next_one_in(system: Any) -> None:
    await ready(system)
    await turn(system, USER_1)
    await turn(system, USER_1, ANSWER, USER_2)
    its_answer = {"role": "assistant", "content": "Noted, thank you."}
    summary = {"role": "assistant", "content": "So far: the user gave a number."}

    for messages in (
        (USER_3,),
        (USER_1, ANSWER, USER_2, its_answer, USER_3),
        (USER_1, ANSWER, its_answer, USER_3),
        (USER_1, ANSWER, summary, USER_3),
    ):
        assert not may_leave(system, await turn(system, *messages)), messages


@pytest.mark.anyio
async def test_a_streamed_answer_is_recognised_too(system: Any) -> None:
    await ready(system)
    async with system.http() as http:
        body = {"model": "auto", "messages": [USER_1], "stream": True}
        await http.post("/v1/chat/completions", json=body, headers={"x-lane-session": "s1"})
    await turn(system, USER_1, ANSWER, USER_2)

    assert may_leave(system, await turn(system, USER_1, ANSWER, USER_3))


@pytest.mark.anyio
async def test_a_planned_end_is_the_bundles_word_and_nobodys_secret(system: Any) -> None:
    await ready(system)
    change = {"role": "user", "content": "Please cancel my subscription now."}
    async with system.http() as http:
        body = {"model": "auto", "messages": [change]}
        ended = await http.post("/v1/chat/completions", json=body, headers={"x-lane-session": "s1"})
    said = {"role": "assistant", "content": ended.json()["choices"][0]["message"]["content"] or ""}
    refused = ended.json()["choices"][0]["message"].get("refusal")
    said = {"role": "assistant", "content": refused} if refused else said
    await turn(system, change, said, USER_2)

    assert may_leave(system, await turn(system, change, said, USER_3))


@pytest.mark.anyio
async def test_the_private_share_is_counted_by_turn(system: Any) -> None:
    def count(turn: str, stays: str) -> float:
        return REGISTRY.get_sample_value("lane_turns_total", {"turn": turn, "stays_private": stays}) or 0.0

    before = count("1", "false"), count("2", "true")
    await turn(system, USER_1, session="counted")
    await turn(system, USER_1, ANSWER, USER_2, session="counted")

    assert (count("1", "false"), count("2", "true")) == (before[0] + 1, before[1] + 1)


@pytest.mark.anyio
async def test_no_text_of_a_session_is_kept(system: Any, tmp_path: Path) -> None:
    await turn(system, USER_1, session="told")
    await turn(system, USER_1, ANSWER, USER_2, session="told")

    stored = stored_in(tmp_path)
    assert b"4111" not in stored
    assert b"capital" not in stored
