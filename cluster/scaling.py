"""Which autoscaling settings follow from what was measured of a model, and from how many replicas its load needs? Pure.

A replica aims at the knee of its profile: below it a request waits for nobody, above it latency grows and throughput does not. Both delays
come from the measured start: waiting a tenth of it before adding costs little beside the start itself, and a replica that is given up
too early costs a whole start to get back.
"""

from typing import Final

from cluster.profile import Profile
from models.spec import Scaling
from router.errors import RouterError

_WAIT_BEFORE_ADDING: Final = 0.1
_WAIT_BEFORE_REMOVING: Final = 5.0
_LEAST_UPSCALE_DELAY_SECONDS: Final = 2.0
_LEAST_DOWNSCALE_DELAY_SECONDS: Final = 60.0


class NotMeasured(RouterError):
    """The profile lacks what the settings follow from; the message says what, and what measures it."""

    code = "not_measured"
    exit_code = 2


def scaling_from(profile: Profile, *, trough: int, peak: int, n_plus: int = 0, to_zero: bool = False) -> Scaling:
    """Return the settings of a model. `trough` and `peak` are the replicas that its load needs at its lowest and its highest.

    `n_plus` replicas come on top of both, so that as many may be lost. `to_zero`: with nothing asked, nothing runs; this excludes `n_plus`.
    Raises `NotMeasured` for a profile without a knee or a start time.
    """
    if to_zero and n_plus:
        raise ValueError("a model that may be scaled to zero keeps no promise of N+1")
    if not 1 <= trough <= peak:
        raise ValueError(f"replicas at the trough ({trough}) must be at least 1 and at most those at the peak ({peak})")
    if profile.knee_concurrency is None:
        raise NotMeasured(
            f"the profile of {profile.model} has no knee: `lane bench run {profile.model} --sweep` finds it"
        )
    if profile.start_seconds is None:
        raise NotMeasured(
            f"the profile of {profile.model} has no start time: `lane bench run {profile.model}` takes it"
        )
    scaling = Scaling(
        min_replicas=0 if to_zero else trough + n_plus,
        max_replicas=peak + n_plus,
        spare_replicas=n_plus,
        target_ongoing_requests=profile.knee_concurrency,
    )
    return paced_by(scaling, profile.start_seconds)


def paced_by(scaling: Scaling, start_seconds: float) -> Scaling:
    """Return the settings with the delays that follow from how long a start takes."""
    return scaling.model_copy(
        update={
            "upscale_delay_seconds": max(_LEAST_UPSCALE_DELAY_SECONDS, _WAIT_BEFORE_ADDING * start_seconds),
            "downscale_delay_seconds": max(_LEAST_DOWNSCALE_DELAY_SECONDS, _WAIT_BEFORE_REMOVING * start_seconds),
            "start_seconds": start_seconds,
        }
    )
