"""`lane door`: the only way out, as a process of its own. `lane up` starts one; on nodes, systemd does."""

import os
from pathlib import Path
from typing import Annotated

import typer


def door(
    bundle: Annotated[
        Path | None,
        typer.Argument(help="The bundle; by default $LANE_BUNDLE, else config/starter.", show_default=False),
    ] = None,
) -> None:
    """Open the door on its Unix socket and stay; Ctrl-C or SIGTERM closes it. Provider keys come from this environment."""
    from serving.door.main import stay
    from serving.settings import read_settings

    stay(read_settings(bundle), os.environ)
