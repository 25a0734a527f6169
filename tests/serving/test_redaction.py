"""A redacting lane from the API to the provider and back: real gateway, keeper, lane, door and sockets; a stand-in for the provider."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from router.bundle import Bundle, load_bundle
from router.contract import Evidence, Topic
from router.lane import Stop, TextDelta
from router.testing import ScriptedHeads, ScriptedLane
from serving.door.main import rules_of
from serving.hosted import HostedLane, door_client
from serving.keeper import Keeper
from serving.redaction_maps import KEY_BYTES
from serving.settings import Settings
from tests.providers.stand_in import Behaviour, StandIn
from tests.redaction_bundle import LANE, with_redaction
from tests.serving.conftest import System, door_of
from tests.serving.door.kit import KEY, OpenDoor, hosted_of, open_door, unread

STARTER = Path("config/starter").resolve()
ASKED = "My name is Ada Moore, my mail is ada.moore@example.org. Greet me by name."
REDACTED = "My name is <PERSON_1>, my mail is <EMAIL_ADDRESS_1>. Greet me by name."
HARD = ScriptedHeads(
    lambda _: Topic(intent="question", confidence=0.9, domain="general", mode="chat", difficulty=0.9),
    intents=("question", "coding", "extraction"),
    domains=("general",),
)
TOOL = {
    "type": "function",
    "function": {"name": "mail", "description": "mails", "parameters": {"properties": {"to": {"type": "string"}}}},
}


class InProcess:
    """A keeper in this process, with a Ray handle's face."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.keeper = Keeper(settings)

    def __getattr__(self, name: str) -> "_Method":
        return _Method(getattr(self.keeper, name))

    def restart(self) -> None:
        """What a killed keeper's successor starts from: the files alone."""
        self.keeper = Keeper(self.settings)


@dataclass
class _Method:
    method: Callable[..., Awaitable[Any]]

    async def remote(self, *arguments: Any) -> Any:
        return await self.method(*arguments)


@dataclass
class Place:
    """The whole way out, and the stand-in at its end."""

    system: System
    provider: StandIn
    door: OpenDoor
    keeper: InProcess

    def ask(self, text: str = ASKED, session: str | None = None, **fields: Any) -> Any:
        """Post a chat request (`turns`: earlier messages) and return the response."""
        headers = {"x-lane-session": session} if session else {}
        messages = [*fields.pop("turns", ()), {"role": "user", "content": text}]
        body = {"model": "auto", "messages": messages, **fields}

        async def post() -> Any:
            async with self.system.http() as http, door_client(self.door.socket) as client:
                spec = self.system.bundle.lanes[LANE]
                self.system.lanes[LANE] = HostedLane(spec, hosted_of(spec), client, KEY, time.time, unread)  # type: ignore[assignment]
                self.system.client._door, self.system.client._seen_at = (
                    door_of(self.system.bundle, {}),
                    time.monotonic(),
                )
                return await http.post("/v1/chat/completions", json=body, headers=headers)

        return asyncio.run(post())

    @property
    def sent(self) -> list[str]:
        """The bodies that the provider got."""
        return [received.body.decode() for received in self.provider.received]

    def evidence(self, response: Any) -> Evidence:
        record = self.system.store.read(response.headers["x-lane-trace-id"])
        assert record is not None
        return record


@pytest.fixture(scope="module")
def provider() -> Iterator[StandIn]:
    with StandIn() as provider:
        yield provider


