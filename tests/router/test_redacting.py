"""A lane that redacts never sees the values, and the caller never sees the placeholders; whatever can't be kept or proved closes it."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from router.bundle import Bundle
from router.bundle.files import Hosted, LaneSpec
from router.contract import (
    AttemptEnded,
    Decision,
    Finding,
    Label,
    Message,
    OutputContract,
    Redacted,
    Redacts,
    ResponseFormat,
    RouteRequest,
    Rung,
    Sampling,
    TextPart,
    ToolSpec,
    Topic,
    Validated,
)
from router.errors import LaneClosed
from router.execute import Climbed, Run, execute
from router.lane import LaneCall, LaneEvent, Stop, TextDelta, ToolCallDelta
from router.redact import Placeholders
from router.redact.placeholders import Placeholder
from router.scan import scan_text
from router.testing import ManualClock, MemoryEvidence, MemoryMaps, ScriptedLane

TEXT = "My name is Ada Moore and my card is 4111 1111 1111 1111. What is my name?"
FAR = LaneSpec(
    name="far", hosted=Hosted(provider="p", base_url="http://127.0.0.1:1", model="big", api_key_env="K", region="us")
)
PERSON = '{"type":"object","properties":{"name":{"const":"Ada Moore"}},"required":["name"]}'
Script = Callable[[LaneCall], Iterable[Any]]


def asked(text: str = TEXT, **fields: Any) -> RouteRequest:
    return RouteRequest(messages=(Message(role="user", content=(TextPart(text=text),)),), org="acme", **fields)


def spoken(*pieces: str) -> list[Any]:
    return [*((TextDelta(piece),) for piece in pieces), (Stop("stop"),)]


class Bench:
    """A request to a lane that redacts, a private one for when it closes, and what came of it."""

    def __init__(self, bundle: Bundle, request: RouteRequest, script: Script, **changes: Any) -> None:
        self.far, self.near = ScriptedLane(script), ScriptedLane(lambda _: spoken("at home"))
        self.evidence, self.maps = MemoryEvidence(), changes.pop("maps", MemoryMaps())
        self.events: list[LaneEvent] = []
        self.lanes: list[str] = []
        findings: tuple[Finding, ...] = changes.pop("findings", scan_text(request.messages[0].text))
        redacts = Redacts(categories=("payment", "pii"), label=changes.pop("label", Label()))
        fields: dict[str, Any] = {
            "route": "r",
            "risk_tier": "high",
            "topic": Topic(intent="question", confidence=1, domain="general", mode="chat"),
            "label": Label(level="restricted", categories=("payment", "pii")),
            "findings": findings,
            "lane": "far",
            "model": "big",
            "sampling": request.sampling,
            "ladder": (
                Rung(lane="far", model="big", on=("start",), redacts=redacts),
                Rung(lane="private", model="m", on=("boundary",)),
            ),
            "bundle_hash": "0" * 64,
            "classifier": "c",
        }
        self.plan = Decision(**{**fields, **changes})

        async def replan(_: RouteRequest, found: tuple[Finding, ...] = ()) -> tuple[Decision, int]:
            return self.plan, 1

        self.run = Run(
            trace_id="ab" * 16,
            request=request,
            bundle=_with_far(bundle),
            lanes={"far": self.far, "private": self.near},
            clock=ManualClock(),
            evidence=self.evidence,
            replan=replan,
            hold=not request.stream,
            maps=self.maps,
        )

    def play(self) -> "Bench":
        async def play() -> None:
            async for step in execute(self.plan, self.run):
                if isinstance(step, Climbed):
                    self.lanes.append(step.rung.lane)
                else:
                    self.events.extend(step)

        asyncio.run(play())
        return self

    @property
    def sent(self) -> LaneCall:
        (call,) = self.far.calls
        return call

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    def kept(self, kind: type) -> list[Any]:
        return [event for _, event in self.evidence.events if isinstance(event, kind)]


def _with_far(bundle: Bundle) -> Bundle:
    from dataclasses import replace

    return replace(bundle, lanes={**bundle.lanes, "far": FAR})


@pytest.mark.parametrize("stream", [True, False])
def test_the_lane_sees_placeholders_and_the_caller_sees_values(starter: Bundle, stream: bool) -> None:
    bench = Bench(starter, asked(stream=stream), lambda _: spoken("You are <PER", "SON_1", ">."), label=Label()).play()

    assert bench.sent.messages[0].text == "My name is <PERSON_1> and my card is <CREDIT_CARD_1>. What is my name?"
    assert bench.sent.label == Label()
    assert bench.text == "You are Ada Moore."
    assert bench.kept(Redacted) == [
        Redacted(
            attempt=1,
            lane="far",
            categories=("payment", "pii"),
            entities={"PERSON": 1, "CREDIT_CARD": 1},
            label=Label(),
        )
    ]


def test_no_value_is_in_the_evidence(starter: Bundle) -> None:
    bench = Bench(starter, asked(session="s"), lambda _: spoken("You are <PERSON_1>.")).play()

    written = " ".join(event.model_dump_json() for _, event in bench.evidence.events)
    assert "Moore" not in written
    assert "4111" not in written


def test_tool_calls_come_back_with_their_values_as_json(starter: Bundle) -> None:
    quoted = "ada@example.org"
    tool = ToolSpec(
        name="mail", description=f"mails {quoted}", parameters_json='{"properties":{"to":{"type":"string"}}}'
    )
    request = asked(f"Mail {quoted} that my card is 4111 1111 1111 1111.", client_tools=(tool,), stream=True)
    pieces = ['{"to":"<EMAIL_ADDR', 'ESS_1>","card":"<CREDIT_CARD_1', '>"}']

    bench = Bench(
        starter,
        request,
        lambda _: [
            (ToolCallDelta(0, "", "c1", "mail"),),
            *((ToolCallDelta(0, piece),) for piece in pieces),
            (Stop("tool_calls"),),
        ],
    ).play()

    assert bench.sent.client_tools[0].description == "mails <EMAIL_ADDRESS_1>"
    arguments = "".join(event.arguments for event in bench.events if isinstance(event, ToolCallDelta))
    assert arguments == '{"to":"ada@example.org","card":"4111 1111 1111 1111"}'


def test_a_contract_is_held_against_the_restored_answer(starter: Bundle) -> None:
    form = ResponseFormat(type="json_schema", json_schema=PERSON)
    request = asked(response_format=form)
    contract = OutputContract(type="json", schema_name="request")

    bench = Bench(starter, request, lambda _: spoken('{"name": "<PERSON_1>"}'), output_contract=contract).play()

    assert "Moore" not in str(bench.sent)
    assert bench.sent.json_schema == PERSON.replace("Ada Moore", "<PERSON_1>")
    assert bench.text == '{"name": "Ada Moore"}'
    assert [one.valid for one in bench.kept(Validated)] == [True]


def test_stop_words_are_redacted_with_the_rest(starter: Bundle) -> None:
    request = asked(sampling=Sampling(stop=("Ada Moore:",)))

    bench = Bench(starter, request, lambda _: spoken("x")).play()

    assert bench.sent.sampling.stop == ("<PERSON_1>:",)


def test_what_the_second_scan_still_finds_closes_the_lane(starter: Bundle) -> None:
    # The plan rests on a redaction that took everything out; this one is given no finding to take out, and leaves it.
    bench = Bench(starter, asked(), lambda _: spoken("never"), findings=()).play()

    assert bench.far.calls == []
    assert bench.lanes == ["private"]
    (closed, _) = bench.kept(AttemptEnded)
    assert (closed.lane, closed.ended) == ("far", "boundary")
    assert "still holds" in closed.because


def test_a_session_s_placeholders_are_used_and_kept(starter: Bundle) -> None:
    maps = MemoryMaps({("acme", "s"): Placeholders((Placeholder("PERSON", 7, "Ada Moore", "pii"),))})

    bench = Bench(starter, asked(session="s"), lambda _: spoken("Hello <PERSON_7>"), maps=maps).play()

    assert bench.sent.messages[0].text.startswith("My name is <PERSON_7> and")
    assert bench.text == "Hello Ada Moore"
    assert maps.kept["acme", "s"].values() == {"PERSON_7": "Ada Moore", "CREDIT_CARD_1": "4111 1111 1111 1111"}


def test_an_answer_is_never_restored_from_another_turn_s_values(starter: Bundle) -> None:
    maps = MemoryMaps({("acme", "s"): Placeholders((Placeholder("PERSON", 7, "Zoe Zimmer", "pii"),))})

    bench = Bench(starter, asked(session="s"), lambda _: spoken("Hello <PERSON_7>"), maps=maps).play()

    assert bench.text == "Hello <PERSON_7>"


@pytest.mark.parametrize("maps", [MemoryMaps(gone=True), None])
def test_a_map_that_can_t_be_had_closes_the_lane(starter: Bundle, maps: MemoryMaps | None) -> None:
    bench = Bench(starter, asked(session="s"), lambda _: spoken("never"), maps=maps).play()

    assert bench.far.calls == []
    assert bench.text == "at home"


def test_whoever_comes_second_chooses_another_placeholder(starter: Bundle) -> None:
    class Raced(MemoryMaps):
        """Another request of the session is quicker, once."""

        async def keep(self, org: str, session: str, placeholders: Placeholders) -> None:
            if not self.kept:
                self.kept[org, session] = Placeholders((Placeholder("PERSON", 1, "Zoe Zimmer", "pii"),))
            await super().keep(org, session, placeholders)

    bench = Bench(starter, asked(session="s"), lambda _: spoken("Hello <PERSON_2>"), maps=Raced()).play()

    assert bench.sent.messages[0].text.startswith("My name is <PERSON_2> and")
    assert bench.text == "Hello Ada Moore"


def test_without_a_rung_to_turn_to_the_caller_is_told_that_the_lane_is_closed(starter: Bundle) -> None:
    bench = Bench(starter, asked(), lambda _: spoken("never"), findings=())
    plan = bench.plan.model_copy(update={"ladder": bench.plan.ladder[:1]})
    bench.plan = plan

    with pytest.raises(LaneClosed):
        bench.play()
