"""How does Ray Serve come to ask `scaling.replicas_wanted`? As an autoscaling policy; delays and the steps up and down are Serve's own.

Serve sends this module by value to its controller, so what must stay one class in every process (settings, log) lives elsewhere.
"""

import warnings
from typing import Any, Final

from ray.serve.config import AutoscalingConfig, AutoscalingContext, AutoscalingPolicy

from models.spec import Scaling
from serving.private.scaling import Load, Wanted, replicas_wanted
from serving.private.scaling_log import ScalingLog, read_scaling_log, write_scaling_log
from serving.status import ScalingStep

_METRICS_SECONDS: Final = 1.0
"""Serve's default of 10 s would be most of the delay."""
_LOOK_BACK_SECONDS: Final = 5.0


class Autoscaler:
    """The policy of one model's deployment, made in Serve's controller from `scaling` as JSON and called there ten times a second."""

    def __init__(self, scaling: dict[str, Any]) -> None:
        self._scaling = Scaling.model_validate(scaling)
        self._log: ScalingLog | None = None
        self._wanted = Wanted(0, "the start")

    def __call__(self, context: AutoscalingContext) -> tuple[int, dict[str, Any]]:
        """Return how many replicas are wanted now. What Serve made of the last answer shows in `context.target_num_replicas`."""
        self._note(context)
        self._wanted = replicas_wanted(
            _load(context),
            up=context.current_num_replicas,
            target=context.target_num_replicas,
            scaling=self._scaling,
        )
        return self._wanted.replicas, {}

    def _note(self, context: AutoscalingContext) -> None:
        """Write it down where the target has changed since the last call."""
        now, of = context.target_num_replicas, (str(context.app_name), str(context.deployment_name))
        log = self._log or read_scaling_log(*of) or ScalingLog(target=now)
        if log.target != now:
            # From nothing Serve goes to one at the first request, without asking.
            because = "a request came and no replica was up" if log.target == 0 else self._wanted.because
            log = log.moved(ScalingStep(at=context.current_time, before=log.target, after=now, because=because))
        if log is not self._log:
            self._log = log
            write_scaling_log(*of, log)


def autoscaling_config(scaling: Scaling) -> AutoscalingConfig:
    """Return Serve's settings for a model that scales."""
    with warnings.catch_warnings():
        # `metrics_interval_s` is deprecated in favour of environment variables that Ray 2.60 does not read yet.
        warnings.simplefilter("ignore", DeprecationWarning)
        return AutoscalingConfig(
            min_replicas=scaling.min_replicas,
            max_replicas=scaling.max_replicas,
            initial_replicas=scaling.initial_replicas,
            target_ongoing_requests=scaling.target_ongoing_requests,
            upscale_delay_s=scaling.upscale_delay_seconds,
            downscale_delay_s=scaling.downscale_delay_seconds,
            metrics_interval_s=_METRICS_SECONDS,
            look_back_period_s=_LOOK_BACK_SECONDS,
            policy=AutoscalingPolicy(
                policy_function=f"{__name__}:{Autoscaler.__name__}",
                policy_kwargs={"scaling": scaling.model_dump(mode="json")},
            ),
        )


def _load(context: AutoscalingContext) -> Load:
    """Read what Serve counts itself, and what the replicas report of their engines (`PrivateModel.record_autoscaling_stats`)."""
    reported = context.aggregated_metrics or {}

    def total(name: str) -> float:
        return float(sum(reported.get(name, {}).values()))

    replicas = len(reported.get("kv_use", {}))
    return Load(
        open_requests=context.total_num_requests,
        waiting=total("waiting"),
        private_waiting=total("private_waiting"),
        kv_use=total("kv_use") / replicas if replicas else 0.0,
    )
