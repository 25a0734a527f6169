"""`lane bundle keygen`, `trust`, `approvers`: whose word can bring a bundle into force here?"""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from serving.settings import read_settings

Json = Annotated[bool, typer.Option("--json", help="Compact JSON on stdout.")]


def keygen(
    name: Annotated[str, typer.Argument(help="The approver's name: the files are NAME.key and NAME.pub.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for both; by default ~/.private-lane.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Make an approver's Ed25519 key pair, the private half readable by its owner alone; print the public key.

    Works offline, on the approver's own machine: the cluster never needs the private half.
    """
    from serving.change.approvers import make_key, read_key

    private, public = make_key(name, out or Path.home() / ".private-lane")
    key = read_key(private).public_key().public_bytes_raw().hex()
    if json:
        body = {"approver": name, "public_key": key, "key_file": str(private), "public_file": str(public)}
        typer.echo(orjson.dumps(body).decode())
        return
    typer.echo(key)
    typer.echo(f"keep {private} to yourself; in the cluster's home: lane bundle trust {public}", err=True)


def trust(
    public_file: Annotated[Path, typer.Argument(help="An approver's NAME.pub.")],
    name: Annotated[str | None, typer.Option(help="The name here; by default the file's.", show_default=False)] = None,
    json: Json = False,
) -> None:
    """Let an approver's signatures count in this home. From the first one on, nothing runs here that was not applied.

    To take it back, remove $LANE_HOME/approvers/NAME.pub.
    """
    from serving.change.approvers import trust as trust_key

    settings, known_as = read_settings(Path()), name or public_file.stem
    key = trust_key(public_file, known_as, settings.approvers)
    if json:
        typer.echo(orjson.dumps({"approver": known_as, "public_key": key}).decode())
    else:
        typer.echo(f"{known_as} ({key[:16]}) is an approver in {settings.home}")


def approvers(json: Json = False) -> None:
    """List whose signatures count in this home."""
    from serving.change.approvers import trusted

    settings = read_settings(Path())
    found = sorted((name, key) for key, name in trusted(settings.approvers).items())
    if json:
        for name, key in found:
            typer.echo(orjson.dumps({"approver": name, "public_key": key}).decode())
    elif found:
        for name, key in found:
            typer.echo(f"{name:<20} {key}")
    else:
        typer.echo(f"nobody is named in {settings.approvers}: bundles run unsigned. See docs/change-control.md")
