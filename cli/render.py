"""`lane cluster`: the files that a site's machines need: what holds their network, and the certificates between router and door."""

import os
from pathlib import Path
from typing import Annotated

import orjson
import typer

cluster_app = typer.Typer(no_args_is_help=True, help="Files for the nodes of a site.")


@cluster_app.command()
def render(
    site: Annotated[Path, typer.Argument(help="The site's addresses; config/site.example.yaml is one to start from.")],
    out: Annotated[Path, typer.Option("--out", help="The folder to write to.")],
    nodes: Annotated[
        Path | None,
        typer.Option(
            help="The machines; config/nodes.example.yaml is one to start from. Without it, what needs no list of machines."
        ),
    ] = None,
    bundle: Annotated[
        Path | None, typer.Option(help="The bundle; by default $LANE_BUNDLE, else config/starter.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="The files' paths, a JSON line each.")] = False,
) -> None:
    """Write systemd units and NetworkPolicies; with --nodes also KubeRay, Slurm, Prometheus and Grafana."""
    from cluster.network import read_site
    from cluster.nodes.inventory import read_nodes
    from cluster.render import render as render_files
    from router.bundle import load_bundle
    from serving.settings import read_settings

    machines = None if nodes is None else read_nodes(nodes)
    files = render_files(load_bundle(read_settings(bundle).bundle), read_site(site), machines)
    for name, text in files.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        typer.echo(orjson.dumps({"file": str(path)}).decode() if json else f"wrote {path}")


@cluster_app.command("certificates")
def make_certificates(
    out: Annotated[Path, typer.Option("--out", help="The folder to write to; it must not exist yet.")],
    door: Annotated[
        list[str], typer.Option(help="A name or address under which nodes reach the door; repeat for more.")
    ],
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long they are good for.")] = 365,
) -> None:
    """Make an authority for this site, and the certificates with which its routers and its door know each other.

    `door/` goes to the door's home as `door-tls`, `router/` to each node's; `ca.key` goes offline.
    """
    from cluster.certificates import certificates
    from router.errors import BadRequest

    if out.exists():
        raise BadRequest(f"{out} exists: certificates are never written over others; name a new folder", "--out")
    for name, content in certificates(door, days).items():
        path = out / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        typer.echo(f"wrote {path}")
