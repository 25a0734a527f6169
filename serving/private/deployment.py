"""How does a private model live in the cluster? One Ray Serve deployment per model; a replica holds one vLLM engine.

What goes wrong with a call crosses Ray as the last item of the stream, not as an exception: it arrives as itself on either of Serve's
transports, and a caller's mistake leaves no stack trace in the replica's log.
"""

import asyncio
import json
import logging
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from itertools import chain
from pathlib import Path
from typing import Any, Final, NoReturn, Protocol

from ray import serve
from ray.serve.config import RequestRouterConfig
from ray.serve.handle import DeploymentHandle
from ray.util import get_current_placement_group, placement_group_table

from cluster.nodes.ray_cluster import STREAM_SECONDS
from models.exactness import variant_format
from models.spec import ModelSpec
from router.errors import LaneTimeout, LaneUnreachable, RouterError
from router.lane import LaneCall, LaneEvent
from router.queueing import EngineLoad
from serving.private.arguments import adapter_folders
from serving.private.autoscaler import autoscaling_config
from serving.private.coalesce import in_batches
from serving.private.gauges import EngineGauges
from serving.private.placement import executor_backend, placement_of, stages_are_whole
from serving.private.pulse import tell_forever
from serving.private.scaling_log import note_replaced
from serving.private.vitals import Vitals
from serving.private.watchdog import StallClock, watch
from serving.private.weights import Preparation, WeightsPolicy
from serving.status import Replaced

log = logging.getLogger(__name__)

Item = tuple[LaneEvent, ...] | RouterError
"""What a replica's stream is made of: batches of events, the last item possibly an error."""

_HEALTH_PERIOD_SECONDS: Final = 2.0
# Ray's health checks time out on replicas that are merely busy. A replica whose engine stops ends by itself, and Serve sees that at once.
_HEALTH_TIMEOUT_SECONDS: Final = 120.0

_UNCHANGED_CODE: Final[dict[str, Any]] = {"version": "as-named", "_internal": True}
"""Has Serve take other settings of a running application for just that: its replicas go on, as what they run is in the application's name.

Without it every deployment is of another version to Serve, and replaces each replica. `version` is internal to Ray 2.60, which is pinned.
"""


class Streams(Protocol):
    """Whatever answers lane calls: the engine, or the stand-in of `benchmarks/`."""

    def stream(self, call: LaneCall) -> AsyncGenerator[tuple[LaneEvent, ...], None]:
        """Answer a call."""
        ...


async def replica_stream(engine: Streams, call: LaneCall) -> AsyncIterator[Item]:
    """Yield a call's batches and, where it fails, the error as the last item.

    The call's own deadline holds here too: a caller that died without a word must not leave its request running.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + call.deadline_seconds
    try:
        async with aclosing(in_batches(engine.stream(call))) as batches:
            while True:
                async with asyncio.timeout_at(deadline):
                    ready = await anext(batches, None)
                if ready is None:
                    return
                yield tuple(chain.from_iterable(ready))
    except TimeoutError:
        yield LaneTimeout(call.lane, "the request's time is up")
    except RouterError as error:
        yield error.with_traceback(None)


class PrivateModel:
    """A replica: one engine, ready once it has answered a call of each kind, and not longer there than its engine."""

    async def __init__(self, spec: dict[str, Any], folder: str, weights: dict[str, Any] | None = None) -> None:  # type: ignore[misc]  # Serve awaits it.
        model = ModelSpec.model_validate(spec)
        _check_stages(model)
        preparation = Preparation(model, Path(folder), WeightsPolicy.model_validate(weights or {}))
        await preparation.run(tuple(adapter_folders(model, Path(folder)).values()))
        _check_exact(model, Path(folder))
        # vLLM is imported where it runs: neither the ingress nor the controller has any use for it.
        from serving.private.embedder import Embedder
        from serving.private.engine import PrivateEngine

        engine = Embedder if model.task == "embed" else PrivateEngine
        self._engine = await engine.start(model, Path(folder))
        preparation.ready()
        self._clock = StallClock(model.engine.stall_seconds)
        self._gauges = EngineGauges(model.name, serve.get_replica_context().replica_id.unique_id)
        self._watching = asyncio.create_task(self._watch())
        self._telling = asyncio.create_task(tell_forever(self._load))

    async def stream(self, call: LaneCall) -> AsyncGenerator[Item, None]:
        """Answer a call; see `replica_stream`."""
        async with aclosing(replica_stream(self._engine, call)) as items:  # type: ignore[type-var]
            async for item in items:
                if isinstance(item, LaneUnreachable) and self._engine.dead:
                    self._leave("its process ended")
                yield item

    async def _watch(self) -> None:
        self._leave(await watch(self._engine, self._clock, time.monotonic, self._show))

    def _show(self) -> None:
        self._gauges.set(self._engine.vitals, self._engine.private_waiting, self._clock)

    def _leave(self, because: str) -> NoReturn:
        """End this replica, now: without an engine it would only attract calls. Serve's routers see it gone and it is replaced.

        Calls that are under way fail as on any replica that is gone: their callers go on to another one, or to the next rung.
        """
        log.error("the engine is given up, %s; this replica ends and is replaced", because)
        self._engine.kill()
        self._gauges.count_end()
        own = serve.get_replica_context()
        note_replaced(own.app_name, own.deployment, Replaced(at=time.time(), because=because))
        os._exit(os.EX_SOFTWARE)

    def _load(self) -> EngineLoad:
        """How full the engine is. What its scheduler said last may be of requests that were given up since: none open, none there."""
        vitals, opened = self._engine.vitals, self._engine.running
        return EngineLoad(opened, vitals.running, vitals.waiting, vitals.kv_use) if opened else EngineLoad()

    async def vitals(self) -> Vitals:
        """Return what the engine's scheduler said last, and all that it has done."""
        return self._engine.vitals

    async def record_autoscaling_stats(self) -> dict[str, float]:
        """Return what the autoscaler wants to know of this replica; Serve asks every second where the model scales."""
        vitals = self._engine.vitals
        return {"waiting": vitals.waiting, "private_waiting": self._engine.private_waiting, "kv_use": vitals.kv_use}

    async def running(self) -> int:
        """Return how many requests the engine has open."""
        return self._engine.running

    async def dtype(self) -> str:
        """Return the number format that the engine computes in."""
        return self._engine.dtype

    async def check_health(self) -> None:
        """Raise when the engine is dead, or nobody watches it. One that hangs is the watchdog's to end."""
        if self._engine.dead or self._watching.done():
            raise LaneUnreachable("private", "the engine is dead, or its watchdog is")

    def __del__(self) -> None:
        """Serve calls this at the end of a graceful stop: the engine's processes go before the replica does."""
        for name in ("_watching", "_telling"):
            if (task := getattr(self, name, None)) is not None:
                task.get_loop().call_soon_threadsafe(task.cancel)
        if (engine := getattr(self, "_engine", None)) is not None:
            engine.shutdown()


