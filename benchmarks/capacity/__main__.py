"""`python -m benchmarks.capacity`: fit the roofline's factors to published figures, hold out each pair, and write what ships.

Needs the table of figures (`capacity/published_throughput.csv` in `$LANE_DATA`, by default ../shared/data). Some minutes on one core.
"""

import os
from pathlib import Path

import numpy as np
import yaml
from rich.console import Console
from rich.table import Table

import cluster.planner
from benchmarks.capacity.fit import error_of, fitted, held_out, read_published
from cluster.planner.efficiencies import FILE, Calibration


def main() -> None:
    """Fit, hold out, print the table, write the factors."""
    file = Path(os.environ.get("LANE_DATA", "../shared/data")) / "capacity" / "published_throughput.csv"
    figures = read_published(file)
    factors = fitted(figures)
    outside = held_out(figures)
    table = Table(title="Predicted over published output tokens/s - 1, each pair held out", show_lines=False)
    for column in ("model", "GPU", "median", "figures"):
        table.add_column(column)
    for (model, gpu), errors in outside.items():
        relative = [float(np.expm1(error)) for error in errors]
        table.add_row(model, gpu, f"{np.median(relative):+.2f}", " ".join(f"{one:+.2f}" for one in relative))
    absolute = np.abs(np.array([error for errors in outside.values() for error in errors]))
    inside = float(np.median([abs(np.expm1(error_of(one, factors))) for one in figures]))
    median = float(np.median([abs(np.expm1(error)) for errors in outside.values() for error in errors]))
    Console().print(table)
    Console().print(f"{len(figures)} figures, median error {inside:.3f} in the fit, {median:.3f} held out")
    found = Calibration(
        source="published throughput (docs/capacity.md), fitted by `python -m benchmarks.capacity`",
        rows=len(figures),
        median_error=round(median, 3),
        error_factor=round(float(np.exp(np.quantile(absolute, 0.9))), 2),
        factors=factors,
    )
    written = Path(str(cluster.planner.__path__[0])) / FILE
    written.write_text(yaml.safe_dump(found.model_dump(), sort_keys=False), encoding="utf-8")
    Console().print(f"wrote {written}")


if __name__ == "__main__":
    main()
