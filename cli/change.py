"""`lane bundle sign`, `apply`, `history`, `rollback`: a change of policy, approved, in force, and undone."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.bundle import Folder, bundle_folder
from serving.settings import Settings, read_settings
from serving.status import supervisor_of

if TYPE_CHECKING:
    from serving.change.history import Entry
    from serving.change.widening import Comparison

Json = Annotated[bool, typer.Option("--json", help="Compact JSON on stdout.")]


def sign(
    folder: Folder = None,
    *,
    key: Annotated[Path, typer.Option("--key", help="The approver's private key, NAME.key.")],
    json: Json = False,
) -> None:
    """Say yes to exactly this version: checks it, shows what it changes, writes a signature beside it. Works offline.

    The signature is a file in BUNDLE/.signatures, which is no part of the bundle's hash: hand it over with the bundle.
    """
    from router.bundle import load_bundle
    from serving.change.approval import sign_bundle
    from serving.change.approvers import read_key
    from serving.change.store import write_signature

    root, private = bundle_folder(folder), read_key(key)
    bundle = load_bundle(root)
    comparison = _compared(bundle, read_settings(root))
    file = write_signature(root, sign_bundle(bundle.hash, private, int(time.time())))
    if json:
        body = {"bundle_hash": bundle.hash, "public_key": private.public_key().public_bytes_raw().hex()}
        typer.echo(orjson.dumps(body | {"file": str(file)} | _as_json(comparison)).decode())
        return
    _say(comparison)
    typer.echo(f"signed {bundle.hash} in {file}")


def apply(
    folder: Folder = None,
    in_place: Annotated[
        bool,
        typer.Option(
            "--in-place",
            help="Accept a gap: models that change end before the new ones start. For a box with no room for both.",
        ),
    ] = False,
    json: Json = False,
) -> None:
    """Bring a bundle into force: checked, approved (by two when it widens what may leave), kept, switched at once or not at all.

    Exit 1 when something is missing, and nothing has changed. From then on what leaves is judged by it; a running system starts its models
    beside the old ones and switches when they are ready: `lane status` shows how far it is.
    """
    from serving.change.apply import Home, apply_bundle
    from serving.change.durable import write_durably

    settings, root = read_settings(Path()), bundle_folder(folder)
    if in_place:
        from router.bundle.load import bundle_hash

        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(settings.in_place_file, bundle_hash(root).encode(), 0o644)
    with Console(stderr=True).status("checking and comparing"):
        entry = apply_bundle(root, Home(settings, time.time))
    _tell(entry, settings, json=json)


def rollback(
    bundle_hash: Annotated[
        str | None,
        typer.Argument(help="Its hash, or the beginning of it; by default the one before.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Bring an earlier version into force again. It needs what any change needs; its old signatures count."""
    from serving.change.apply import Home, roll_back

    settings = read_settings(Path())
    with Console(stderr=True).status("checking and comparing"):
        entry = roll_back(bundle_hash, Home(settings, time.time))
    _tell(entry, settings, json=json)


def history(json: Json = False) -> None:
    """List what was in force, since when, by whose word; verify the chain and every signature. Exit 1 where it breaks."""
    from serving.change.history import read_history
    from serving.change.watch import Watch

    settings = read_settings(Path())
    entries = read_history(settings.changes_file)
    if json:
        for entry in entries:
            body = entry.model_dump(mode="json") | {"hash": entry.hash, "in_force": entry is entries[-1]}
            typer.echo(orjson.dumps(body).decode())
    elif entries:
        _print_history(entries)
    elif Watch(settings.changes_file, settings.approvers).mode == "unsigned":
        typer.echo(f"no bundle was ever applied in {settings.home}: unsigned, whatever is named runs")
    else:
        typer.echo(f"no bundle was ever applied in {settings.home}, and approvers are named: nothing runs until one is")


def _compared(bundle: Any, settings: Settings) -> "Comparison":
    from serving.change.apply import Home, compare_with_force
    from serving.change.history import in_force

    return compare_with_force(bundle, in_force(settings.changes_file), Home(settings, time.time).store)


def _tell(entry: "Entry | None", settings: Settings, *, json: bool) -> None:
    running = supervisor_of(settings)
    if entry is None:
        typer.echo(
            orjson.dumps({"applied": False, "because": "in force already"}).decode() if json else "in force already"
        )
        return
    change = entry.change
    next_step = "lane status" if running else "lane up"
    if json:
        body: dict[str, Any] = {"applied": True, "bundle_hash": change.bundle_hash, "replaced": change.replaced}
        body |= {"approvers": [approval.approver for approval in change.approvals], "entry": entry.hash}
        body |= {"widens": change.widens, "tightens": change.tightens, "next": next_step}
        typer.echo(orjson.dumps(body).decode())
        return
    _say_lines(change.widens, change.tightens)
    typer.echo(f"in force: {change.bundle_hash}")
    if running is not None:
        typer.echo("what leaves is judged by it from now on; the running system takes it up while it runs: lane status")


def _as_json(comparison: "Comparison") -> dict[str, object]:
    from serving.change.apply import needed

    return {"widens": comparison.widens, "tightens": comparison.tightens, "approvers_needed": needed(comparison)}


def _say(comparison: "Comparison") -> None:
    _say_lines(comparison.widens, comparison.tightens)


def _say_lines(widens: tuple[str, ...], tightens: tuple[str, ...]) -> None:
    console = Console(stderr=True, soft_wrap=True)
    for what, style, lines in (("wider", "yellow", widens), ("tighter", "green", tightens)):
        for line in lines:
            console.print(Text.assemble((f"{what}: ", style), line))
    if not widens and not tightens:
        console.print("what may leave is as before")


def _print_history(entries: "list[Entry]") -> None:
    table = Table("", "when (UTC)", "bundle", "by", "what changed", box=None, pad_edge=False, header_style="bold")
    for entry in entries:
        change = entry.change
        lines = [f"+ {line}" for line in change.widens] + [f"- {line}" for line in change.tightens]
        table.add_row(
            "[green]in force[/green]" if entry is entries[-1] else "",
            datetime.fromtimestamp(entry.at, UTC).strftime("%Y-%m-%d %H:%M:%S"),
            change.bundle_hash[:12] + (" (rollback)" if change.kind == "rollback" else ""),
            Text(", ".join(approval.approver for approval in change.approvals)),
            Text("\n".join(lines) or "what may leave: as before"),
        )
    Console().print(table)
    typer.echo(f"the chain holds; its last entry is {entries[-1].hash}", err=True)