@pytest.fixture(scope="module")
def folder(provider: StandIn, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_redaction(STARTER, tmp_path_factory.mktemp("redaction") / "bundle", provider.base_url)


@pytest.fixture(scope="module")
def bundle(folder: Path) -> Bundle:
    return load_bundle(folder, HARD)


@pytest.fixture
def place(provider: StandIn, folder: Path, bundle: Bundle, tmp_path: Path) -> Iterator[Place]:
    provider.received.clear()
    provider.behaviour = Behaviour(
        pieces=("Dear <PER", "SON_1", ">, welcome; we write to PERSON_1 at <email_address_1>.")
    )
    (tmp_path / "redaction.key").write_bytes(b"k" * KEY_BYTES)
    keeper = InProcess(Settings(home=tmp_path, bundle=folder, models=tmp_path))
    rules = rules_of(bundle, KEY.public_key())
    with open_door(tmp_path, provider, bundle.lanes[LANE], rules=rules) as door:
        system = System(bundle, tmp_path, keeper=keeper)
        system.lanes["private"] = ScriptedLane(lambda _: [(TextDelta("from home"),), (Stop("stop", "w1"),)])
        yield Place(system, provider, door, keeper)
        system.store.close()


def content(response: Any) -> Any:
    return response.json()["choices"][0]["message"]["content"]


def test_the_provider_never_sees_the_values_and_the_caller_sees_them_restored(place: Place) -> None:
    response = place.ask()

    assert response.headers["x-lane-lane"] == LANE
    assert content(response) == "Dear Ada Moore, welcome; we write to Ada Moore at ada.moore@example.org."
    (body,) = place.sent
    assert json.loads(body)["messages"] == [{"role": "user", "content": REDACTED}]
    assert "Moore" not in body


def test_a_streamed_answer_is_restored_across_its_pieces(place: Place) -> None:
    response = place.ask(stream=True)

    chunks = [orjson.loads(line[6:]) for line in response.text.split("\n\n") if line.startswith("data: {")]
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert text == "Dear Ada Moore, welcome; we write to Ada Moore at ada.moore@example.org."
    assert "PERSON" not in response.text
    assert "Moore" not in place.sent[0]


@pytest.mark.parametrize("stream", [True, False])
def test_a_tool_call_s_arguments_are_restored(place: Place, stream: bool) -> None:
    arguments = '{"to": "<EMAIL_ADDRESS_1>", "text": "Dear <PERSON_1>"}'
    place.provider.behaviour = Behaviour(tool_calls=(("c1", "mail", arguments),))

    response = place.ask(tools=[TOOL], stream=stream)

    if stream:
        chunks = [orjson.loads(line[6:]) for line in response.text.split("\n\n") if line.startswith("data: {")]
        calls = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", ())]
        came = "".join(call["function"].get("arguments") or "" for call in calls)
    else:
        (call,) = response.json()["choices"][0]["message"]["tool_calls"]
        came = call["function"]["arguments"]
    assert json.loads(came) == {"to": "ada.moore@example.org", "text": "Dear Ada Moore"}


def test_a_tool_s_earlier_arguments_and_result_are_redacted_too(place: Place) -> None:
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "mail", "arguments": '{"to": "ada.moore@example.org"}'},
    }
    turns = [
        {"role": "system", "content": "You work for Ada Moore."},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": '{"sent_to": "ada.moore@example.org"}'},
    ]

    response = place.ask(turns=turns, tools=[TOOL])

    assert response.headers["x-lane-lane"] == LANE
    assert "oore" not in place.sent[0]
    system, assistant, tool, _ = json.loads(place.sent[0])["messages"]
    assert system["content"] == "You work for <PERSON_1>."
    assert json.loads(assistant["tool_calls"][0]["function"]["arguments"]) == {"to": "<EMAIL_ADDRESS_1>"}
    assert json.loads(tool["content"]) == {"sent_to": "<EMAIL_ADDRESS_1>"}


