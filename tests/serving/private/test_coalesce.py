import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.private.coalesce import in_batches


class Source:
    """Counts up; pauses where told; notes how it ended."""

    def __init__(self, pauses: list[bool], error: Exception | None = None) -> None:
        self.pauses, self.error, self.ended = pauses, error, ""

    async def items(self) -> AsyncIterator[int]:
        try:
            for number, pause in enumerate(self.pauses):
                if pause:
                    await asyncio.sleep(0)
                yield number
            if self.error is not None:
                raise self.error
            self.ended = "ran out"
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise


@given(st.lists(st.booleans()), st.lists(st.booleans()))
def test_nothing_is_lost_reordered_or_yielded_empty(pauses: list[bool], slow: list[bool]) -> None:
    async def collect() -> list[list[int]]:
        batches = []
        async with aclosing(in_batches(Source(pauses).items())) as source:
            async for batch in source:
                batches.append(batch)
                if slow and slow[len(batches) % len(slow)]:
                    await asyncio.sleep(0)
        return batches

    batches = asyncio.run(collect())

    assert [item for batch in batches for item in batch] == list(range(len(pauses)))
    assert all(batches)


def test_what_becomes_ready_while_the_consumer_is_busy_comes_as_one_batch() -> None:
    async def collect() -> list[list[int]]:
        batches = []
        async with aclosing(in_batches(Source([True] * 6).items())) as source:
            async for batch in source:
                batches.append(batch)
                await asyncio.sleep(0.01)
        return batches

    assert asyncio.run(collect()) == [[0], [1, 2, 3, 4, 5]]


def test_the_sources_error_comes_after_its_items() -> None:
    seen: list[int] = []

    async def collect() -> None:
        async with aclosing(in_batches(Source([True, False], ValueError("broken")).items())) as source:
            async for batch in source:
                seen.extend(batch)

    with pytest.raises(ValueError, match="broken"):
        asyncio.run(collect())

    assert seen == [0, 1]


def test_leaving_early_cancels_the_source_and_waits_for_its_end() -> None:
    source = Source([True] * 1000)

    async def leave() -> None:
        async with aclosing(in_batches(source.items())) as batches:
            await anext(batches)
        assert source.ended == "cancelled"

    asyncio.run(leave())
