"""How long does a step take on the machine that was measured? A handful of figures, fitted so that the simulation gives the profile.

A step that reads n prompt tokens behind c cached ones takes  prefill_step + prefill_token n + prefill_pair n (c + n/2);
a step that writes for b sequences with k tokens of context   decode_step + decode_sequence b + decode_context k.
What stands around the engine (ingress, transport, the client's own share of the cores) is in these figures as well: a profile of the
lane as clients see it predicts what clients will see.

The fit is least squares on the logarithms of throughput, time per token and time to first token, each point simulated with the very
lengths it was measured with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from typing_extensions import override

from cluster.planner.load import Request, Trace
from cluster.planner.outcome import Served
from cluster.planner.replica import EngineLimits
from cluster.planner.simulate import Fleet, load_test
from cluster.planner.steady import Sample, steady_part
from cluster.planner.steps import Provenance, StepTimes
from cluster.profile import Point, Profile, StepFit
from router.errors import RouterError

MEASURES: Final = ("throughput", "tpot", "ttft")
FEWEST_POINTS: Final = 3
_TTFT_WEIGHT: Final = 0.5
"""The first token's time hangs on who came just before; it is the noisiest of the three."""
_FIELDS: Final = ("prefill_step", "prefill_token", "prefill_pair", "decode_step", "decode_sequence", "decode_context")
_PAIR: Final = 2.5e-4
_CONTEXT: Final = 5e-5
_LEANING: Final = 0.05
"""Levels of one mean length can't tell attention from the rest, so those two figures lean on what architectures share: a pair of tokens
costs about 4 x width x layers operations where a token costs 2 x weights, and a token of context about the KV bytes that it has read
where a step costs the bytes of the weights. Twenty times off weighs as much as a point that is 15% off."""
_FLOOR: Final = 1e-12
_NINE_OF_TEN: Final = 90


class ProfileTooThin(RouterError):
    """A profile has too few points, or none without a rate, to say how long a step takes."""

    code = "profile_too_thin"


@dataclass(frozen=True, slots=True)
class Predicted:
    """What a closed loop will give: answer tokens a second, and seconds (median first token, mean per token)."""

    throughput: float
    tpot: float
    ttft: float


@dataclass(frozen=True, slots=True)
class FittedSteps(StepTimes):
    """Step times of one replica, from measurements."""

    fit: StepFit
    kv_capacity: int
    sequences: int

    @property
    @override
    def kv_capacity_tokens(self) -> int:
        return self.kv_capacity

    @property
    @override
    def max_batch(self) -> int:
        return self.sequences

    @property
    @override
    def error_factor(self) -> float:
        return self.fit.error_factor

    @property
    @override
    def provenance(self) -> Provenance:
        return "fitted"

    @override
    def prefill_seconds(self, tokens: int, context: int) -> float:
        pairs = tokens * (context + tokens / 2)
        return self.fit.prefill_step + self.fit.prefill_token * tokens + self.fit.prefill_pair * pairs

    @override
    def decode_seconds(self, batch: int, context_tokens: int) -> float:
        return self.fit.decode_step + self.fit.decode_sequence * batch + self.fit.decode_context * context_tokens


def is_fittable(profile: Profile) -> bool:
    """Say whether a profile tells how long a step takes: it holds a fit, or points enough for one."""
    return profile.fit is not None or sum(point.rate is None for point in profile.points) >= FEWEST_POINTS


def steps_from(profile: Profile) -> FittedSteps:
    """Return the step times that a profile tells of; fits them where it holds no fit yet. Raises `ProfileTooThin`."""
    return _steps(profile, profile.fit or fit_steps(profile))


def predict(profile: Profile, steps: StepTimes, shapes: Sequence[tuple[int, int]], concurrency: int) -> Predicted:
    """Simulate a load test on one replica: requests with these lengths, each once, so many open; its steady part counts."""
    requests = tuple(Request(0.0, prompt, answer) for prompt, answer in shapes)
    fleet = Fleet(steps, limits=limits_of(profile))
    served = load_test(fleet, Trace(requests, "measured lengths"), concurrency).served
    steady = steady_part(sorted(map(_sample, served), key=lambda sample: sample.started), concurrency)
    return Predicted(
        steady.output_tokens_per_second,
        fmean(sample.tpot for sample in steady.samples),
        median(sample.ttft for sample in steady.samples),
    )


