"""How many items cross a process line at once? Whatever became ready while the last batch was on its way.

An item across Ray costs about a millisecond of processor time, so a slow consumer gets fewer, larger batches and the first item of
all still leaves at once.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

Item = TypeVar("Item")


async def in_batches(source: AsyncIterator[Item]) -> AsyncGenerator[list[Item], None]:
    """Yield everything that is ready, never an empty batch. Closing this stops the source; its exception comes after its items."""
    ready: list[Item] = []
    wake = asyncio.Event()

    async def drain() -> None:
        async for item in source:
            ready.append(item)
            wake.set()

    draining = asyncio.create_task(drain())
    draining.add_done_callback(lambda _: wake.set())
    try:
        while ready or not draining.done():
            await wake.wait()
            wake.clear()
            if ready:
                batch = ready.copy()
                ready.clear()
                yield batch
        await draining
    finally:
        draining.cancel()
        await asyncio.wait([draining])
        if not draining.cancelled():
            draining.exception()  # Seen here: the consumer has left and nobody else will ask.
