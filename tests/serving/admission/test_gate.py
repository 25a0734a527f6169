"""The gate before a lane that holds so many calls, on the loop's own clock."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from router.bundle.files import TenantSpec
from router.contract import Label, Message, Sampling, TextPart, Waited
from router.errors import LaneMisbehaved, LaneSaturated
from router.lane import LaneCall, LaneEvent, Stop, TextDelta
from router.testing import MemoryEvidence
from serving.admission import AdmittedLane, Gate, Standings, onward
from serving.admission.standing import cost_of

PRIVATE = Label(level="restricted", categories=("pii",))
TENANTS = (
    TenantSpec(org="local"),
    TenantSpec(org="other"),
    TenantSpec(org="large", weight=3.0),
    TenantSpec(org="urgent", priority=5),
)


def a_call(org: str = "local", **changes: Any) -> LaneCall:
    call = LaneCall(
        trace_id="ab" * 16,
        attempt=1,
        lane="private",
        model="small",
        org=org,
        label=PRIVATE,
        risk_tier="low",
        messages=(Message(role="user", content=(TextPart(text="Hello"),)),),
        sampling=Sampling(),
        max_tokens=8,
        deadline_seconds=30.0,
        first_token_seconds=30.0,
        bundle_hash="",
    )
    return replace(call, **changes)


@dataclass
class SlowLane:
    """Holds each call until it is told to answer; keeps them in the order in which they came."""

    calls: list[LaneCall] = field(default_factory=list)
    answering: dict[int, asyncio.Event] = field(default_factory=dict)
    most_at_once: int = 0
    at_once: int = 0

    async def stream(self, call: LaneCall) -> AsyncGenerator[tuple[LaneEvent, ...], None]:
        self.calls.append(call)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.answering.setdefault(len(self.calls), asyncio.Event()).wait()
            yield TextDelta("Hi"), Stop("stop")
        finally:
            self.at_once -= 1

    def answer(self, number: int) -> None:
        """Answer the n-th call that came."""
        self.answering.setdefault(number, asyncio.Event()).set()


@dataclass
class Bench:
    """A lane with so many places behind its gate."""

    places: int = 1
    most_waiting: int = 100
    lane: SlowLane = field(default_factory=SlowLane)
    evidence: MemoryEvidence = field(default_factory=MemoryEvidence)

    def __post_init__(self) -> None:
        clock = asyncio.get_running_loop().time
        self.gate = Gate(lambda _: self.places, self.most_waiting, clock)
        self.admitted = AdmittedLane(self.lane, self.gate, Standings(TENANTS), self.evidence, clock)

    def ask(self, call: LaneCall) -> asyncio.Task[str]:
        task = asyncio.create_task(self._ask(call))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return task

    async def _ask(self, call: LaneCall) -> str:
        async with aclosing(self.admitted.stream(call)) as batches:
            return "".join([event.text async for batch in batches for event in batch if isinstance(event, TextDelta)])


async def settled() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


def on_a_loop(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    def run() -> None:
        async def within() -> None:
            async with asyncio.timeout(10):
                await test()

        asyncio.run(within())

    run.__name__ = getattr(test, "__name__", "test")
    return run


@on_a_loop
async def test_a_call_with_a_way_round_is_sent_on_at_once_when_the_lane_is_full() -> None:
    bench = Bench(places=1)
    bench.ask(a_call())
    await settled()

    with pytest.raises(LaneSaturated, match="saturated"):
        await bench._ask(a_call(may_leave=True, label=Label()))
    assert len(bench.lane.calls) == 1


@on_a_loop
async def test_a_call_with_a_way_round_takes_no_place_that_somebody_waits_for_and_leaves_some_to_spare() -> None:
    bench = Bench(places=16)
    elastic = [bench.ask(a_call(may_leave=True, label=Label())) for _ in range(20)]
    await settled()
    spilled = [task for task in elastic if task.done()]
    staying = [bench.ask(a_call()) for _ in range(3)]
    await settled()
    bench.lane.answer(1)
    await settled()

    assert len(spilled) == 6
    assert [isinstance(task.exception(), LaneSaturated) for task in spilled] == [True] * 6
    assert len(bench.lane.calls) == 17
    assert not any(task.done() for task in staying)
    for task in (*elastic, *staying):
        task.cancel()


@on_a_loop
async def test_what_may_not_leave_waits_for_a_place_and_the_wait_is_in_the_evidence() -> None:
    bench = Bench(places=1)
    first = bench.ask(a_call())
    await settled()
    second = bench.ask(a_call(trace_id="cd" * 16))
    await asyncio.sleep(0.02)
    assert len(bench.lane.calls) == 1

    bench.lane.answer(1)
    bench.lane.answer(2)
    assert await first == await second == "Hi"

    ((trace, event),) = bench.evidence.events
    assert trace == "cd" * 16
    assert isinstance(event, Waited)
    assert event.lane == "private"
    assert event.seconds >= 0.01
    assert bench.lane.calls[1].deadline_seconds <= 30.0 - 0.01


@on_a_loop
async def test_whoever_waits_as_long_as_it_can_is_told_to_come_back() -> None:
    bench = Bench(places=1)
    bench.ask(a_call())
    await settled()

    with pytest.raises(LaneSaturated, match="no place came free in time") as refused:
        await bench._ask(a_call(first_token_seconds=0.05))

    assert refused.value.status == 429
    assert refused.value.retry_after_seconds
    assert bench.gate.waiting == 0
    assert "no place" in str(bench.evidence.events)


@on_a_loop
async def test_who_would_wait_too_long_is_told_so_at_once() -> None:
    bench = Bench(places=1)
    bench.gate._pace.note(10.0, cost_of(a_call()))
    for _ in range(3):
        bench.ask(a_call())
    await settled()
    loop = asyncio.get_running_loop()
    began = loop.time()

    with pytest.raises(LaneSaturated, match="longer than this request can wait") as refused:
        await bench._ask(a_call())

    assert loop.time() - began < 0.1
    assert refused.value.retry_after_seconds == pytest.approx(30.0)


@on_a_loop
async def test_a_caller_that_hangs_up_while_it_waits_leaves_its_place_in_the_queue() -> None:
    bench = Bench(places=1)
    bench.ask(a_call())
    gone, stays = bench.ask(a_call("other")), bench.ask(a_call("local"))
    await settled()

    gone.cancel()
    await settled()
    assert bench.gate.waiting == 1
    bench.lane.answer(1)
    bench.lane.answer(2)

    assert await stays == "Hi"
    assert bench.gate.inside == 0


@on_a_loop
async def test_one_that_hangs_up_just_when_its_turn_comes_blocks_nobody() -> None:
    bench = Bench(places=1)
    first = bench.ask(a_call())
    await settled()
    gone, next_one = bench.ask(a_call()), bench.ask(a_call())
    await settled()

    gone.cancel()
    bench.lane.answer(1)
    await first
    await settled()
    bench.lane.answer(2)

    assert await next_one == "Hi"
    assert bench.gate.inside == 0


@on_a_loop
async def test_a_call_that_fails_gives_its_place_back() -> None:
    class Broken:
        async def stream(self, call: LaneCall) -> AsyncGenerator[tuple[LaneEvent, ...], None]:
            raise LaneMisbehaved(call.lane, "broken")
            yield ()

    bench = Bench(places=1)
    bench.admitted._lane = Broken()

    for _ in range(3):
        with pytest.raises(LaneMisbehaved):
            await bench._ask(a_call())
    assert bench.gate.inside == 0


@on_a_loop
async def test_what_must_stay_goes_before_what_only_has_no_way_out_now_and_urgent_before_others() -> None:
    bench = Bench(places=1)
    bench.ask(a_call())
    await settled()
    asked = [
        bench.ask(a_call("local", label=Label())),
        bench.ask(a_call("urgent", label=Label())),
        bench.ask(a_call("local")),
        bench.ask(a_call("urgent")),
    ]
    for number in range(1, 6):
        await settled()
        bench.lane.answer(number)
    for task in asked:
        await task

    order = [(call.org, call.label == PRIVATE) for call in bench.lane.calls[1:]]
    assert order == [("urgent", True), ("local", True), ("urgent", False), ("local", False)]


@on_a_loop
async def test_a_full_queue_turns_away_the_one_that_floods_it() -> None:
    bench = Bench(places=1, most_waiting=3)
    bench.ask(a_call())
    await settled()
    flood = [bench.ask(a_call("other")) for _ in range(3)]
    await settled()

    quiet = bench.ask(a_call("local"))
    await settled()

    assert isinstance(flood[2].exception(), LaneSaturated)
    assert not quiet.done()
    with pytest.raises(LaneSaturated, match="wait already"):
        await bench._ask(a_call("other"))


@on_a_loop
async def test_tenants_get_places_by_their_weights_whatever_each_of_them_sends() -> None:
    bench = Bench(places=1)
    bench.ask(a_call())
    await settled()
    tasks = [bench.ask(a_call(org)) for org in ["local"] * 40 + ["large"] * 12]
    for number in range(1, 17):
        await settled()
        bench.lane.answer(number)
    await settled()

    orgs = [call.org for call in bench.lane.calls[1:17]]
    assert orgs.count("large") == 12
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@on_a_loop
async def test_places_that_come_free_by_more_room_are_given_away_at_the_next_look() -> None:
    bench = Bench(places=1)
    tasks = [bench.ask(a_call()) for _ in range(5)]
    await settled()
    assert len(bench.lane.calls) == 1

    bench.places = 4
    bench.gate.look()
    await settled()

    assert len(bench.lane.calls) == 4
    assert bench.lane.most_at_once == 4
    for task in tasks:
        task.cancel()


@on_a_loop
async def test_a_hosted_lane_with_a_limit_sends_on_what_has_any_lane_left_and_keeps_what_has_none() -> None:
    bench = Bench(places=1)
    bench.admitted = AdmittedLane(
        bench.lane, bench.gate, Standings(TENANTS), bench.evidence, asyncio.get_running_loop().time, onward
    )
    first = bench.ask(a_call())
    await settled()

    with pytest.raises(LaneSaturated):
        await bench._ask(a_call(goes_on=True))
    last = bench.ask(a_call(may_leave=True))
    await settled()
    bench.lane.answer(1)
    bench.lane.answer(2)

    assert await first == await last == "Hi"


def test_the_systems_own_calls_wait_for_nobody() -> None:
    standings = Standings(TENANTS)

    assert standings.of(a_call("")).urgency > max(standings.of(a_call(tenant.org)).urgency for tenant in TENANTS)
