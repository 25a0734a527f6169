"""`lane plan predict`: a table of runs in, a line of throughput and waiting for each out."""

import csv
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import orjson
import typer


def predict(
    table: Annotated[
        Path,
        typer.Option(
            "--input",
            help="A CSV file with model, gpu, gpu_count, parallelism, precision, isl, osl, concurrency_or_batch; more columns are let be.",
        ),
    ],
    json: Annotated[bool, typer.Option("--json", help="A JSON line for each row.")] = False,
) -> None:
    """Predict each row of a table of runs. `max` for the concurrency is as many as memory holds. A row that can't be is an error line.

    Exit 0 with a line for every row, 2 where the table can't be read.
    """
    from rich.console import Console
    from rich.table import Table

    from cluster.planner.efficiencies import calibration
    from cluster.planner.predict import RowUnreadable, Settled, engine_of, read_case, settle

    found: list[Settled | str] = []
    for row in _rows(table):
        try:
            case = read_case(row)
            found.append(settle(case, engine_of(case, calibration())))
        except RowUnreadable as error:
            found.append(str(error))
    if json:
        for one in found:
            typer.echo(orjson.dumps({"error": one} if isinstance(one, str) else asdict(one)).decode())
        return
    shown = Table(title=f"Predicted for {table}")
    for column in ("row", "tokens/s", "nine of ten within", "TTFT s", "TPOT ms", "at once"):
        shown.add_column(column, justify="right")
    for number, one in enumerate(found, start=1):
        if isinstance(one, str):
            shown.add_row(str(number), f"[red]{one}[/red]")
            continue
        low, high = one.interval
        within = f"{low:,.0f} to {high:,.0f}"
        waits = (f"{one.ttft_seconds:.2f}", f"{one.tpot_seconds * 1000:.1f}")
        shown.add_row(str(number), f"{one.output_tokens_per_second:,.0f}", within, *waits, f"{one.concurrency:,.0f}")
    Console().print(shown)


def _rows(table: Path) -> list[dict[str, str | None]]:
    """Read the rows. Raises `BadRequest` for a file that is no such table."""
    from cluster.planner.predict import COLUMNS
    from router.errors import BadRequest

    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadRequest(f"{table}: {error}", "--input") from error
    if missing := [column for column in COLUMNS if column not in (reader.fieldnames or ())]:
        raise BadRequest(f"{table}: no column {', '.join(missing)}; a table has {', '.join(COLUMNS)}", "--input")
    return rows
