"""How does the router reach a private model? `router.lane.Lane` over a Ray Serve deployment handle."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import grpc  # type: ignore[import-untyped]
from ray.exceptions import RayError, RayTaskError, TaskCancelledError
from ray.serve.exceptions import BackPressureError, RayServeException
from ray.serve.handle import DeploymentHandle

from models.spec import ModelSpec
from router.errors import (
    LaneFailed,
    LaneMisbehaved,
    LaneOverloaded,
    LaneStarting,
    LaneUnreachable,
    ReplicaLost,
    RouterError,
)
from router.lane import LaneCall, LaneEvent
from serving.private.cold_start import ColdStart
from serving.private.replicas import ReplicaCounts


class PrivateLane:
    """One model's deployment as a lane. Waiting for first and next token is the caller's to bound.

    `replicas` says how many answer now (None: not known); `cold` is for a model that may have none.
    """

    def __init__(
        self, handle: DeploymentHandle, replicas: Callable[[], int | None] = lambda: None, cold: ColdStart | None = None
    ) -> None:
        self._handle = handle
        self._replicas = replicas
        self._cold = cold
        self._waking: asyncio.Task[None] | None = None

    @cached_property
    def _stream(self) -> DeploymentHandle:
        """The handle for streams. Made at first use: Serve binds its router to the event loop that runs then."""
        return self._handle.options(method_name="stream", stream=True)

    async def stream(self, call: LaneCall) -> AsyncGenerator[tuple[LaneEvent, ...], None]:
        """Answer a call. Closing the generator, or cancelling its reader, aborts the request in the engine.

        A replica that goes before it has said anything is replaced by another one, once, where there is another one. Raises `ReplicaLost`
        for one that goes later, where there is.
        """
        self._admit(call)
        began, spoke = time.monotonic(), False
        try:
            async with aclosing(self._ask(call)) as batches:
                async for batch in batches:
                    spoke = True
                    yield batch
            return
        except LaneUnreachable as error:
            if (self._replicas() or 0) < 2:  # The one that is gone still counts.
                raise
            if spoke:
                raise ReplicaLost(error.lane, error.because) from error
        left = replace(call, deadline_seconds=call.deadline_seconds - (time.monotonic() - began))
        async with aclosing(self._ask(left)) as batches:
            async for batch in batches:
                yield batch

    def _admit(self, call: LaneCall) -> None:
        """Raise `LaneStarting` where the model has no replica and the call can't wait for one; the start goes on without it."""
        if self._cold is None:
            return
        try:
            self._cold.admit(call, self._replicas())
        except LaneStarting:
            if self._waking is None or self._waking.done():
                self._waking = asyncio.create_task(self._wake())
            raise

    async def _wake(self) -> None:
        """Stand in the queue for the first replica: Serve starts one for whoever waits."""
        with suppress(RayError, RayServeException, grpc.RpcError):
            await self._handle.running.remote()

    async def _ask(self, call: LaneCall) -> AsyncGenerator[tuple[LaneEvent, ...], None]:
        answer = self._stream.remote(call)
        try:
            async for item in answer:
                if isinstance(item, RouterError):
                    raise item
                yield item
        except (RayError, RayServeException, grpc.RpcError, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and _is_being_cancelled():
                raise
            raise _lane_failure(call.lane, error) from error
        finally:
            answer.cancel()  # Nothing happens where the stream has already ended.


def private_lane(handle: DeploymentHandle, model: ModelSpec, counts: ReplicaCounts) -> PrivateLane:
    """Return a model's lane, with what has to be known of its replicas where their number may change."""
    if model.most_replicas == 1 and model.least_replicas == 1:
        return PrivateLane(handle)
    cold = None
    if model.scaling and not model.least_replicas:
        cold = ColdStart(model.scaling.start_seconds, model.scaling.downscale_delay_seconds, time.monotonic)
    return PrivateLane(handle, partial(counts.of, handle), cold)


def _is_being_cancelled() -> bool:
    """Whether our own caller gave up. Serve raises the same exception here when a replica drops a request."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _lane_failure(lane: str, error: BaseException) -> LaneFailed:
    """Return the lane's failure for what Ray or Serve raised."""
    match error:
        case BackPressureError():
            return LaneOverloaded(lane, error.message, error.retry_after_s)
        case RayTaskError() if not isinstance(error, TaskCancelledError):
            cause: Any = error.cause
            return LaneMisbehaved(lane, f"the replica failed: {type(cause).__name__}: {cause}")
        case _:
            return LaneUnreachable(lane, f"the replica is gone: {type(error).__name__}")
