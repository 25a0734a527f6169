"""Is B faster or slower than A, or is it chance? Requests of the same level are held against each other, measure by measure.

For each level that both have: the ratio of the medians with a 95% bootstrap interval, and the two-sided Mann-Whitney test of every
request's figure, the p values of one comparison held together by Holm's method. A change counts where p is below 0.01 *and* it is at least
as large as the reader cares for. Requests of a level share the engine's steps, so they are not quite independent: p is a little too sure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.throughput.report import Report, Requests
from cluster.profile import Point
from router.errors import BadRequest

P_BELOW: Final = 0.01
_RESAMPLES: Final = 2000
_LENGTHS_DIFFER: Final = 0.1

Measure = Literal["ttft", "tpot", "e2e", "tokens_per_second"]
MEASURES: Final[tuple[Measure, ...]] = ("ttft", "tpot", "e2e", "tokens_per_second")
Verdict = Literal["better", "worse", "same"]
Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Row:
    """One measure at one level. `ratio`: B's median as a multiple of A's, with its interval; `p` after Holm."""

    level: str
    measure: Measure
    a: float
    b: float
    ratio: float
    low: float
    high: float
    p: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Comparison:
    """All rows, and in what the two runs differ beside the figures."""

    rows: tuple[Row, ...]
    differences: tuple[str, ...]

    @property
    def worse(self) -> bool:
        """Whether B lost anywhere."""
        return any(row.verdict == "worse" for row in self.rows)


def compare(a: Report, b: Report, least: float = 0.05, seed: int = 0) -> Comparison:
    """Compare run B with run A. `least`: the smallest relative change that counts. Raises `BadRequest` where no level is common."""
    pairs = _common_levels(a, b)
    if not pairs:
        raise BadRequest("the two runs have no level in common: same --levels or --rates, and lengths, for both")
    tested = [
        (level, measure, _values(left, measure), _values(right, measure))
        for level, left, right in pairs
        for measure in MEASURES
    ]
    p_values = holm([mann_whitney(left, right) for _, _, left, right in tested])
    chance = np.random.default_rng(seed)
    rows = []
    for (level, measure, left, right), p in zip(tested, p_values, strict=True):
        ratio, low, high = ratio_of_medians(left, right, chance)
        verdict = _verdict(measure, ratio, p, least)
        rows.append(Row(level, measure, float(np.median(left)), float(np.median(right)), ratio, low, high, p, verdict))
    return Comparison(tuple(rows), differences(a, b))


def mann_whitney(a: Values, b: Values) -> float:
    """Return the two-sided p of the hypothesis that neither sample tends to larger values."""
    if np.array_equal(np.unique(a), np.unique(b)) and len(np.unique(a)) == 1:
        return 1.0  # All values are one value: the test would divide by zero.
    return float(stats.mannwhitneyu(a, b, alternative="two-sided").pvalue)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return the p values as if each were the only one: Holm's step-down method keeps the chance of any false alarm."""
    order = np.argsort(p_values)
    adjusted, least = np.empty(len(p_values)), 0.0
    for rank, index in enumerate(order):
        least = max(least, min(1.0, p_values[index] * (len(p_values) - rank)))
        adjusted[index] = least
    return tuple(float(p) for p in adjusted)


def ratio_of_medians(a: Values, b: Values, chance: np.random.Generator) -> tuple[float, float, float]:
    """Return median(B) / median(A) with a 95% interval from resampling each side's requests."""
    left = np.median(chance.choice(a, (_RESAMPLES, len(a))), axis=1)
    right = np.median(chance.choice(b, (_RESAMPLES, len(b))), axis=1)
    low, high = np.percentile(right / left, (2.5, 97.5))
    return float(np.median(b) / np.median(a)), float(low), float(high)


def differences(a: Report, b: Report) -> tuple[str, ...]:
    """Say in what the runs differ: a change of figures may come from any of it."""
    one, other = a.profile, b.profile
    said = [
        f"{name}: {left} and {right}"
        for name, left, right in (
            ("model", one.model, other.model),
            ("weights", one.weights_hash[:12], other.weights_hash[:12]),
            ("side", one.side, other.side),
            ("number format", one.dtype, other.dtype),
            ("processor", one.machine.processor, other.machine.processor),
            ("cores", one.machine.cores, other.machine.cores),
            ("GPU", one.machine.gpu, other.machine.gpu),
            ("GPU count", one.machine.gpu_count, other.machine.gpu_count),
        )
        if left != right
    ]
    said += _changed("version", dict(one.machine.versions), dict(other.machine.versions))
    said += _changed("engine setting", dict(one.engine), dict(other.engine))
    return tuple(said)


def _changed(what: str, one: dict[str, object], other: dict[str, object]) -> list[str]:
    names = sorted(one.keys() | other.keys())
    return [
        f"{what} {name}: {one.get(name)} and {other.get(name)}" for name in names if one.get(name) != other.get(name)
    ]


def _common_levels(a: Report, b: Report) -> list[tuple[str, Requests, Requests]]:
    ours = {_level(point): (point, requests) for point, requests in zip(a.profile.points, a.requests, strict=True)}
    common = []
    for point, requests in zip(b.profile.points, b.requests, strict=True):
        level = _level(point)
        if level in ours:
            _refuse_other_lengths(level, ours[level][0], point)
            common.append((level, ours[level][1], requests))
    return common


def _refuse_other_lengths(level: str, a: Point, b: Point) -> None:
    for name, left, right in (
        ("prompts", a.input_tokens, b.input_tokens),
        ("answers", a.output_tokens, b.output_tokens),
    ):
        if abs(right / left - 1) > _LENGTHS_DIFFER:
            raise BadRequest(
                f"{level}: {name} of {left:.0f} and {right:.0f} tokens on average can't be compared; "
                "run both with the same lengths and --seed"
            )


def _level(point: Point) -> str:
    return f"{point.concurrency:g} at once" if point.rate is None else f"{point.rate:g} a second"


def _values(requests: Requests, measure: Measure) -> Values:
    match measure:
        case "ttft":
            return np.array(requests.ttft_seconds)
        case "tpot":
            return np.array(requests.tpot_seconds)
        case "e2e":
            return np.array(requests.e2e_seconds)
        case "tokens_per_second":
            times = zip(requests.output_tokens, requests.e2e_seconds, strict=True)
            return np.array([tokens / seconds for tokens, seconds in times])


def _verdict(measure: Measure, ratio: float, p: float, least: float) -> Verdict:
    if p >= P_BELOW or abs(ratio - 1) < least:
        return "same"
    return "better" if (ratio > 1) == (measure == "tokens_per_second") else "worse"
