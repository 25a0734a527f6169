"""When did the caller get the first of an answer, and by which rule?"""

from collections.abc import Iterator
from typing import Any

import pytest

from router.contract import Released, StreamRule
from router.errors import LaneMisbehaved
from router.lane import ReasoningDelta, Refusal, Stop, TextDelta, Usage
from tests.router.execute.kit import Bench, decision

RULES = {
    "live": StreamRule(),
    "window": StreamRule(release="window", window_tokens=2),
    "hold": StreamRule(release="hold"),
}


def paced(bench: list[Bench], *events: Any) -> Any:
    """A lane that says one thing a second."""

    def script(_call: Any) -> Iterator[Any]:
        for event in events:
            bench[0].clock.advance(1)
            yield (event,)

    return script


def played(rule: StreamRule, *events: Any, **changes: Any) -> Bench:
    hold = changes.pop("hold", False)
    benches: list[Bench] = []
    benches.append(
        Bench(decision(("near", ("start",)), stream=rule, **changes), hold=hold, near=paced(benches, *events))
    )
    return benches[0].play()


@pytest.mark.parametrize(("rule", "after_ms"), [("live", 1000), ("window", 2000), ("hold", 5000)])
def test_each_rule_tells_when_the_first_of_the_answer_went_out(rule: str, after_ms: float) -> None:
    pieces = [TextDelta("12345")] * 4  # A window of two tokens is eight characters.

    bench = played(RULES[rule], *pieces, Stop("stop"))

    (released,) = bench.kept(Released)
    assert (released.release, released.streamed, released.risk_tier) == (rule, True, "low")
    assert (released.lane_ms, released.first_content_ms) == (1000, after_ms)
    assert released.window_tokens == (2 if rule == "window" else None)


def test_it_is_counted_from_when_the_request_came_in() -> None:
    benches: list[Bench] = []
    lane = paced(benches, TextDelta("a"), Stop("stop"))
    benches.append(Bench(decision(("near", ("start",))), near=lane, run={"began": -2.0}))

    (released,) = benches[0].play().kept(Released)

    assert (released.lane_ms, released.first_content_ms) == (3000, 3000)


def test_an_answer_that_nobody_streams_is_held_and_says_that_it_was_not_asked_for_as_a_stream() -> None:
    bench = played(RULES["live"], TextDelta("a"), TextDelta("b"), Stop("stop"), hold=True)

    (released,) = bench.kept(Released)
    assert (released.release, released.streamed, released.first_content_ms) == ("hold", False, 3000)


def test_what_is_no_content_is_not_the_first_of_it() -> None:
    bench = played(RULES["live"], TextDelta(""), Usage(1, 0), TextDelta("a"), Stop("stop"))

    (released,) = bench.kept(Released)
    assert released.first_content_ms == 3000


def test_reasoning_that_goes_out_is_content() -> None:
    bench = played(RULES["live"], ReasoningDelta("hm"), TextDelta("a"), Stop("stop"))

    (released,) = bench.kept(Released)
    assert released.first_content_ms == 1000


@pytest.mark.parametrize("events", [(Refusal("No."), Stop("stop")), (Stop("stop"),)])
def test_an_answer_without_a_first_token_has_no_time_to_it(events: tuple[Any, ...]) -> None:
    assert played(RULES["live"], *events).kept(Released) == []


def test_what_a_person_sees_first_does_not_go_out_here() -> None:
    assert played(RULES["live"], TextDelta("a"), Stop("stop"), review=True).kept(Released) == []


def test_an_answer_that_another_lane_goes_on_with_began_once() -> None:
    cut = [(TextDelta("The "),), LaneMisbehaved("far", "the stream was cut")]
    plan = decision(("far", ("start",)), ("exact", ("timeout",)), on_stream_cut="resume")

    bench = Bench(plan, far=cut, exact=[(TextDelta("end"),), (Stop("stop"),)]).play()

    assert [one.lane for one in bench.kept(Released)] == ["far"]
