"""Where do the results go? A folder of report, page and pictures for people, and the profile where planner and autoscaler look."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.throughput.page import page
from benchmarks.throughput.plots import as_svg, figures, write_png
from benchmarks.throughput.report import REPORT, Report
from cluster.planner.slo import Term
from cluster.profile import Profile

PAGE = "report.html"


def write_run(report: Report, folder: Path, terms: Sequence[Term]) -> tuple[Path, ...]:
    """Write a run's folder and return its files, the page first."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = figures(report.profile, terms)
    pictures = {folder / f"{name}.png": figure for name, figure in drawn.items()}
    for file, figure in pictures.items():
        write_png(figure, file)
    (folder / PAGE).write_text(page(report, [as_svg(figure) for figure in drawn.values()]), "utf-8")
    (folder / REPORT).write_text(report.model_dump_json(), "utf-8")
    return (folder / PAGE, folder / REPORT, *pictures)


def write_profile(profile: Profile, profiles: Path) -> Path:
    """Write a profile under its model and time, where `cluster.profile.profiles_of` finds it; whole or not at all."""
    file = profiles / profile.model / f"{stamp(datetime.fromisoformat(profile.at))}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    half = file.with_suffix(".part")
    half.write_text(profile.model_dump_json(indent=1), "utf-8")
    half.replace(file)
    return file


def stamp(at: datetime) -> str:
    """Return a moment as it stands in names of files: UTC, sorted by name as by time."""
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
