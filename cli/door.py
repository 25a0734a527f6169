"""`lane door`: the only way out, as a process of its own. `lane up` starts one; on nodes, systemd does."""

import os
from pathlib import Path
from typing import Annotated

import typer


def door(
    bundle: Annotated[
        Path | None,
        typer.Argument(
            help="The bundle; by default $LANE_BUNDLE, else the one in force, else config/starter.", show_default=False
        ),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(help="With $LANE_DOOR: the address of this machine to listen on.", show_default=False),
    ] = None,
) -> None:
    """Open the door and stay; Ctrl-C or SIGTERM closes it. Provider keys come from this environment.

    It listens on its Unix socket, or where $LANE_DOOR (https://host:port) says, to whoever shows a certificate of the site.
    """
    from serving.door.main import stay
    from serving.settings import read_settings

    stay(read_settings(bundle), os.environ, listen)