def _sample(served: Served) -> Sample:
    return Sample(
        served.arrived_seconds,
        served.prompt_tokens,
        served.output_tokens,
        served.ttft_seconds,
        served.ended_seconds - served.arrived_seconds,
    )


def fit_steps(profile: Profile) -> StepFit:
    """Fit the step times to a profile's closed-loop points. Raises `ProfileTooThin`."""
    points = [point for point in profile.points if point.rate is None]
    if len(points) < FEWEST_POINTS:
        raise ProfileTooThin(
            f"{profile.model}: {len(points)} levels of concurrency are in the profile; "
            f"at least {FEWEST_POINTS} are needed: lane bench run {profile.model} --sweep"
        )
    start = np.log(_first_guess(points))
    solved = optimize.least_squares(
        lambda logs: _residuals(profile, points, _fit_of(np.exp(logs))),
        start,
        loss="soft_l1",
        f_scale=0.1,
        max_nfev=100,
        diff_step=0.01,
    )
    fit = _fit_of(np.exp(solved.x))
    errors = np.abs(_errors(profile, points, fit))
    worst = float(np.percentile(errors, _NINE_OF_TEN))
    return fit.model_copy(
        update={
            "errors": {name: float(np.median(column)) for name, column in zip(MEASURES, errors.T, strict=True)},
            "error_factor": float(np.exp(worst)),
        }
    )


def _first_guess(points: Sequence[Point]) -> NDArray[np.float64]:
    """Start from time per token against concurrency (a line), and from the first token's time at the smallest load."""
    few = min(points, key=lambda point: point.concurrency)
    many = max(points, key=lambda point: point.concurrency)
    rise = (many.tpot.mean - few.tpot.mean) / max(many.concurrency - few.concurrency, 1)
    each = max(rise, few.tpot.mean / 1000)
    step = max(few.tpot.mean - each * few.concurrency, few.tpot.mean / 10)
    first = few.ttft.p50
    token = first / 2 / max(few.input_tokens, 1)
    return np.array((first / 2, token, token * _PAIR, step, each, step * _CONTEXT), dtype=np.float64)


def _residuals(profile: Profile, points: Sequence[Point], fit: StepFit) -> NDArray[np.float64]:
    weighted: NDArray[np.float64] = _errors(profile, points, fit) * np.array([1.0, 1.0, _TTFT_WEIGHT])
    leanings = (fit.prefill_pair / fit.prefill_token / _PAIR, fit.decode_context / fit.decode_step / _CONTEXT)
    return np.concatenate([weighted.ravel(), _LEANING * np.log(leanings)])


def _errors(profile: Profile, points: Sequence[Point], fit: StepFit) -> NDArray[np.float64]:
    """Return log(predicted / measured), a row a point, a column a measure."""
    steps = _steps(profile, fit)
    rows = []
    for point in points:
        said = predict(profile, steps, _shapes(point), round(point.concurrency))
        rows.append(
            [
                np.log(said.throughput / point.output_tokens_per_second),
                np.log(max(said.tpot, _FLOOR) / max(point.tpot.mean, _FLOOR)),
                np.log(max(said.ttft, _FLOOR) / max(point.ttft.p50, _FLOOR)),
            ]
        )
    return np.array(rows)


def _shapes(point: Point) -> tuple[tuple[int, int], ...]:
    """Return the lengths of a point's requests; one that keeps only their means counts as all alike."""
    if point.shapes:
        return point.shapes
    alike = (max(1, round(point.input_tokens)), max(1, round(point.output_tokens)))
    return (alike,) * (4 * round(point.concurrency) + 8)


def _fit_of(figures: NDArray[np.float64]) -> StepFit:
    return StepFit(**dict(zip(_FIELDS, map(float, figures), strict=True)))


def _steps(profile: Profile, fit: StepFit) -> FittedSteps:
    # What a profile does not say, its caller could not reckon either: then the cache is no limit.
    capacity = 10**9 if profile.kv_capacity_tokens is None else profile.kv_capacity_tokens
    return FittedSteps(fit, capacity, profile.max_num_seqs or 10**6)


def limits_of(profile: Profile) -> EngineLimits:
    """Return the engine's limits as they were measured."""
    block = profile.engine.get("block_size")
    return EngineLimits(
        block_tokens=block if isinstance(block, int) else EngineLimits().block_tokens,
        max_batched_tokens=profile.max_num_batched_tokens or EngineLimits().max_batched_tokens,
    )
