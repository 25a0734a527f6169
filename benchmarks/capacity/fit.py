"""Which factors come closest to the published figures? A robust fit of the logarithms, pulled towards the priors."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from scipy.optimize import least_squares

from benchmarks.capacity.priors import CENTRES, GPU_WIDTH, MODEL_WIDTH, WIDTHS
from cluster.planner.efficiencies import Calibration, Efficiencies, perturbed
from cluster.planner.predict import Case, RowUnreadable, engine_of, read_case, settle

PULL: Final = 0.25
"""Weight of the priors against the figures."""

ROBUST_FROM: Final = 0.08
"""Logarithmic error from which a figure counts less and less: published tables hold outliers that no arithmetic explains."""

_STEPS: Final = 30


@dataclass(frozen=True, slots=True)
class Published:
    """A figure that somebody published: the case, and tokens a second of all its GPUs together."""

    case: Case
    tokens_per_second: float

    @property
    def pair(self) -> tuple[str, str]:
        """Model and GPU, which are held out together."""
        return self.case.model, self.case.gpu


def read_published(file: Path) -> tuple[Published, ...]:
    """Read those rows of a table that give output tokens a second of a fully described run."""
    found = []
    with file.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            if not row["unit"].startswith("out_tok") or "?" in row["parallelism"]:
                continue
            try:
                case = read_case(row)
            except RowUnreadable:
                continue
            per = int(row["gpu_count"]) if row["unit"].endswith("per_gpu") else 1
            found.append(Published(case, float(row["value"]) * per))
    return tuple(found)


def error_of(published: Published, factors: Efficiencies) -> float:
    """Return the logarithm of predicted over published."""
    calibration = Calibration.model_construct(source="", rows=0, median_error=0, error_factor=1, factors=factors)
    engine = engine_of(published.case, calibration)
    return math.log(settle(published.case, engine).output_tokens_per_second / published.tokens_per_second)


def fitted(figures: Sequence[Published], pull: float = PULL) -> Efficiencies:
    """Return the factors that fit these figures best."""
    gpus = sorted({one.case.gpu for one in figures} - {"h100", "h200"})  # Those are what `matmul` itself is of.
    models = sorted({one.case.model for one in figures})
    names = [*CENTRES, *(f"by_gpu.{gpu}" for gpu in gpus), *(f"by_model.{model}" for model in models)]
    widths = np.array([WIDTHS.get(name, GPU_WIDTH if name.startswith("by_gpu.") else MODEL_WIDTH) for name in names])
    centre = Efficiencies(**CENTRES)

    def residuals(
        powers: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    ) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
        factors = perturbed(centre, dict(zip(names, powers, strict=True)))
        errors = [error_of(one, factors) for one in figures]
        return np.concatenate([np.array(errors), pull * powers / widths])

    found = least_squares(residuals, np.zeros(len(names)), loss="cauchy", f_scale=ROBUST_FROM, max_nfev=_STEPS)
    return perturbed(centre, _rounded(dict(zip(names, found.x, strict=True))))


def held_out(figures: Sequence[Published]) -> Mapping[tuple[str, str], tuple[float, ...]]:
    """Return the logarithmic errors of each pair's figures under factors that were fitted without them."""
    errors = {}
    for pair in sorted({one.pair for one in figures}):
        factors = fitted([one for one in figures if one.pair != pair])
        errors[pair] = tuple(error_of(one, factors) for one in figures if one.pair == pair)
    return errors


def _rounded(powers: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(power), 4) for name, power in powers.items()}
