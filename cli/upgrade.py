"""`lane cluster address` and `upgrade`: one address before two systems, and another version of this software behind it."""

import os
from typing import Annotated

import orjson
import typer
from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="Compact JSON on stdout.")]


def address(
    port: Annotated[int, typer.Option(help="The port that clients use.")] = 8000,
    stop: Annotated[bool, typer.Option("--stop", help="Take the address away, once its requests have ended.")] = False,
    json: Json = False,
) -> None:
    """Put an address before the system that runs here (on another port), so that another version can take over behind it."""
    from serving.blue_green import address_of, put_before, standing_of
    from serving.settings import read_settings

    settings = read_settings()
    if stop:
        known = standing_of(settings)
        stopped = known is not None and address_of(settings, known).stop()
        typer.echo(
            orjson.dumps({"stopped": stopped}).decode() if json else ("Stopped." if stopped else "There was none.")
        )
        return
    standing = put_before(settings, port)
    if json:
        typer.echo(standing.model_dump_json())
    else:
        typer.echo(
            f"http://{standing.host}:{standing.port}/v1 leads to {standing.live}, on port {standing.systems[standing.live].port}"
        )


def upgrade(
    python: Annotated[
        str,
        typer.Option(
            help="The interpreter of the environment that holds the version to run, /opt/lane-2/bin/python say."
        ),
    ],
    port: Annotated[int, typer.Option(help="A free port, for the system behind the address.")],
    json: Json = False,
) -> None:
    """Start a second system with another environment, move the address to it, let the first one's requests end, end it.

    Exit 1 where it does not fit or does not start: nothing has changed then. The way back is the same, with the old environment. The new
    system's door takes the provider keys from this command's environment.
    """
    from serving.blue_green import upgrade as take_over
    from serving.settings import read_settings

    console = Console(stderr=True, highlight=False)
    standing = take_over(read_settings(), python, port, os.environ, lambda said: console.print(f"[dim]{said}[/dim]"))
    typer.echo(
        standing.model_dump_json() if json else f"{standing.live} answers at http://{standing.host}:{standing.port}/v1"
    )
