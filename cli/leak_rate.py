"""`lane leak-rate`: how often did something leave that should have stayed, and how often did something stay for nothing?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.console import Console
from rich.table import Table

from router.errors import BadRequest
from serving.settings import read_settings

if TYPE_CHECKING:
    from serving.leaks.report import Rate

leak_rate_app = typer.Typer(
    no_args_is_help=True,
    help="Sample what left and what stayed, judge it, and estimate how often that was wrong.",
)
Json = Annotated[bool, typer.Option("--json", help="Compact JSON on stdout.")]
_KEY = Path("~/.private-lane/leaks.key")


@leak_rate_app.command()
def keygen(
    out: Annotated[Path, typer.Option(help="Where the private key goes.")] = _KEY,
    json: Json = False,
) -> None:
    """Make the judge's key. Samples are sealed for its public half; only who holds this file can read them."""
    from serving.leaks.sealed import make_judge_key

    file = out.expanduser()
    public = make_judge_key(file)
    if json:
        typer.echo(orjson.dumps({"key_file": str(file), "public_key": public}).decode())
    else:
        typer.echo(public)
        typer.echo(f"keep {file} to the judge; in the cluster's home: lane leak-rate on {public}", err=True)


@leak_rate_app.command()
def on(
    public_key: Annotated[str, typer.Argument(help="The judge's public key, as `keygen` prints it.")],
    per_stratum: Annotated[int, typer.Option(help="Samples of each stratum and week.", min=1, max=10_000)] = 20,
    days: Annotated[int, typer.Option(help="Days until a sample's content is forgotten.", min=1, max=366)] = 28,
) -> None:
    """Sample from the next request on. Off by default: a sample is somebody's text, kept."""
    from serving.leaks.setting import LeakSample, write_setting

    file = read_settings(Path()).leak_sample_file
    try:
        write_setting(file, LeakSample(public_key=public_key.lower(), per_stratum=per_stratum, days=days))
    except ValueError as error:
        raise BadRequest("PUBLIC_KEY: 64 hex digits, as `lane leak-rate keygen` prints them", "PUBLIC_KEY") from error
    typer.echo(f"sampling is on ({file}); to read samples takes the private key")


@leak_rate_app.command()
def off() -> None:
    """Sample nothing more. What is kept stays; `purge` removes it."""
    read_settings(Path()).leak_sample_file.unlink(missing_ok=True)
    typer.echo("sampling is off")


@leak_rate_app.command()
def report(json: Json = False) -> None:
    """Print the rates with their 95% intervals, by category: leaks of all that left, false blocks of all that stayed."""
    from serving.leaks.files import all_samples, all_verdicts
    from serving.leaks.report import rates

    settings = read_settings(Path())
    rows = rates(all_samples(settings), all_verdicts(settings))
    if json:
        for row in rows:
            typer.echo(orjson.dumps(_as_json(row)).decode())
    else:
        _print_rates(rows)


@leak_rate_app.command()
def purge(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Remove every sample, count and verdict of this home."""
    from serving.leaks.files import forget

    settings = read_settings(Path())
    if not yes:
        typer.confirm(f"Remove all samples and verdicts in {settings.samples}?", abort=True)
    typer.echo(f"removed {forget(settings)} samples")


def _as_json(row: "Rate") -> dict[str, object]:
    found = row.estimate
    return {
        "measure": row.measure,
        "category": row.category,
        "rate": found.rate,
        "low": found.low,
        "high": found.high,
        "confidence": 0.95,
        "population": found.population,
        "covered": found.covered,
        "judged": found.judged,
        "wrong": found.wrong,
        "effective": found.effective,
        "undecided": row.undecided,
    }


def _print_rates(rows: "list[Rate]") -> None:
    table = Table("", "category", "rate", "95% interval", "judged", "of", "covered", box=None, pad_edge=False)
    for row in rows:
        found = row.estimate
        rate = "not judged yet" if found.rate is None else f"{found.rate:.3%}"
        interval = "" if found.rate is None else f"{found.low:.3%} to {found.high:.3%}"
        name = {"leak": "leaks", "false_block": "false blocks"}[row.measure]
        judged = f"{found.judged} ({found.wrong} wrong)"
        table.add_row(name, row.category, rate, interval, judged, str(found.population), f"{found.covered:.0%}")
    Console().print(table)
    typer.echo("how these are made, and what they do not say: docs/leak-rate.md", err=True)
