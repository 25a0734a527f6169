"""A private lane's model as a reader: its answers count only in the form asked for."""

import asyncio
import json
from typing import Any

import pytest

from router.contract import Finding, TextPart
from router.errors import LaneTimeout, ScanUnavailable
from router.lane import Stop, TextDelta
from router.testing import ScriptedDeepScan, ScriptedLane
from serving.deep.judge import AllScans, JudgeScan

TEXT = "My neighbour Ada has the flu"


def judge(*script: Any) -> tuple[JudgeScan, ScriptedLane]:
    lane = ScriptedLane(lambda _: script)
    return JudgeScan(lane, "private", "big", "0" * 64, lambda: "ab" * 16), lane


def says(*found: tuple[str, str]) -> tuple[Any, ...]:
    body = json.dumps({"found": [{"quote": quote, "category": category} for quote, category in found]})
    return (TextDelta(body[:9]),), (TextDelta(body[9:]), Stop("stop"))


def scan(scanner: Any, *texts: str) -> Any:
    return asyncio.run(scanner.scan(texts))


def test_a_quote_is_pointed_at_where_it_stands() -> None:
    scanner, lane = judge(*says(("Ada", "pii"), ("has the flu", "health")))

    ((name, flu),) = scan(scanner, TEXT)

    assert (TEXT[name.start : name.end], name.category) == ("Ada", "pii")
    assert (TEXT[flu.start : flu.end], flu.category) == ("has the flu", "health")
    (call,) = lane.calls
    assert call.label.level == "restricted"
    assert call.json_schema is not None
    assert [part.text for part in call.messages[1].content if isinstance(part, TextPart)] == [TEXT]


def test_a_quote_that_is_not_in_the_text_points_at_all_of_it() -> None:
    scanner, _ = judge(*says(("somebody else", "pii")))

    ((finding,),) = scan(scanner, TEXT)

    assert (finding.start, finding.end) == (0, len(TEXT))


def test_nothing_found_is_an_answer() -> None:
    scanner, _ = judge(*says())

    assert scan(scanner, TEXT) == ((),)


@pytest.mark.parametrize(
    "script",
    [
        ((TextDelta("I can't help with that."), Stop("stop")),),
        ((TextDelta('{"found": []}'), Stop("length")),),
        ((TextDelta('{"found": []}'),),),
        ((TextDelta('{"found": [{"quote": 1}]}'), Stop("stop")),),
        (LaneTimeout("private", "too slow"),),
    ],
)
def test_any_other_answer_keeps_the_text(script: Any) -> None:
    scanner, _ = judge(*script)

    with pytest.raises(ScanUnavailable):
        scan(scanner, TEXT)


def test_beside_another_scan_what_either_finds_is_found() -> None:
    scanner, _ = judge(*says(("Ada", "pii")))
    other = ScriptedDeepScan(
        lambda text: (Finding(entity="X", category="health", start=0, end=len(text), score=1, detector="other"),)
    )

    (found,) = scan(AllScans((other, scanner)), TEXT)

    assert [finding.category for finding in found] == ["health", "pii"]


def test_beside_another_scan_one_that_cannot_tell_keeps_the_text() -> None:
    scanner, _ = judge(LaneTimeout("private", "too slow"))

    with pytest.raises(ScanUnavailable, match="too slow"):
        scan(AllScans((ScriptedDeepScan(), scanner)), TEXT)
