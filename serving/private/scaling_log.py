"""Why does a model have the replicas that it has? The autoscaler's latest decisions, and what was replaced, for `lane status`.

They rest in the cluster's own key-value store (GCS): Serve's controller writes the decisions, a replica that ends the reason for its end,
and any process of the cluster reads both.
"""

import threading
from collections.abc import Callable
from typing import Final

from ray.experimental import internal_kv

from router.contract import Frozen
from serving.status import Replaced, ScalingStep

_NAMESPACE: Final = b"lane-scaling"
_KEPT: Final = 16
_LAST_WORDS_SECONDS: Final = 2.0


class ScalingLog(Frozen):
    """How many replicas are asked for now, and the latest changes of that, the newest last."""

    target: int
    steps: tuple[ScalingStep, ...] = ()

    def moved(self, step: ScalingStep) -> "ScalingLog":
        """Return the log with one more step; the oldest goes."""
        return ScalingLog(target=step.after, steps=(*self.steps, step)[-_KEPT:])


class _Replacements(Frozen):
    entries: tuple[Replaced, ...] = ()


def read_scaling_log(application: str, deployment: str) -> ScalingLog | None:
    """Return what was decided for a deployment so far, or None. For processes that are connected to Ray, as all of these."""
    written = _get(f"{application}/{deployment}")
    return ScalingLog.model_validate_json(written) if written else None


def write_scaling_log(application: str, deployment: str, log: ScalingLog) -> None:
    """Replace it."""
    _put(f"{application}/{deployment}", log)


def read_replaced(application: str, deployment: str) -> tuple[Replaced, ...]:
    """Return the latest replicas that ended for want of a working engine, the newest last."""
    written = _get(f"{application}/{deployment}/replaced")
    return _Replacements.model_validate_json(written).entries if written else ()


def note_replaced(application: str, deployment: str, replaced: Replaced) -> None:
    """Add one, within two seconds or not at all: whoever calls this is about to end, and the store's own process may be gone."""

    def add() -> None:
        entries = (*read_replaced(application, deployment), replaced)[-_KEPT:]
        _put(f"{application}/{deployment}/replaced", _Replacements(entries=entries))

    _for_a_moment(add)


def _for_a_moment(work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(_LAST_WORDS_SECONDS)


def _get(key: str) -> bytes | None:
    # Ray has no public name for its key-value store.
    written: bytes | None = internal_kv._internal_kv_get(key, namespace=_NAMESPACE)  # noqa: SLF001
    return written


def _put(key: str, value: Frozen) -> None:
    internal_kv._internal_kv_put(key, value.model_dump_json(), namespace=_NAMESPACE)  # noqa: SLF001
