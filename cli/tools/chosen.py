"""Which bundle is meant, which of its tools, and how is a row said? What all of `lane tools` share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from cli.lines import write
from router.errors import BadRequest

if TYPE_CHECKING:
    from router.bundle import Bundle
    from router.bundle.files import ToolFile


BundleOption = Annotated[
    Path | None,
    typer.Option(help="The bundle's folder; by default $LANE_BUNDLE, else config/starter.", show_default=False),
]
Name = Annotated[str, typer.Argument(help="The tool's name.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Compact JSON on stdout.")]


def folder_of(bundle: Path | None) -> Path:
    """Return the folder of the bundle that is meant."""
    from serving.settings import read_settings

    return read_settings(bundle).bundle


def loaded(bundle: Path | None) -> "Bundle":
    """Return that bundle. Raises `BundleInvalid`."""
    from router.bundle import load_bundle

    return load_bundle(folder_of(bundle))


def tool_of(bundle: "Bundle", name: str) -> "ToolFile":
    """Return one of its tools. Raises `BadRequest` with the names that there are."""
    if name not in bundle.tools:
        raise BadRequest(f"the bundle has no tool {name!r}; it has {', '.join(bundle.tools) or 'none'}")
    return bundle.tools[name]


def say(row: dict[str, Any], words: str, *, json: bool) -> None:
    """Write the row as JSON, or the words."""
    if json:
        write(orjson.dumps(row))
    else:
        typer.echo(words)
