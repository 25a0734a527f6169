import asyncio
from typing import Any

import pytest

from router.bundle.files import Timeouts
from router.contract import (
    AttemptEnded,
)
from router.errors import (
    LaneMisbehaved,
)
from router.execute import execute
from router.lane import Departed, LaneCall, Refusal, Stop, TextDelta
from router.testing import ScriptedLane
from tests.router.execute.kit import HELLO, LANES, Bench, decision


def test_a_silent_lane_is_left_at_its_deadline() -> None:
    async def forever() -> None:
        await asyncio.sleep(3600)

    class Silent(ScriptedLane):
        async def stream(self, call: LaneCall) -> Any:
            self.calls.append(call)
            await forever()
            yield ()

    bench = Bench(decision(("slow", ("start",)), ("far", ("timeout",))), slow=HELLO, far=HELLO)
    bench.lanes["slow"] = Silent(lambda _: [])
    bench.run.lanes["slow"] = bench.lanes["slow"]  # type: ignore[index]

    bench.play()

    assert [end.ended for end in bench.kept(AttemptEnded)] == ["timeout", "stop"]
    assert bench.text == "Hello"


def test_a_stream_that_just_stops_is_a_failure_and_not_an_answer() -> None:
    with pytest.raises(LaneMisbehaved, match="without saying why"):
        Bench(decision(("near", ("start",))), near=[(TextDelta("Hal"),)]).play()


def test_a_refusal_is_an_answer_unless_the_route_goes_on() -> None:
    refusal = [(Refusal("No."),), (Stop("stop"),)]

    stays = Bench(decision(("near", ("start",)), ("far", ("timeout",))), near=refusal, far=HELLO).play()
    goes_on = Bench(decision(("near", ("start",)), ("far", ("refusal",))), near=refusal, far=HELLO).play()

    assert stays.events[0] == Refusal("No.")
    assert goes_on.text == "Hello"
    assert [end.ended for end in goes_on.kept(AttemptEnded)] == ["refusal", "stop"]


def test_a_caller_who_goes_away_closes_the_lane_and_is_recorded() -> None:
    bench = Bench(decision(("near", ("start",))), near=[(TextDelta("a"),), (TextDelta("b"),), (Stop("stop"),)])

    async def leave_early() -> None:
        steps = execute(bench.plan, bench.run)
        await anext(steps)
        await anext(steps)
        await steps.aclose()

    asyncio.run(leave_early())

    assert bench.lanes["near"].closed == 1
    assert [end.ended for end in bench.kept(AttemptEnded)] == ["cancelled"]


def test_word_that_bytes_left_is_not_a_first_token() -> None:
    class Departs(ScriptedLane):
        async def stream(self, call: LaneCall) -> Any:
            yield (Departed("p", "0" * 64, 12, "n1", "7"),)
            await asyncio.sleep(0.2)
            yield from_hello[0]
            yield from_hello[1]

    from_hello = HELLO
    plan = decision(("far", ("start",)))
    bench = Bench(plan, far=HELLO)
    lane = LANES["far"].model_copy(update={"timeouts": Timeouts(first_token_seconds=5, gap_seconds=0.05)})
    bench.run.bundle.lanes["far"] = lane
    bench.run.lanes["far"] = Departs(lambda _: [])  # type: ignore[index]

    bench.play()

    assert bench.text == "Hello"