def test_a_json_answer_is_held_against_its_schema_once_it_is_restored(place: Place) -> None:
    schema = {
        "type": "object",
        "properties": {"mail": {"type": "string", "format": "email"}},
        "required": ["mail"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    place.provider.behaviour = Behaviour(pieces=('{"mail": "<EMAIL_ADD', 'RESS_1>"}'))

    response = place.ask(response_format=form)

    assert response.headers["x-lane-lane"] == LANE
    assert json.loads(content(response)) == {"mail": "ada.moore@example.org"}
    assert [check.valid for check in place.evidence(response).validations] == [True]


def test_the_evidence_counts_what_was_taken_out_and_holds_no_value(place: Place) -> None:
    response = place.ask()

    evidence = place.evidence(response)
    (taken,) = evidence.redactions
    assert taken.entities == {"PERSON": 1, "EMAIL_ADDRESS": 1}
    assert taken.categories == ("pii",)
    assert "oore" not in evidence.model_dump_json()
    (sent,) = evidence.egress
    assert sent.allowed


def test_the_door_was_asked_about_the_redacted_text_and_got_nothing_of_the_map(place: Place, tmp_path: Path) -> None:
    place.ask()

    assert [entry.event.label.level for entry in place.door.await_entries(2) if hasattr(entry.event, "label")] == [
        "public"
    ]
    assert not [file for file in tmp_path.rglob("ledger*") if b"oore" in file.read_bytes()]


def test_what_the_lane_does_not_redact_stays_at_home(place: Place) -> None:
    response = place.ask("My name is Ada Moore and I have diabetes. Greet me.")

    assert response.headers["x-lane-lane"] == "private"
    assert place.sent == []


def test_nobody_gets_a_value_by_writing_its_placeholder(place: Place) -> None:
    place.ask(session="s")
    place.provider.behaviour = Behaviour(pieces=("You wrote <PERSON_1>.",))

    response = place.ask("I am Bo Berg (mail: bo@example.org). What does <PERSON_1> mean?", session="t")

    assert content(response) == "You wrote <PERSON_1>."


@pytest.mark.parametrize("key", [b"x" * KEY_BYTES, None])
def test_with_another_key_or_none_the_lane_is_closed_to_the_session(
    place: Place, tmp_path: Path, key: bytes | None
) -> None:
    asyncio.run(place.keeper.keep_placeholders.remote("local", "s", b'[["PERSON",1,"Ada Moore","pii"]]'))
    (tmp_path / "redaction.key").unlink()
    if key is not None:
        (tmp_path / "redaction.key").write_bytes(key)

    response = place.ask(session="s")

    assert (response.headers["x-lane-lane"], content(response)) == ("private", "from home")
    assert place.sent == []


def said(*turns: str) -> list[dict[str, str]]:
    """Turns of user and assistant, in turn."""
    return [{"role": ("user", "assistant")[index % 2], "content": turn} for index, turn in enumerate(turns)]


def test_a_session_s_placeholders_are_the_same_in_its_next_turn_and_after_a_keeper_s_restart(place: Place) -> None:
    first = content(place.ask(session="s"))
    place.keeper.restart()
    place.provider.behaviour = Behaviour(pieces=("Dear <PERSON_1> and <PERSON_2>",))

    response = place.ask("Now my name is Bo Berg. Greet both.", session="s", turns=said(ASKED, first))

    assert response.headers["x-lane-lane"] == LANE
    assert [turn["content"] for turn in json.loads(place.sent[1])["messages"]] == [
        REDACTED,
        "Dear <PERSON_1>, welcome; we write to <PERSON_1> at <EMAIL_ADDRESS_1>.",
        "Now my name is <PERSON_2>. Greet both.",
    ]
    assert content(response) == "Dear Ada Moore and Bo Berg"


def test_an_answer_s_values_are_found_again_when_the_turn_that_gave_them_is_left_out(place: Place) -> None:
    first = content(place.ask(session="s"))
    question = "Say it in French."

    known = place.ask(question, session="s", model=LANE, turns=said(question, first))

    assert known.headers["x-lane-lane"] == LANE
    assert "oore" not in place.sent[1]
    assert json.loads(place.sent[1])["messages"][1]["content"].startswith("Dear <PERSON_1>, welcome")


def test_a_session_whose_map_has_expired_is_answered_at_home(place: Place) -> None:
    first = content(place.ask(session="s"))
    with sqlite3.connect(place.keeper.settings.state_file) as state:
        state.execute("UPDATE redaction_maps SET expires_at = 1")

    response = place.ask("Say it in French.", session="s", turns=said(ASKED, first))

    assert response.headers["x-lane-lane"] == "private"
    assert len(place.sent) == 1


def test_an_answer_from_home_keeps_its_session_at_home(place: Place) -> None:
    place.provider.behaviour = Behaviour(status=500)
    assert content(place.ask(session="s")) == "from home"
    place.provider.behaviour = Behaviour()

    response = place.ask("Say it in French.", session="s", turns=said(ASKED, "from home"))

    assert response.headers["x-lane-lane"] == "private"
