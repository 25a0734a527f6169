"""`lane bundle check` and `hash`: does this policy hold together, and what is its name?"""

import os
from pathlib import Path
from typing import Annotated

import orjson
import typer

from router.errors import BadRequest

bundle_app = typer.Typer(no_args_is_help=True, help="Check a bundle, approve it, bring it into force, go back.")

Folder = Annotated[
    Path | None, typer.Argument(help="The bundle; by default $LANE_BUNDLE, else config/starter.", show_default=False)
]


@bundle_app.command()
def check(
    folder: Folder = None,
    json: Annotated[bool, typer.Option("--json", help="One finding a line, compact JSON on stdout.")] = False,
) -> None:
    """Name file, line and mend for everything that is wrong. Exit 0: the bundle may be used; 1: it may not."""
    from router.bundle import check_bundle

    root = bundle_folder(folder)
    findings = check_bundle(root)
    if json:
        for finding in findings:
            typer.echo(orjson.dumps(finding).decode())
    elif findings:
        _print_table(root, [(f"{one.file}:{one.line}", one.message, one.mend) for one in findings])
    else:
        from router.bundle.load import bundle_hash

        typer.echo(f"{root}: checks; hash {bundle_hash(root)}")
    raise typer.Exit(1 if findings else 0)


@bundle_app.command("hash")
def print_hash(
    folder: Folder = None,
    json: Annotated[bool, typer.Option("--json", help="Compact JSON on stdout.")] = False,
) -> None:
    """Print the one name of this version: SHA-256 over sorted paths and bytes, dotfiles aside. Checks nothing."""
    from router.bundle.load import bundle_hash

    root = bundle_folder(folder)
    digest = bundle_hash(root)
    typer.echo(orjson.dumps({"bundle": str(root), "hash": digest}).decode() if json else digest)


def bundle_folder(given: Path | None) -> Path:
    """Return the bundle's folder. Raises `BadRequest` where there is none."""
    root = given or Path(os.environ.get("LANE_BUNDLE", "config/starter"))
    if not root.is_dir():
        raise BadRequest(f"{root} is no folder: give a bundle's folder, for example config/starter")
    return root


def _print_table(root: Path, rows: list[tuple[str, str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=f"{root}: {len(rows)} to mend", title_justify="left", show_lines=True)
    table.add_column("where", no_wrap=True)
    table.add_column("what")
    table.add_column("mend")
    for row in rows:
        # Text, not markup: findings quote what stands in the files.
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