def _check_stages(spec: ModelSpec) -> None:
    """Raise where Ray has torn a pipeline stage over two nodes: its sums would cross the network after every layer."""
    group = get_current_placement_group() if executor_backend(spec) == "ray" else None
    if group is None:
        return
    nodes = placement_group_table(group)["bundles_to_node_id"].values()
    if not stages_are_whole(nodes, spec.engine.tensor_parallel_size):
        because = f"no node had {spec.engine.tensor_parallel_size} free GPUs for one stage: free them, or lower tensor_parallel_size"
        raise LaneUnreachable(spec.name, because)


def _check_exact(spec: ModelSpec, folder: Path) -> None:
    """Raise where an exact lane wants kernels that the weights in this folder have not."""
    if not spec.engine.batch_invariant:
        return
    found = variant_format(json.loads((folder / "config.json").read_bytes()))
    if found is not None:
        because = f"`determinism: exact`: vLLM has no batch-invariant kernels for these weights ({found}): take fp8 or unquantised ones"
        raise LaneUnreachable(spec.name, because)


def _spread(spec: ModelSpec) -> RequestRouterConfig:
    """How replicas share the calls: Serve's own power of two choices, or by their beginnings."""
    if spec.spread == "balanced":
        return RequestRouterConfig()
    return RequestRouterConfig(request_router_class="serving.private.request_router.PrefixRouter")


def deployment_name(model: str) -> str:
    """Return the name under which Serve knows a model."""
    return f"private-{model}"


def model_options(spec: ModelSpec) -> dict[str, Any]:
    """Return a model's deployment in Serve's words: replicas (fixed, or as its autoscaler finds), where they run, how much they take."""
    scaling = spec.scaling
    return {
        **_UNCHANGED_CODE,
        "name": deployment_name(spec.name),
        **({"num_replicas": spec.replicas} if scaling is None else {"autoscaling_config": autoscaling_config(scaling)}),
        **placement_of(spec).options(),
        "request_router_config": _spread(spec),
        "max_ongoing_requests": spec.max_ongoing_requests,
        "max_queued_requests": spec.max_ongoing_requests * 4,
        "health_check_period_s": _HEALTH_PERIOD_SECONDS,
        "health_check_timeout_s": _HEALTH_TIMEOUT_SECONDS,
        "graceful_shutdown_wait_loop_s": 0.5,
        "graceful_shutdown_timeout_s": float(STREAM_SECONDS),
    }


def private_application(spec: ModelSpec, folder: Path, weights: WeightsPolicy | None = None) -> serve.Application:
    """Bind a model's deployment, as its spec says.

    `weights`: how a node comes by the folder, and whose signature it must bear.
    """
    application = (
        serve.deployment(PrivateModel)
        .options(**model_options(spec))
        .bind(
            spec.as_replica.model_dump(mode="json"), str(folder), (weights or WeightsPolicy()).model_dump(mode="json")
        )
    )
    return application if spec.spread == "balanced" else _behind_a_doorkeeper(application)


class _Doorkeeper:
    """Stands first in an application whose model has a request router of its own: Serve with HAProxy refuses one there. Nobody asks it."""

    def __init__(self, _model: DeploymentHandle) -> None:
        """Take what Serve hands over."""


def _behind_a_doorkeeper(model: serve.Application) -> serve.Application:
    doorkeeper = serve.deployment(_Doorkeeper, name="doorkeeper", ray_actor_options={"num_cpus": 0.01})
    return doorkeeper.options(**_UNCHANGED_CODE).bind(model)
