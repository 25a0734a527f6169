"""Why does a model have as many replicas as it has? The autoscaler's latest decisions, for `lane status`.

They rest in the cluster's own key-value store (GCS): Serve's controller writes them, any process of the cluster reads them.
"""

from typing import Final

from ray.experimental import internal_kv

from router.contract import Frozen
from serving.status import ScalingStep

_NAMESPACE: Final = b"lane-scaling"
_KEPT: Final = 16


class ScalingLog(Frozen):
    """How many replicas are asked for now, and the latest changes of that, the newest last."""

    target: int
    steps: tuple[ScalingStep, ...] = ()

    def moved(self, step: ScalingStep) -> "ScalingLog":
        """Return the log with one more step; the oldest goes."""
        return ScalingLog(target=step.after, steps=(*self.steps, step)[-_KEPT:])


def read_scaling_log(application: str, deployment: str) -> ScalingLog | None:
    """Return what was decided for a deployment so far, or None. For processes that are connected to Ray."""
    # Ray has no public name for its key-value store.
    written = internal_kv._internal_kv_get(f"{application}/{deployment}", namespace=_NAMESPACE)  # noqa: SLF001
    return ScalingLog.model_validate_json(written) if written else None


def write_scaling_log(application: str, deployment: str, log: ScalingLog) -> None:
    """Replace it."""
    internal_kv._internal_kv_put(f"{application}/{deployment}", log.model_dump_json(), namespace=_NAMESPACE)  # noqa: SLF001
