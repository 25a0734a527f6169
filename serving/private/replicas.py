"""How many replicas of a model answer now? What an ingress replica last heard from Serve's controller, a second or two old.

Asked of the controller only where the answer changes what is done: for models that may have none, or more than one.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

from ray.serve.handle import DeploymentHandle

from models.spec import ModelSpec
from serving.statuses import RUNNING, application_states

log = logging.getLogger(__name__)

_REFRESH_SECONDS: Final = 1.0


class ReplicaCounts:
    """Replicas that run, by application and deployment. Unknown until the first answer, and where none came lately."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, str], int] = {}

    def of(self, handle: DeploymentHandle) -> int | None:
        """Return how many replicas of a handle's deployment run, or None where that is not known."""
        return self._running.get((handle.app_name, handle.deployment_name))

    async def refresh_forever(self, asked_for: Callable[[], bool]) -> None:
        """Ask the controller every second, as long as `asked_for`."""
        while True:
            try:
                self._running = await asyncio.to_thread(_running) if asked_for() else {}
            except Exception:
                log.exception("Serve's controller did not say which replicas run")
                self._running = {}
            await asyncio.sleep(_REFRESH_SECONDS)


def matter(models: Iterable[ModelSpec]) -> bool:
    """Whether any of these may have no replica, or more than one."""
    return any((model.least_replicas, model.most_replicas) != (1, 1) for model in models)


def _running() -> dict[tuple[str, str], int]:
    return {
        (application, name): deployment.count(RUNNING)
        for application, state in application_states().items()
        for name, deployment in state.deployments.items()
    }
