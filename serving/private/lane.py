"""How does the router reach a private model? `router.lane.Lane` over a Ray Serve deployment handle."""

import asyncio
from collections.abc import AsyncGenerator
from functools import cached_property
from typing import Any

import grpc  # type: ignore[import-untyped]
from ray.exceptions import RayError, RayTaskError, TaskCancelledError
from ray.serve.exceptions import BackPressureError, RayServeException
from ray.serve.handle import DeploymentHandle

from router.errors import LaneFailed, LaneMisbehaved, LaneOverloaded, LaneUnreachable, RouterError
from router.lane import LaneCall, LaneEvent


class PrivateLane:
    """One model's deployment as a lane. Waiting for first and next token is the caller's to bound."""

    def __init__(self, handle: DeploymentHandle) -> None:
        self._handle = handle

    @cached_property
    def _stream(self) -> DeploymentHandle:
        """The handle for streams. Made at first use: Serve binds its router to the event loop that runs then."""
        return self._handle.options(method_name="stream", stream=True)

    async def stream(self, call: LaneCall) -> AsyncGenerator[tuple[LaneEvent, ...], None]:
        """Answer a call. Closing the generator, or cancelling its reader, aborts the request in the engine."""
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
