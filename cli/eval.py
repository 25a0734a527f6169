"""`lane eval`: does the system reach its own aims on data that others published? Figures for people, or one JSON document."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from cli.lines import write

if TYPE_CHECKING:
    from benchmarks.evals.boundary import Report

eval_app = typer.Typer(no_args_is_help=True, help="Measure the system against its aims, on data that others published.")


@eval_app.callback()
def evaluate() -> None:
    """Measure the system against its aims, on data that others published."""


@eval_app.command()
def boundary(
    data: Annotated[Path, typer.Option(help="A folder of the data sets; every file known by its name is used.")],
    bundle: Annotated[
        Path | None, typer.Option(help="The bundle; by default $LANE_BUNDLE, else config/starter.", show_default=False)
    ] = None,
    sample: Annotated[
        int | None,
        typer.Option(min=1, help="So many texts of each file, the same each time; by default all.", show_default=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One compact JSON document on stdout.")] = False,
) -> None:
    """Measure the data boundary: what is found, kept and let go, beside Presidio's default in the same run.

    Exit 0 when every aim holds, 1 when one is missed, 2 for data that can't be read.
    """
    from benchmarks.evals.boundary import evaluate as measure
    from benchmarks.evals.boundary import texts_to_read
    from benchmarks.evals.boundary_data import read_data
    from router.bundle import load_bundle
    from serving.settings import read_settings

    read = read_data(data, sample)
    loaded = load_bundle(read_settings(bundle).bundle)
    with _counted(texts_to_read(read)) as step:
        # Loaded here: spaCy and Presidio take seconds, and bad data should be told at once.
        from benchmarks.evals.readers import Readers

        report = measure(read, Readers.load(), loaded.heads, loaded.tiers.raise_at, step)
    if json:
        write(orjson.dumps(report.as_json()))
    else:
        _show(report)
    raise typer.Exit(0 if report.met else 1)


@contextmanager
def _counted(texts: int) -> Iterator[Callable[[], None]]:
    """Show progress on stderr, where a person watches."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("reading"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("texts", total=texts)
        yield lambda: progress.advance(task)


def _show(report: "Report") -> None:
    from rich.console import Console

    from cli.show_eval import tables

    console = Console()
    for table in tables(report):
        console.print(table)
        console.print()
