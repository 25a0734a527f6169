"""`lane cluster init|token|renew|enrol`: a machine becomes the head of a cluster, and lets others in."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from cli.nodes import SLASH, Json, Root, Start, systemd, tell_files

Minutes = Annotated[int, typer.Option(min=1, max=7 * 24 * 60, help="How long the join token is good for.")]
Uses = Annotated[int, typer.Option(min=1, max=1000, help="How many nodes the join token lets in.")]


def init(
    nodes: Annotated[Path, typer.Argument(help="The machines; config/nodes.example.yaml is one to start from.")],
    site: Annotated[Path, typer.Argument(help="The site's addresses; config/site.example.yaml is one to start from.")],
    bundle: Annotated[
        Path | None, typer.Option(help="The bundle; by default $LANE_BUNDLE, else config/starter.", show_default=False)
    ] = None,
    minutes: Minutes = 60,
    uses: Uses = 1,
    ray_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of Ray's GCS.")] = 6379,
    enrol_port: Annotated[int, typer.Option(min=1, max=65535, help="Port at which nodes ask to join.")] = 8444,
    root: Root = SLASH,
    start: Start = False,
    json: Json = False,
) -> None:
    """Make this machine the head: authority, certificates, Ray's token and units; print a join token, once."""
    from cluster.network import read_site
    from cluster.nodes import read_nodes
    from cluster.nodes.admission import refuse_unfit
    from cluster.nodes.fitness import fitness, measure
    from cluster.nodes.gpu_state import Nvml
    from cluster.nodes.layout import Layout
    from cluster.nodes.setup import make_head, new_token
    from router.bundle import load_bundle
    from serving.settings import read_settings

    layout, listed = Layout(root), read_nodes(nodes)
    for head in (node for node in listed if node.head):
        refuse_unfit(head, fitness(head, Nvml(), measure))
    files = make_head(
        layout,
        listed,
        read_site(site),
        load_bundle(read_settings(bundle).bundle),
        ray_port=ray_port,
        enrol_port=enrol_port,
    )
    token = new_token(layout, minutes * 60, uses)
    tell_files(files, json=json)
    systemd(root, files, start=start)
    _tell_token(str(token), minutes, uses, json=json)


def token(minutes: Minutes = 60, uses: Uses = 1, root: Root = SLASH, json: Json = False) -> None:
    """On the head: make another join token, and print it once. Only its hash is kept."""
    from cluster.nodes.layout import Layout
    from cluster.nodes.setup import new_token

    _tell_token(str(new_token(Layout(root), minutes * 60, uses)), minutes, uses, json=json)


def renew(root: Root = SLASH, json: Json = False) -> None:
    """On the head: make it another certificate, good for a year, by the authority that it has. Its units take it when they start."""
    from cluster.nodes.layout import Layout
    from cluster.nodes.setup import renew_head

    tell_files(renew_head(Layout(root)), json=json)
    if not json:
        typer.echo("In force once they start again: systemctl restart lane-enrol lane-ray lane-node")
        typer.echo("(nothing is answered for as long as Ray and the models take to start: docs/nodes.md)")


def enrol(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8444,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "0.0.0.0",  # noqa: S104 - nodes come from outside
    root: Root = SLASH,
) -> None:
    """On the head: stay, and let in machines that show a join token (lane-enrol.service)."""
    import logging
    import sys

    from cluster.nodes.enrolment import enrolment_server
    from cluster.nodes.layout import Layout
    from cluster.nodes.setup import enrolment_of

    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    layout = Layout(root)
    enrolment = enrolment_of(layout)
    enrolment_server(enrolment, host, port, layout.enrol / "cert.pem", layout.enrol / "key.pem").run()


def _tell_token(token: str, minutes: int, uses: int, *, json: bool) -> None:
    if json:
        typer.echo(orjson.dumps({"join_token": token, "minutes": minutes, "uses": uses}).decode())
        return
    typer.echo(
        f"The join token, good for {minutes} minutes and {uses} node{'s' if uses > 1 else ''}. It is shown this once:"
    )
    typer.echo(f"  {token}")
    typer.echo("On each node:  LANE_JOIN_TOKEN=… lane cluster join HEAD")
