"""The private lane with the real engine: what a caller sees of streaming, decoding, limits and cancellation."""

import asyncio
import os
from collections.abc import Iterable
from contextlib import aclosing
from typing import Any

import pytest

from router.contract import ImagePart, Message, Sampling
from router.errors import ContextTooLong, LaneUnreachable, UnsupportedField
from router.lane import LaneEvent, Stop, TextDelta, Usage
from router.validate import validate_answer
from tests.e2e.systems import spawned_by

pytestmark = pytest.mark.e2e

PERSON = (
    '{"type":"object","properties":{"name":{"type":"string","maxLength":20},"age":{"type":"integer","minimum":0,"maximum":150}},'
    '"required":["name","age"],"additionalProperties":false}'
)


def text_of(events: Iterable[LaneEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def test_an_answer_comes_in_pieces_and_ends_with_usage_and_the_weights_hash(private: Any) -> None:
    events = private.run(private.answer(private.call("What is the capital of France?")))

    assert text_of(events) == "The capital of France is Paris."
    assert sum(isinstance(event, TextDelta) for event in events) > 3
    usage, stop = events[-2:]
    assert isinstance(usage, Usage)
    assert usage.input_tokens > 10
    assert usage.output_tokens == 8
    assert isinstance(stop, Stop)
    assert stop.reason == "stop"
    assert len(str(stop.model_version)) == 64


def test_a_stop_string_ends_the_answer_before_itself(private: Any) -> None:
    events = private.run(
        private.answer(
            private.call("What is the capital of France?", sampling=Sampling(temperature=0.0, stop=("France",)))
        )
    )

    assert text_of(events).strip() == "The capital of"
    assert events[-1].reason == "stop"


def test_max_tokens_ends_the_answer_by_length(private: Any) -> None:
    events = private.run(private.answer(private.call("Tell a long story about the sea.", max_tokens=7)))

    assert events[-2].output_tokens == 7
    assert events[-1].reason == "length"


def test_a_seed_makes_a_sampled_answer_reproducible(private: Any) -> None:
    def sampled(seed: int) -> str:
        call = private.call("Tell a story.", sampling=Sampling(temperature=1.0, seed=seed))
        return text_of(private.run(private.answer(call)))

    first, second, other = sampled(7), sampled(7), sampled(8)

    assert first == second
    assert first != other


def test_logprobs_come_token_by_token(private: Any) -> None:
    sampling = Sampling(temperature=0.0, logprobs=True, top_logprobs=2)
    events = private.run(private.answer(private.call("What is the capital of France?", sampling=sampling)))

    entries = [entry for event in events if isinstance(event, TextDelta) for entry in event.logprobs or ()]
    assert len(entries) == events[-2].output_tokens
    assert "".join(entry["token"] for entry in entries).startswith(text_of(events))
    assert all(len(entry["top_logprobs"]) == 2 and entry["logprob"] <= 0 for entry in entries)


@pytest.mark.parametrize("question", ["Who is Ada?", "Bob is 42 years old.", "Write a poem, no JSON!"])
def test_a_json_schema_is_met_whatever_is_asked(private: Any, question: str) -> None:
    sampling = Sampling(temperature=0.8, seed=3)
    events = private.run(
        private.answer(
            private.call(question, json_schema=PERSON, schema_name="person", sampling=sampling, max_tokens=200)
        )
    )

    assert events[-1].reason == "stop"
    assert validate_answer(text_of(events), PERSON).valid


def test_closing_the_stream_stops_the_generation(private: Any) -> None:
    async def leave_early() -> tuple[int, bool]:
        async with aclosing(private.lane.stream(private.call("Tell a very long story.", max_tokens=2000))) as batches:
            await anext(batches)
            meanwhile = await private.running()
        return meanwhile, await private.idle_within(5.0)

    meanwhile, idle = private.run(leave_early())

    assert meanwhile == 1
    assert idle


def test_cancelling_the_reader_stops_the_generation(private: Any) -> None:
    async def cancel() -> bool:
        reader = asyncio.create_task(private.answer(private.call("Tell a very long story.", max_tokens=2000)))
        while not await private.running():  # noqa: ASYNC110 - what is polled lives in another process
            await asyncio.sleep(0.02)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        return await private.idle_within(5.0)

    assert private.run(cancel())


def test_a_prompt_beyond_the_context_is_refused_with_the_numbers(private: Any) -> None:
    with pytest.raises(ContextTooLong, match="4096"):
        private.run(private.answer(private.call("word " * 6000)))


def test_an_image_is_refused_by_a_model_that_reads_text(private: Any) -> None:
    message = Message(role="user", content=(ImagePart(media_type="image/png", data="AAAA"),))
    with pytest.raises(UnsupportedField, match="reads text only"):
        private.run(private.answer(private.call("", messages=(message,))))


def test_sixty_four_requests_at_once_are_all_answered(private: Any) -> None:
    async def all_at_once() -> list[list[LaneEvent]]:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(private.answer(private.call(f"Count from {n}.", max_tokens=8))) for n in range(64)
            ]
        return [task.result() for task in tasks]

    answers = private.run(all_at_once(), 300.0)

    assert all(isinstance(events[-1], Stop) for events in answers)


def test_a_worker_has_a_session_of_its_own_so_that_others_get_their_share_of_the_processors(system: Any) -> None:
    workers = [worker for engine in system.engines for worker in spawned_by(engine)]

    assert workers
    assert [os.getsid(worker.pid) for worker in workers] == [worker.pid for worker in workers]


def test_a_killed_engine_fails_its_requests_clearly_and_comes_back(private: Any, system: Any) -> None:
    async def under_fire() -> list[BaseException | None]:
        call = private.call("Tell a very long story.", max_tokens=2000)
        asked = [asyncio.create_task(private.answer(call)) for _ in range(3)]
        while await private.running() < len(asked):  # noqa: ASYNC110 - what is polled lives in another process
            await asyncio.sleep(0.05)
        for engine in system.engines:
            engine.kill()
        await asyncio.wait(asked, timeout=30)
        return [task.exception() for task in asked if task.done()]

    async def back() -> str:
        while True:
            try:
                return text_of(await private.answer(private.call("What is the capital of France?")))
            except LaneUnreachable:
                await asyncio.sleep(1)

    failures = private.run(under_fire())
    answer = private.run(back(), 300.0)

    assert [type(failure) for failure in failures] == [LaneUnreachable] * 3
    assert answer == "The capital of France is Paris."
