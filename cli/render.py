"""`lane cluster render`: the files that hold a node's network to what the boundary promises."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

cluster_app = typer.Typer(no_args_is_help=True, help="Files for the nodes of a site.")


@cluster_app.command()
def render(
    site: Annotated[Path, typer.Argument(help="The site's addresses; config/site.example.yaml is one to start from.")],
    out: Annotated[Path, typer.Option("--out", help="The folder to write to.")],
    bundle: Annotated[
        Path | None, typer.Option(help="The bundle; by default $LANE_BUNDLE, else config/starter.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The files' paths, a JSON line each.")] = False,
) -> None:
    """Write systemd units and Kubernetes NetworkPolicies: nodes without a way out, and the door's own."""
    from cluster.network import read_site
    from cluster.network import render as render_files
    from router.bundle import load_bundle
    from serving.settings import read_settings

    files = render_files(load_bundle(read_settings(bundle).bundle), read_site(site))
    for name, text in files.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        typer.echo(orjson.dumps({"file": str(path)}).decode() if json else f"wrote {path}")
