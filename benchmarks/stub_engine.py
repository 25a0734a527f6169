"""What does everything but the engine cost? Canned tokens at a set rate, once behind the whole Serve path and once behind nothing.

`python -m benchmarks.stub_engine --settings JSON --parent PID` runs the real cluster process with these deployments in place of
vLLM's; `create_bare` is the same answer from a bare ASGI server: the floor to compare with. No bundle can select either.
"""

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, nullcontext
from pathlib import Path
from typing import Any, Final

import orjson
from ray import serve

from benchmarks.sides import INTERVAL_VARIABLE, SLOTS_VARIABLE
from models.spec import ModelSpec
from router.lane import LaneCall, LaneEvent, Stop, TextDelta, Usage
from router.queueing import EngineLoad
from serving.cluster_process import run
from serving.private.deployment import Item, deployment_name, replica_stream
from serving.private.pulse import tell_forever
from serving.processes import die_with_parent
from serving.settings import Settings

WORD: Final = " word"
INPUT_TOKENS: Final = 30


def seconds_per_token() -> float:
    """Return the rate that the benchmark set."""
    return float(os.environ.get(INTERVAL_VARIABLE, "0.02"))


def slots() -> int | None:
    """Return how many requests the benchmark lets the stub answer at once."""
    given = os.environ.get(SLOTS_VARIABLE)
    return None if given is None else int(given)


class StubEngine:
    """Answers as an engine would that makes a token every so many seconds, whatever it is asked.

    `slots` are answered at once, the others wait in the order in which they came, as in vLLM; None: all at once.
    """

    def __init__(self, slots: int | None) -> None:
        self._slots, self._opened = slots, 0
        self._batch = asyncio.Semaphore(slots) if slots is not None else nullcontext()

    @property
    def load(self) -> EngineLoad:
        """What an engine's scheduler would say."""
        running = self._opened if self._slots is None else min(self._opened, self._slots)
        return EngineLoad(self._opened, running, self._opened - running)

    async def stream(self, call: LaneCall) -> AsyncGenerator[tuple[LaneEvent, ...], None]:
        """Yield the tokens, then usage and end."""
        interval = seconds_per_token()
        self._opened += 1
        try:
            async with self._batch:
                for _ in range(call.max_tokens):
                    await asyncio.sleep(interval)
                    yield (TextDelta(WORD),)
                yield (Usage(INPUT_TOKENS, call.max_tokens), Stop("length", "stub"))
        finally:
            self._opened -= 1


class StubModel:
    """A replica with the stub in place of the engine; the same methods, the same options."""

    async def __init__(self) -> None:  # type: ignore[misc]  # Serve awaits it.
        self._engine = StubEngine(slots())
        self._telling = asyncio.create_task(tell_forever(lambda: self._engine.load))

    async def stream(self, call: LaneCall) -> AsyncGenerator[Item, None]:
        """Answer a call."""
        async with aclosing(replica_stream(self._engine, call)) as items:  # type: ignore[type-var]
            async for item in items:
                yield item

    async def check_health(self) -> None:
        """It is always well."""


def stub_application(spec: ModelSpec, _folder: Path) -> serve.Application:
    """Bind the stub under a model's name."""
    deployment = serve.deployment(StubModel).options(
        name=deployment_name(spec.name),
        ray_actor_options={"num_cpus": spec.cpus_per_replica},
        max_ongoing_requests=spec.max_ongoing_requests,
        max_queued_requests=spec.max_ongoing_requests * 4,
    )
    return deployment.bind()


Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


async def bare(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Serve the same tokens in OpenAI's streaming shape: a raw ASGI application for uvicorn."""
    if scope["type"] != "http":
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    most = orjson.loads(body)["max_tokens"] if body else 0
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for _ in range(most):
        await asyncio.sleep(seconds_per_token())
        await _chunk(send, {"choices": [{"index": 0, "delta": {"content": WORD}}]})
    usage = {"prompt_tokens": INPUT_TOKENS, "completion_tokens": most, "total_tokens": INPUT_TOKENS + most}
    await _chunk(send, {"choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]})
    await _chunk(send, {"choices": [], "usage": usage})
    await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


async def _chunk(send: Send, part: dict[str, Any]) -> None:
    chunk = {"id": "stub", "object": "chat.completion.chunk", "created": 0, "model": "stub", **part}
    await send({"type": "http.response.body", "body": b"data: " + orjson.dumps(chunk) + b"\n\n", "more_body": True})


def main() -> None:
    """Run the cluster process with stubs. The benchmark starts this."""
    parser = argparse.ArgumentParser(prog="benchmarks.stub_engine")
    parser.add_argument("--settings", required=True)
    parser.add_argument("--parent", required=True, type=int)
    arguments = parser.parse_args()
    die_with_parent(arguments.parent)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    run(Settings.model_validate_json(arguments.settings), stub_application)


if __name__ == "__main__":
    main()
