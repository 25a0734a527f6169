"""`lane lanes`: which ways to an answer are open here, and how does a person close one, now?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from router.errors import BadRequest, BundleInvalid

if TYPE_CHECKING:
    from router.bundle import Bundle
    from serving.lockout import Tag
    from serving.settings import Settings

lanes_app = typer.Typer(no_args_is_help=True, help="Switch a lane off or on, and see which are.")

Lane = Annotated[str, typer.Argument(help="The lane's name in lanes.yaml.", show_default=False)]
BundleOption = Annotated[
    Path | None, typer.Option(help="The bundle; by default the running one, else $LANE_BUNDLE.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Compact JSON on stdout.")]


@lanes_app.command()
def off(
    lane: Lane,
    because: Annotated[str, typer.Option(help="Why: shown in every decision that this closes.")] = "",
    bundle: BundleOption = None,
    json: Json = False,
) -> None:
    """Switch a lane off: nothing new is sent to it from the next decision on, restarts included, until `lane lanes on`.

    Asks no running system, so it works while nothing runs, and while what runs does not answer. Answers that have begun go on.
    """
    from serving.lockout import Lockout

    settings = _settings(bundle)
    _known(lane, settings)
    tag = Lockout(settings.lanes_off_folder).lock(lane, because)
    _say(settings, lane, on=False, because=tag.says("switched off"), json=json)


@lanes_app.command("on")
def switch_on(lane: Lane, bundle: BundleOption = None, json: Json = False) -> None:
    """Let a lane be used again. One that is off for another reason (no key, say) stays off for it."""
    from serving.lockout import Lockout

    settings = _settings(bundle)
    was_off = Lockout(settings.lanes_off_folder).unlock(lane)
    if not was_off:
        _known(lane, settings)
    _say(settings, lane, on=True, because="" if was_off else "it was not switched off", json=json)


@lanes_app.command("list")
def show(bundle: BundleOption = None, json: Json = False) -> None:
    """Show every lane of the bundle: private or hosted, its model, and whether it was switched off. Says nothing of keys or health."""
    from router.bundle import load_bundle

    settings = _settings(bundle)
    loaded, tags = load_bundle(settings.bundle), _tags(settings)
    if json:
        for name, lane in loaded.lanes.items():
            kind = "hosted" if lane.is_hosted else "private"
            tag = tags.get(name)
            because = tag.says("switched off") if tag else ""
            row = {"lane": name, "kind": kind, "model": lane.model_name, "on": tag is None, "because": because}
            typer.echo(orjson.dumps(row).decode())
        return
    _print_table(loaded, tags)


def _settings(bundle: Path | None) -> "Settings":
    """Say where things are. A history of bundles that can't be read stops nobody from switching off."""
    from serving.change.errors import HistoryBroken
    from serving.settings import read_settings
    from serving.status import as_running

    try:
        return read_settings(bundle) if bundle is not None else as_running(read_settings())
    except HistoryBroken as error:
        typer.echo(f"lane: {error}", err=True)
        return read_settings(Path())


def _tags(settings: "Settings") -> "dict[str, Tag]":
    """What hangs here. Before the first start there is no folder, and nothing was switched off."""
    from serving.lockout import Lockout

    return Lockout(settings.lanes_off_folder).tags() if settings.lanes_off_folder.exists() else {}


def _known(lane: str, settings: "Settings") -> None:
    """Raise `BadRequest` for a lane that the bundle does not have. A bundle that does not check stops nobody from switching off."""
    from router.bundle import load_bundle

    try:
        lanes = load_bundle(settings.bundle).lanes
    except BundleInvalid:
        typer.echo(f"lane: {settings.bundle} does not check, so {lane!r} is taken as it is", err=True)
        return
    if lane not in lanes:
        raise BadRequest(f"the bundle has no lane {lane!r}; it has {', '.join(lanes)}")


def _say(settings: "Settings", lane: str, *, on: bool, because: str, json: bool) -> None:
    from serving.status import supervisor_of

    if supervisor_of(settings) is None:
        typer.echo(f"lane: nothing runs from {settings.home}; it holds from the next start there", err=True)
    if json:
        typer.echo(orjson.dumps({"lane": lane, "on": on, "because": because}).decode())
    else:
        typer.echo(f"{lane} is {'on' if on else 'off'}" + (f": {because}" if because else ""))


def _print_table(bundle: "Bundle", tags: "dict[str, Tag]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("lane", "kind", "model", "switched")
    for name, lane in bundle.lanes.items():
        tag = tags.get(name)
        state = Text("on", "green") if tag is None else Text(tag.says("off"), "red")
        table.add_row(name, "hosted" if lane.is_hosted else "private", lane.model_name, state)
    Console().print(table)
