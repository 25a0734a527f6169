"""`lane bench`: how fast is a model here, for how many at once, and is one run faster than another?"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from cli.lines import write
from router.errors import BadRequest

if TYPE_CHECKING:
    from rich.console import Console

    from benchmarks.throughput.compare import Comparison
    from benchmarks.throughput.lengths import Lengths
    from benchmarks.throughput.sweep import Level, Measured

_WIDE = 170
bench_app = typer.Typer(no_args_is_help=True, help="Measure a model's throughput and latency, and compare two runs.")

Json = Annotated[bool, typer.Option("--json", help="Compact JSON on stdout, one value a line.")]


@bench_app.callback()
def bench() -> None:
    """Measure a model's throughput and latency, and compare two runs."""


@bench_app.command()
def run(
    model: Annotated[str, typer.Argument(help="A model of the bundle.", show_default=False)],
    sweep: Annotated[
        bool,
        typer.Option(
            "--sweep",
            help="1, 2, 4, 8 and so on at once until more bring no more throughput, then rates up to the knee.",
        ),
    ] = False,
    trace: Annotated[
        Path | None,
        typer.Option(help="Lengths as in recorded traffic: Azure's CSV, Mooncake's JSON lines.", show_default=False),
    ] = None,
    scale: Annotated[float, typer.Option(min=0.001, help="Multiply the trace's lengths, for small machines.")] = 1.0,
    isl: Annotated[int, typer.Option(min=1, help="Tokens of each prompt, where no trace is given.")] = 256,
    osl: Annotated[int, typer.Option(min=1, help="Tokens of each answer, likewise.")] = 64,
    spread: Annotated[
        float, typer.Option(min=0, max=0.95, help="Draw lengths evenly from this share below to this share above.")
    ] = 0.0,
    slo: Annotated[
        str | None, typer.Option(help="What is promised: ttft_p95=1s,tpot_p95=40ms (also e2e).", show_default=False)
    ] = None,
    levels: Annotated[
        str | None, typer.Option(help="Requests at once, as 1,2,4; by default 1,8.", show_default=False)
    ] = None,
    rates: Annotated[
        str | None, typer.Option(help="Requests a second (Poisson), as 0.5,1.", show_default=False)
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="With --sweep: the most requests at once.")] = 128,
    bare: Annotated[
        bool, typer.Option("--bare", help="The engine's own server with the same settings, not the lane.")
    ] = False,
    lane: Annotated[
        str | None,
        typer.Option(help="The lane to ask; by default the last private one of the model.", show_default=False),
    ] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(help="The bundle; by default $LANE_BUNDLE, else the one in force.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(help="Draws lengths, prompts and arrivals; the same seed, the same load.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for report, page and pictures; by default below the home.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Put load on a model and write what came of it: a table, a page with pictures, and the profile that `lane plan` reads.

    The lane is asked as clients ask it (API address, key, router and all): the system that runs here, else one started for this run.
    Exit 0 when it was measured and the --slo, if any, holds at one level at least; 1 when not; 2 for bad input.
    """
    import signal
    import sys

    from rich.console import Console

    from benchmarks.throughput.outputs import stamp, write_profile, write_run
    from benchmarks.throughput.run import Run, measured_report
    from benchmarks.throughput.slo import parse_terms
    from benchmarks.throughput.tables import table
    from serving.settings import read_settings

    # So that what was started is ended then too.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    settings = read_settings(bundle)
    terms = parse_terms(slo or "")
    asked = Run(
        model=model,
        side="engine" if bare else "lane",
        lengths=_lengths(trace, scale, isl, osl, spread),
        levels=_levels(levels, rates, most, sweep=sweep),
        sweep=sweep,
        terms=terms,
        slo=slo,
        seed=seed,
        lane=lane,
    )
    report = measured_report(settings, asked, Console(stderr=True), _line if json else lambda *_: None)
    profile = report.profile
    folder = out or settings.home / "benchmarks" / model / stamp(_moment(profile.at))
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = write_run(report, folder, terms)
    written = write_profile(profile, settings.profiles)
    if json:
        paths = {"page": str(files[0]), "report": str(files[1]), "pictures": [str(file) for file in files[2:]]}
        write(orjson.dumps({"knee_concurrency": profile.knee_concurrency, "profile": str(written), **paths}))
    else:
        console = _console()
        console.print(table(profile))
        for remark in report.remarks:
            console.print(f"[dim]{remark}[/dim]", highlight=False)
        console.print(f"{files[0]}\n{written}", highlight=False, soft_wrap=True)
    missed = bool(terms) and not any(point.slo_met for point in profile.points)
    raise typer.Exit(1 if missed else 0)


@bench_app.command()
def compare(
    a: Annotated[Path, typer.Argument(help="A run's folder or report: what to compare with.", show_default=False)],
    b: Annotated[Path, typer.Argument(help="Another run's: what is judged.", show_default=False)],
    least: Annotated[float, typer.Option(min=0, max=1, help="The smallest relative change that counts.")] = 0.05,
    json: Json = False,
) -> None:
    """Hold run B against run A, level by level: ratios with intervals, and whether they are more than chance.

    Exit 0 when B is nowhere worse (p below 0.01 by Mann-Whitney, held together by Holm, and a change of at least --least), 1 when it
    is, 2 when the two can't be compared.
    """
    from benchmarks.throughput.compare import compare as held_against
    from benchmarks.throughput.report import read_report

    comparison = held_against(read_report(a), read_report(b), least)
    if json:
        _write_comparison(comparison)
    else:
        _show_comparison(comparison)
    raise typer.Exit(1 if comparison.worse else 0)


def _write_comparison(comparison: "Comparison") -> None:
    from dataclasses import asdict

    for row in comparison.rows:
        write(orjson.dumps(asdict(row)))
    write(orjson.dumps({"worse": comparison.worse, "differences": comparison.differences}))


def _show_comparison(comparison: "Comparison") -> None:
    from benchmarks.throughput.tables import comparison_table

    console = _console()
    console.print(comparison_table(comparison))
    for difference in comparison.differences:
        console.print(f"A and B differ in {difference}", highlight=False)


def _console() -> "Console":
    """Tables are wide: where nobody's terminal sets the width, they get the room they need."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=_WIDE)


def _line(level: "Level", measured: "Measured") -> None:
    """Write a level's figures as soon as they are there."""
    fields: dict[str, Any] = measured.point.model_dump(mode="json", exclude={"shapes"})
    write(orjson.dumps({"level": str(level), **fields}))


def _lengths(trace: Path | None, scale: float, isl: int, osl: int, spread: float) -> "Lengths":
    from benchmarks.throughput.lengths import Around, Recorded

    return Around(isl, osl, spread) if trace is None else Recorded.read(trace, scale)


def _levels(levels: str | None, rates: str | None, most: int, *, sweep: bool) -> Sequence["Level"]:
    from benchmarks.throughput.sweep import Level, doublings

    if sweep and levels:
        raise BadRequest("--sweep chooses the levels itself: leave one of --sweep and --levels out")
    streams = list(doublings(most)) if sweep else _numbers("--levels", levels or ("" if rates else "1,8"))
    if any(count != int(count) for count in streams):
        raise BadRequest("--levels: whole numbers of requests at once")
    closed = [Level(concurrency=int(count)) for count in streams]
    return [*closed, *(Level(rate=rate) for rate in _numbers("--rates", rates or ""))]


def _numbers(option: str, text: str) -> list[float]:
    try:
        numbers = [float(part) for part in text.split(",") if part.strip()]
    except ValueError as error:
        raise BadRequest(f"{option}: numbers with commas between them, as 1,2,4 (got {text!r})") from error
    if any(not 0 < number < 1e6 for number in numbers) or len(set(numbers)) < len(numbers):
        raise BadRequest(f"{option}: numbers above 0, each once (got {text!r})")
    return numbers


def _moment(at: str) -> Any:
    from datetime import datetime

    return datetime.fromisoformat(at)
