"""Before a permit is signed, the exact bytes are read once more."""

import asyncio
from pathlib import Path

import pytest

from router.bundle import load_bundle
from router.contract import Finding, ImagePart, Label, Message, TextPart, ToolCall
from router.decide import EXTRAS
from router.errors import FoundBeforeLeaving, LaneUnreachable, ScanUnavailable
from router.lane import LaneCall
from router.render import render
from router.testing import ScriptedDeepScan
from serving.deep.last_look import found_in, label_of, look_again
from tests.serving.door.kit import a_call, a_lane, hosted_of

TIERS = load_bundle(Path("config/starter")).tiers
ADA = "Please send it to Ada"


def sees_ada(text: str, score: float = 0.9) -> tuple[Finding, ...]:
    if "Ada" not in text:
        return ()
    start = text.index("Ada")
    return (Finding(entity="PERSON", category="pii", start=start, end=start + 3, score=score, detector="presidio"),)


def look(call: LaneCall, deep: ScriptedDeepScan) -> None:
    asyncio.run(look_again(call, render(call, hosted_of(a_lane())), deep, TIERS))


def test_what_nothing_is_found_in_may_go_on() -> None:
    deep = ScriptedDeepScan(sees_ada)

    look(a_call("What is the capital of France?"), deep)

    assert "What is the capital of France?" in deep.read


def test_what_is_found_is_raised_with_its_place_in_the_request() -> None:
    system = Message(role="system", content=(TextPart(text="Be kind."),))
    call = a_call(messages=(system, Message(role="user", content=(TextPart(text=ADA),))))

    with pytest.raises(FoundBeforeLeaving) as raised:
        look(call, ScriptedDeepScan(sees_ada))

    (finding,) = raised.value.findings
    assert (finding.message, ADA[finding.start : finding.end]) == (1, "Ada")
    assert "Ada" not in str(raised.value)


def test_what_is_found_beside_whole_messages_is_placed_beside_them() -> None:
    called = ToolCall(id="1", name="look_up", arguments='{"who": "Ada Moore"}')
    call = a_call(messages=(Message(role="assistant", tool_calls=(called,)),))

    with pytest.raises(FoundBeforeLeaving) as raised:
        look(call, ScriptedDeepScan(sees_ada))

    assert {finding.message for finding in raised.value.findings} == {EXTRAS}


def test_what_the_label_says_already_is_no_news() -> None:
    look(a_call(ADA, label=Label(level="confidential", categories=("pii",))), ScriptedDeepScan(sees_ada))


def test_what_is_too_weak_to_raise_a_label_stops_nothing() -> None:
    look(a_call(ADA), ScriptedDeepScan(lambda text: sees_ada(text, score=0.4)))


def test_a_scan_that_cannot_tell_keeps_the_text() -> None:
    def dies(_: str) -> tuple[Finding, ...]:
        raise ScanUnavailable("it died")

    with pytest.raises(LaneUnreachable, match="nothing is sent unread"):
        look(a_call("Hello"), ScriptedDeepScan(dies))


def test_keys_numbers_and_images_are_not_read_and_everything_else_is() -> None:
    image = ImagePart(media_type="image/png", data="aGVsbG8=")
    deep = ScriptedDeepScan()
    call = a_call(messages=(Message(role="user", content=(TextPart(text="Ada"), TextPart(text="ada moore"), image)),))

    asyncio.run(found_in(render(call, hosted_of(a_lane())), deep))

    assert set(deep.read) == {"Ada", "ada moore"}


def test_the_doors_label_is_the_join_of_what_is_found() -> None:
    call = a_call(ADA)

    found = asyncio.run(found_in(render(call, hosted_of(a_lane())), ScriptedDeepScan(sees_ada)))

    assert label_of(found, TIERS) == Label(level="confidential", categories=("pii",))
