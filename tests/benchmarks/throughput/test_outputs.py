"""A run's folder holds what a person reads, and its profile what the planner reads."""

import re
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.throughput.outputs import write_profile, write_run
from benchmarks.throughput.report import Report, ReportUnreadable, read_report
from benchmarks.throughput.run import knee_of
from benchmarks.throughput.slo import parse_terms
from benchmarks.throughput.tables import knee_point, table
from cluster.planner.steady import Sample
from cluster.profile import levels_of, profiles_of
from tests.benchmarks.throughput.runs import a_point, a_report, a_sample

CURVE = {1: 30.0, 2: 55.0, 4: 90.0, 8: 118.0, 16: 120.0}


def samples(level: int) -> list[Sample]:
    return [a_sample(float(n), ttft=0.1 * level, end_to_end=0.1 * level + 1) for n in range(6)]


def a_run() -> Report:
    points = tuple(a_point(samples(level), level, speed) for level, speed in CURVE.items())
    report = a_report({level: samples(level) for level in CURVE})
    update = {"points": points, "knee_concurrency": knee_of(points)}
    return report.model_copy(
        update={"profile": report.profile.model_copy(update=update), "remarks": ("power: <none>",)}
    )


@pytest.mark.slow
def test_of_several_rounds_the_median_one_stands_for_its_level(tmp_path: Path) -> None:
    report = a_run()
    disturbed = tuple(point.model_copy(update={"output_tokens_per_second": 1.0}) for point in report.profile.points)
    rounds = (*disturbed, *report.profile.points, *report.profile.points)
    profile = report.profile.model_copy(update={"points": rounds})

    assert levels_of(rounds) == list(report.profile.points)
    assert knee_of(rounds) == report.profile.knee_concurrency
    write_run(report.model_copy(update={"profile": profile, "requests": report.requests * 3}), tmp_path, ())
    assert (tmp_path / "latency-throughput.png").read_bytes().startswith(b"\x89PNG")


def test_the_knee_is_where_the_curve_reaches_its_plateau() -> None:
    report = a_run()
    marked = knee_point(report.profile)

    assert report.profile.knee_concurrency == pytest.approx(4 + 4 * (114 - 90) / (118 - 90))
    assert marked is not None
    assert marked.concurrency == 8


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    return write_run(a_run(), tmp_path_factory.mktemp("run"), parse_terms("ttft_p95=1s"))


@pytest.mark.slow
def test_a_page_stands_alone_and_shows_table_curves_machine_and_remarks(written: tuple[Path, ...]) -> None:
    page = written[0].read_text()

    assert page.count("<svg") == 2
    assert not re.search(r"(?:src|href)=[\"'](?!#)|@import|url\((?!#)", page), "nothing is fetched from elsewhere"
    assert "a processor" in page
    assert "&lt;none&gt;" in page
    assert page.count("<tr class=knee>") == 1
    assert {file.name for file in written} == {"report.html", "report.json", "latency-throughput.png", "waiting.png"}
    assert all(file.stat().st_size > 10_000 for file in written if file.suffix == ".png")


def test_a_report_is_read_as_it_was_written_from_folder_or_file(written: tuple[Path, ...]) -> None:
    folder = written[0].parent

    assert read_report(folder) == read_report(folder / "report.json") == a_run()


@pytest.mark.parametrize("content", [None, "{}", "not json"])
def test_what_is_no_report_is_refused_by_name(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "report.json").write_text(content)

    with pytest.raises(ReportUnreadable, match=re.escape(str(tmp_path))):
        read_report(tmp_path)


def test_profiles_are_found_the_newest_first(tmp_path: Path) -> None:
    older, newer = (
        a_run().profile.model_copy(update={"at": at})
        for at in ("2026-11-24T18:00:00+00:00", "2026-11-24T21:00:00+02:00")
    )

    for profile in (newer, older):
        write_profile(profile, tmp_path)

    assert profiles_of(tmp_path, "a-model") == (newer, older)
    assert not list(tmp_path.rglob("*.part"))


def test_a_table_has_a_row_a_level_and_names_the_knee() -> None:
    console = Console(width=200)

    with console.capture() as capture:
        console.print(table(a_run().profile))

    shown = capture.get()
    assert all(f"{level} at once" in shown for level in CURVE)
    assert "knee: 7.4 at once" in shown
