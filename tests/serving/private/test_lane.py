"""Ray is imported when the tests run (it warns of itself, and takes seconds), so these are marked slow."""

import asyncio
import importlib
import warnings
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from models.spec import ModelSpec, Scaling
from router.contract import Label, Sampling
from router.errors import LaneStarting, LaneUnreachable, ReplicaLost
from router.lane import Lane, LaneCall, LaneEvent, TextDelta
from serving.private.cold_start import ColdStart

pytestmark = pytest.mark.slow
Answer = list[tuple[LaneEvent, ...] | None]


def a_call(deadline: float = 60.0) -> LaneCall:
    return LaneCall(
        trace_id="ab" * 16,
        attempt=1,
        lane="private",
        model="small",
        org="local",
        label=Label(),
        risk_tier="low",
        messages=(),
        sampling=Sampling(),
        max_tokens=8,
        deadline_seconds=deadline,
        first_token_seconds=deadline,
        bundle_hash="",
    )


def ray_module(name: str) -> Any:
    """Import a module that imports Ray."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


class Stream:
    """A stream from a replica: its items; None is where the replica goes."""

    def __init__(self, items: Answer) -> None:
        self._items = items

    async def __aiter__(self) -> AsyncIterator[tuple[LaneEvent, ...]]:
        for item in self._items:
            if item is None:
                raise ray_module("ray.exceptions").ActorUnavailableError("gone", None)
            yield item

    def cancel(self) -> None:
        pass


class Handle:
    """A deployment's handle: each call gets the next of the answers. `woken` counts the questions that only start a replica."""

    app_name, deployment_name = "model-small", "private-small"

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.calls: list[LaneCall] = []
        self.woken = 0

    def options(self, **_: Any) -> "Handle":
        return self

    def remote(self, call: LaneCall) -> Stream:
        self.calls.append(call)
        return Stream(self._answers.pop(0))

    @property
    def running(self) -> Any:
        handle = self

        class Running:
            async def remote(self) -> int:
                handle.woken += 1
                await asyncio.sleep(0.01)
                return 0

        return Running()


async def answer(lane: Lane, call: LaneCall) -> str:
    async with aclosing(lane.stream(call)) as batches:  # type: ignore[type-var]
        return "".join([event.text async for batch in batches for event in batch if isinstance(event, TextDelta)])


def lane_of(handle: Handle, replicas: int | None, cold: ColdStart | None = None) -> Lane:
    lane: Lane = ray_module("serving.private.lane").PrivateLane(handle, lambda: replicas, cold)
    return lane


def test_a_replica_that_goes_before_its_first_word_is_replaced_by_another_once() -> None:
    handle = Handle([None], [(TextDelta("Paris"),)])

    assert asyncio.run(answer(lane_of(handle, 2), a_call())) == "Paris"
    assert handle.calls[1].deadline_seconds <= handle.calls[0].deadline_seconds


def test_a_second_loss_is_the_callers_to_see() -> None:
    with pytest.raises(LaneUnreachable):
        asyncio.run(answer(lane_of(Handle([None], [None], [(TextDelta("x"),)]), 3), a_call()))


@pytest.mark.parametrize("replicas", [1, None])
def test_where_there_is_no_other_replica_the_ladder_goes_on_at_once(replicas: int | None) -> None:
    handle = Handle([None], [(TextDelta("x"),)])

    with pytest.raises(LaneUnreachable):
        asyncio.run(answer(lane_of(handle, replicas), a_call()))
    assert len(handle.calls) == 1


def test_after_the_first_word_nothing_is_asked_again() -> None:
    handle = Handle([(TextDelta("Par"),), None], [(TextDelta("x"),)])

    with pytest.raises(ReplicaLost):
        asyncio.run(answer(lane_of(handle, 2), a_call()))
    assert len(handle.calls) == 1


def test_the_only_replica_is_the_lane() -> None:
    with pytest.raises(LaneUnreachable) as raised:
        asyncio.run(answer(lane_of(Handle([(TextDelta("Par"),), None]), 1), a_call()))
    assert not isinstance(raised.value, ReplicaLost)


def test_who_cannot_wait_for_a_model_at_zero_is_told_so_and_its_start_is_begun_once() -> None:
    handle = Handle()

    async def hasty_twice() -> None:
        lane = lane_of(handle, 0, ColdStart(60.0, 300.0, asyncio.get_running_loop().time))
        for _ in range(2):
            with pytest.raises(LaneStarting):
                await answer(lane, a_call(deadline=5.0))
            await asyncio.sleep(0)

    asyncio.run(hasty_twice())

    assert handle.woken == 1
    assert handle.calls == []


def test_a_model_of_one_replica_asks_nobody_how_many_there_are() -> None:
    spec = ModelSpec(name="small", family="llama", source="x", folder="x", licence="x", context_tokens=4096)
    scaled = spec.model_copy(update={"scaling": Scaling(min_replicas=0, max_replicas=1, start_seconds=60)})
    private_lane = ray_module("serving.private.lane").private_lane
    counts = ray_module("serving.private.replicas").ReplicaCounts()
    handle = Handle([(TextDelta("x"),)])

    assert asyncio.run(answer(private_lane(handle, spec, counts), a_call(5.0))) == "x"
    assert private_lane(handle, scaled, counts)._cold is not None
