"""How long does a replica of this model take from nothing to its first answer? What this machine remembers; else its profile.

A start is warm where the weights lay sealed on the machine, cold where they were fetched or hashed first. Replicas come and go on nodes
that have the weights, so delays follow the warm one: waiting a tenth of it before adding costs little beside the start itself, and a
replica that is given up too early costs a whole start to get back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cluster.planner.answer import Ground
from cluster.planner.steps import Provenance
from cluster.profile import Profile
from models.spec import ModelSpec, Scaling
from models.weights.starts import Start, typical_seconds

_LATEST: Final = 20
"""Starts that count: older ones may be of another machine, or of another version of the engine."""
_WAIT_BEFORE_ADDING: Final = 0.1
_WAIT_BEFORE_REMOVING: Final = 5.0
_LEAST_UPSCALE_DELAY_SECONDS: Final = 2.0
_LEAST_DOWNSCALE_DELAY_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class StartTime:
    """Medians in seconds, None where there was no such start. `seconds` is what delays follow; None: nobody has seen one."""

    seconds: float | None
    provenance: Provenance
    source: str
    warm_seconds: float | None = None
    cold_seconds: float | None = None

    @property
    def ground(self) -> Ground:
        """Say where the number is from, for the plan's reader."""
        return Ground(what="start of a replica", provenance=self.provenance, source=self.source)


def start_time(starts: Sequence[Start], spec: ModelSpec | None, profile: Profile | None) -> StartTime:
    """Return the start time to plan with. `starts` are this model's on the kind of machine that is planned for, oldest first."""
    answered = [start for start in starts if start.ready_seconds is not None]
    latest = [start for start in answered if start.weights_hash == answered[-1].weights_hash][-_LATEST:]
    warm, cold = typical_seconds(latest, "warm"), typical_seconds(latest, "cold")
    if (seconds := warm if warm is not None else cold) is not None:
        return StartTime(seconds, "measured", _said(latest, warm, cold), warm, cold)
    if profile is not None and profile.start_seconds is not None:
        said = f"{profile.start_seconds:.0f} s, taken by the run of `lane bench` of {profile.at}"
        return StartTime(profile.start_seconds, "measured", said)
    if spec is not None and spec.scaling is not None and spec.scaling.start_seconds is not None:
        by_hand = spec.scaling.start_seconds
        return StartTime(
            by_hand, "assumed", f"{by_hand:g} s, as models.yaml says; no start is remembered on this machine"
        )
    said = "no start is remembered on this machine, and no profile has one: default delays"
    return StartTime(None, "assumed", said)


def paced_by(scaling: Scaling, start_seconds: float) -> Scaling:
    """Return the settings with the delays that follow from how long a start takes.

    LAW: a slower start never gives a shorter delay.
    """
    return scaling.model_copy(
        update={
            "upscale_delay_seconds": max(_LEAST_UPSCALE_DELAY_SECONDS, _WAIT_BEFORE_ADDING * start_seconds),
            "downscale_delay_seconds": max(_LEAST_DOWNSCALE_DELAY_SECONDS, _WAIT_BEFORE_REMOVING * start_seconds),
            "start_seconds": start_seconds,
        }
    )


def _said(starts: Sequence[Start], warm: float | None, cold: float | None) -> str:
    counted = (
        ("warm", warm, sum(start.warm for start in starts)),
        ("cold", cold, sum(not start.warm for start in starts)),
    )
    shown = [
        f"{count} {kind} start(s), median {seconds:.0f} s" for kind, seconds, count in counted if seconds is not None
    ]
    return f"{'; '.join(shown)}: on this machine, with these weights"
