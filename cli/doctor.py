"""`lane doctor`: is this machine fit to run the system, and where not, what mends it?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from serving.settings import read_settings

if TYPE_CHECKING:
    from cluster.doctor import Check, Verdict

_COLOUR: Final[dict["Verdict", str]] = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(
    bundle: Annotated[
        Path | None,
        typer.Argument(
            help="The bundle; by default $LANE_BUNDLE, else the one in force, else config/starter.", show_default=False
        ),
    ] = None,
    port: Annotated[int | None, typer.Option(help="The port to serve on; by default $LANE_PORT, else 8000.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Compact JSON on stdout, a check a line.")] = False,
) -> None:
    """Check Python, packages, processor, GPUs, memory, port, certificates, bundle and models; exit 1 where something must be mended."""
    from cluster.examine import examine
    from cluster.nodes.layout import Layout

    settings = read_settings(bundle, port)
    with Console(stderr=True).status("Looking at this machine"):
        checks = examine(
            bundle=settings.bundle,
            models=settings.models,
            host=settings.host,
            port=settings.port,
            tls=Layout(Path("/")).tls,
        )
    if json:
        for check in checks:
            print(check.model_dump_json())
    else:
        _print_table(checks)
    if any(check.verdict == "fail" for check in checks):
        raise typer.Exit(1)


def _print_table(checks: "tuple[Check, ...]") -> None:
    table = Table("", "check", box=None, pad_edge=False, header_style="bold")
    for name in ("seen", "mend"):
        table.add_column(name, overflow="fold")
    for check in checks:
        # As Text: a path or a version may hold square brackets, which are markup otherwise.
        table.add_row(Text(check.verdict, _COLOUR[check.verdict]), check.name, Text(check.seen), Text(check.mend))
    console = Console()
    console.print(table)
    failed = sum(check.verdict == "fail" for check in checks)
    warned = sum(check.verdict == "warn" for check in checks)
    if not failed and not warned:
        console.print("[green]All is well.[/green]")
    else:
        console.print(f"{failed} to mend, {warned} to know of.")
