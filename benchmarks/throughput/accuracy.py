"""Does the planner predict what was not measured? Calibrate on a sweep here, predict other loads and other lengths, measure those too.

`python -m benchmarks.throughput.accuracy` (`make bench-capacity`) serves the small model, measures the calibration sweep (1 to 32 at
once, lengths spread around one mean) and the held-out points (other concurrencies, other lengths) in one random order, so that a drift of
the machine falls on both, and again in other orders while there is time; fits the step times to all rounds of the sweep alone, by a loss
that an outlier bends little; and prints one table of predicted and measured figures, the median round of each.
Exit 0 when the median errors are within the aims, 1 when one is not.
"""

import argparse
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.throughput.lengths import Around
from benchmarks.throughput.outputs import stamp, write_profile, write_run
from benchmarks.throughput.report import Report
from benchmarks.throughput.run import Run, report_of, session
from benchmarks.throughput.sweep import Level, Measured
from cluster.planner.fitted import MEASURES, Predicted, predict, steps_from
from cluster.profile import Point, Profile
from router.errors import RouterError
from serving.settings import read_settings

Where = tuple[int, Around]
"""A point: so many streams, and their lengths."""
MODEL: Final = "smollm2-135m-instruct"
AIMS: Final = {"throughput": 0.10, "tpot": 0.10, "ttft": 0.20}
ROUNDS: Final = 3
SECONDS: Final = 660.0
"""After so long no point is begun any more; the first round is always whole, which may take longer on a slow machine."""
_SWEEP: Final = Around(72, 24, 0.6)
CALIBRATION: Final = tuple((streams, _SWEEP) for streams in (1, 2, 4, 8, 16, 32))
HELD_OUT: Final = (
    *((streams, _SWEEP) for streams in (3, 6, 12, 24)),
    (1, Around(192, 16)),
    (2, Around(48, 40)),
    (4, Around(160, 16)),
    (8, Around(48, 32, 0.4)),
    (16, Around(56, 32)),
    (20, Around(112, 16, 0.5)),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One held-out point: what was predicted, what was measured, and the relative error of each measure."""

    concurrency: int
    lengths: str
    predicted: Predicted
    measured: Predicted

    def error(self, measure: str) -> float:
        """Return |predicted / measured - 1|."""
        return abs(float(getattr(self.predicted, measure)) / float(getattr(self.measured, measure)) - 1)


def measured_as(point: Point) -> Predicted:
    """Return a measured point in the prediction's terms."""
    return Predicted(point.output_tokens_per_second, point.tpot.mean, point.ttft.p50)


def orders(seed: int) -> Iterator[tuple[int, Where]]:
    """Yield every point with its round, calibration and held-out ones mixed, each round in an order of its own."""
    for number in range(ROUNDS):
        plan = [*CALIBRATION, *HELD_OUT]
        random.Random(f"{seed}/{number}").shuffle(plan)  # noqa: S311 - repeatable, not secret
        yield from ((number, where) for where in plan)


def measure_all(
    measure: Callable[[Level, Around, int], Measured],
    seed: int,
    kept: Path,
    monotonic: Callable[[], float] = time.monotonic,
) -> dict[Where, list[Measured]]:
    """Measure every point once, and once more in each round that there is time for; each goes to `kept` at once, one a line."""
    done: dict[Where, list[Measured]] = {where: [] for where in (*CALIBRATION, *HELD_OUT)}
    began = monotonic()
    for number, (streams, lengths) in orders(seed):
        if number and monotonic() - began > SECONDS:
            break
        # Other prompts in each round, alike for nobody: the cache of beginnings must not answer.
        drawn = seed + number * len(done) + list(done).index((streams, lengths))
        # Short and often: what slows the machine lasts for minutes, and is in one round of three.
        measured = measure(Level(concurrency=streams, each=1), lengths, drawn)
        done[streams, lengths].append(measured)
        with kept.open("ab") as file:
            line = {"round": number, "lengths": str(lengths)} | measured.point.model_dump(mode="json")
            file.write(orjson.dumps(line) + b"\n")
    return done


def rows_of(profile: Profile, held_out: Mapping[Where, Sequence[Point]]) -> tuple[Row, ...]:
    """Predict every round of each held-out point from the profile alone, and put the median beside that of what was measured."""
    steps = steps_from(profile)
    return tuple(
        Row(
            streams,
            str(lengths),
            median_of([predict(profile, steps, point.shapes, streams) for point in points]),
            median_of([measured_as(point) for point in points]),
        )
        for (streams, lengths), points in held_out.items()
    )


def median_of(rounds: Sequence[Predicted]) -> Predicted:
    """Return each measure's median over the rounds, of two their geometric mean: errors are ratios."""
    logs = np.log([[getattr(one, measure) for measure in MEASURES] for one in rounds])
    return Predicted(**dict(zip(MEASURES, np.exp(np.median(logs, axis=0)).tolist(), strict=True)))


def median_errors(rows: Sequence[Row]) -> dict[str, float]:
    """Return the median error of each measure."""
    return {measure: float(np.median([row.error(measure) for row in rows])) for measure in MEASURES}


def table(rows: Sequence[Row], profile: Profile) -> Table:
    """Return the one table."""
    shown = Table(title=f"{profile.model}: predicted from the sweep, and measured", title_justify="left")
    for heading in ("at once", "lengths"):
        shown.add_column(heading, justify="right" if heading == "at once" else "left")
    for name in ("tokens/s predicted", "TPOT ms predicted", "TTFT p50 ms predicted"):
        for heading in (name, "measured", "error"):
            shown.add_column(heading, justify="right")
    for row in rows:
        cells = [str(row.concurrency), row.lengths]
        for measure, factor in (("throughput", 1), ("tpot", 1000), ("ttft", 1000)):
            both = (getattr(side, measure) * factor for side in (row.predicted, row.measured))
            cells += [*(f"{value:,.1f}" for value in both), f"{row.error(measure):.1%}"]
        shown.add_row(*cells)
    shown.add_section()
    errors = median_errors(rows)
    summary = [[f"median (aim {AIMS[measure]:.0%})", "", f"{errors[measure]:.1%}"] for measure in MEASURES]
    shown.add_row("", "", *(cell for cells in summary for cell in cells), style="bold")
    return shown


def run(side: str, seed: int, out: Path | None, console: Console) -> tuple[Report, tuple[Row, ...]]:
    """Measure, write the sweep's report and profile and every point (`points.jsonl`), predict."""
    settings = read_settings()
    folder = out or settings.home / "benchmarks" / MODEL / stamp(datetime.now(UTC))
    folder.mkdir(parents=True, exist_ok=True)
    asked = Run(MODEL, "engine" if side == "engine" else "lane", _SWEEP, (), seed=seed)
    with session(settings, asked, console) as made:
        measured = measure_all(made.measure, seed, folder / "points.jsonl")
        report = report_of(made, asked, [one for where in CALIBRATION for one in measured[where]])
    profile, held_out = report.profile, {where: [one.point for one in measured[where]] for where in HELD_OUT}
    write_run(report, folder, ())
    write_profile(profile, settings.profiles)
    return report, rows_of(profile, held_out)


def main() -> None:
    """Parse the command line, run, print."""
    parser = argparse.ArgumentParser(prog="benchmarks.throughput.accuracy", description=__doc__)
    parser.add_argument("--side", choices=["lane", "engine"], default="lane")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--json", action="store_true", help="one JSON object a line on stdout")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # So that the servers are ended then too.
    try:
        report, rows = run(asked.side, asked.seed, asked.out, Console(stderr=True))
    except RouterError as error:
        sys.exit(f"benchmarks.throughput.accuracy: {error}")
    errors = median_errors(rows)
    if asked.json:
        for row in rows:
            fields: dict[str, Any] = asdict(row) | {"errors": {name: row.error(name) for name in MEASURES}}
            sys.stdout.write(orjson.dumps(fields).decode() + "\n")
        sys.stdout.write(orjson.dumps({"median_errors": errors, "aims": AIMS}).decode() + "\n")
    else:
        console = Console()
        (console if console.is_terminal else Console(width=170)).print(table(rows, report.profile))
    sys.exit(any(errors[name] > aim for name, aim in AIMS.items()))


if __name__ == "__main__":
    main()
