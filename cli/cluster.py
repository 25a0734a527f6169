"""`lane up`, `lane down`, `lane status`: the system on this box."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from serving.settings import Settings, read_settings
from serving.status import ModelStatus, Roll, Status, as_running, read_status, supervisor_of
from serving.supervisor import CannotStart, Supervision, is_ready, stop

_READY_SECONDS = 900.0
_STOP_SECONDS = 120.0
_POLL_SECONDS = 0.2
_MODES: Final = {
    "unsigned": "unsigned: nobody is named to approve bundles here, so any may run (docs/change-control.md)",
    "approved": "only an applied bundle runs here: lane bundle history",
    "nothing_approved": "approvers are named here and no bundle is in force",
}
BundleArgument = Annotated[
    Path | None, typer.Argument(help="The bundle; by default $LANE_BUNDLE, else the one in force, else config/starter.")
]
Json = Annotated[bool, typer.Option("--json", help="Compact JSON on stdout.")]


def up(
    bundle: BundleArgument = None,
    port: Annotated[int | None, typer.Option(help="Port to serve on; by default $LANE_PORT, else 8000.")] = None,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay; Ctrl-C ends everything.")] = False,
    demo: Annotated[bool, typer.Option("--demo", help="With --foreground: send three requests when ready.")] = False,
    door: Annotated[
        bool,
        typer.Option("--door/--no-door", help="Start the door too, or leave it to a unit of its own (`lane door`)."),
    ] = True,
    json: Json = False,
) -> None:
    """Start the door, Ray Serve and the models of the bundle; return when all of them answer.

    Exit 1 where a model does not start; the others serve all the same.
    """
    settings = read_settings(bundle, port)
    if foreground:
        _stay(settings, demo=demo, door=door)
        return
    refused = _start_in_background(settings, door=door)
    if json:
        body = {"ready": not refused, "address": _address(settings)} | ({"refused": refused} if refused else {})
        print(orjson.dumps(body).decode())
    for model, because in refused.items():
        Console(stderr=True, soft_wrap=True).print(Text.assemble((f"{model} does not start: ", "bold red"), because))
    if refused:
        raise typer.Exit(1)
    if not json:
        Console().print(f'Ready at [bold]{_address(settings)}/v1[/bold]. Ask: lane ask "…"   End: lane down')


def _stay(settings: Settings, *, demo: bool, door: bool) -> None:
    from cli.demo import show_demo

    console = Console(stderr=True)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    started = time.monotonic()

    def say(what: str) -> None:
        console.print(f"[dim]{time.monotonic() - started:6.1f} s[/dim]  {what}")

    def when_ready() -> None:
        say(f"[green]ready[/green] at {_address(settings)}/v1")
        if demo:
            show_demo(settings)

    Supervision(settings, os.environ, say, with_door=door).run(when_ready, _READY_SECONDS)


def _start_in_background(settings: Settings, *, door: bool) -> Mapping[str, str]:
    """Start the supervisor in a session of its own and show its progress until it is ready. Raises `CannotStart`.

    Returns the models that do not start, and why: the others answer.
    """
    running = supervisor_of(settings)
    if running is not None:
        raise CannotStart(f"already running here (process {running.pid}); `lane down` ends it")
    settings.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "cli.main",
        "up",
        str(settings.bundle),
        "--port",
        str(settings.port),
        "--foreground",
        "--door" if door else "--no-door",
    ]
    log_path = settings.logs / "supervisor.log"
    with log_path.open("wb") as log_file:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            command, stdin=subprocess.DEVNULL, stdout=log_file, stderr=log_file, start_new_session=True
        )
    deadline = time.monotonic() + _READY_SECONDS
    with Console(stderr=True).status("starting") as spinner:
        while time.monotonic() < deadline:
            if child.poll() is not None:
                raise CannotStart(_last_words(log_path))
            status = read_status(settings)
            if status is not None:
                spinner.update(status.phase)
                if status.phase == "running" and (status.refused or is_ready(settings)):
                    return status.refused
            time.sleep(_POLL_SECONDS)
    raise CannotStart(f"not ready within {_READY_SECONDS:g} s; see {settings.logs}")


def _last_words(log_path: Path) -> str:
    lines = [line for line in log_path.read_text(errors="replace").splitlines() if line.strip()]
    return f"the supervisor ended: {' '.join(lines[-3:]) or 'without a word'} (log: {log_path})"


def down(json: Json = False) -> None:
    """End what `lane up` started here, and wait until nothing of it is left."""
    # The bundle is named, so that a history of bundles that can't be read keeps nobody from ending what runs.
    stopped = stop(read_settings(bundle=Path()), _STOP_SECONDS)
    if json:
        print(orjson.dumps({"stopped": stopped}).decode())
    else:
        Console().print("Stopped." if stopped else "Nothing was running here.")


def status(json: Json = False) -> None:
    """Show what runs here: phase, deployments and their replicas. Exit 1 when it is not ready."""
    from serving.change.watch import Watch

    settings = as_running(read_settings())
    running, seen = supervisor_of(settings), read_status(settings)
    ready = running is not None and is_ready(settings)
    watch = Watch(settings.changes_file, settings.approvers)
    objection = watch.halted if running else None
    if json:
        body = {
            "running": running is not None,
            "ready": ready,
            "supervisor": running.model_dump() if running else None,
            "status": seen.model_dump() if running and seen else None,
            "bundles": {"mode": watch.mode, "in_force": watch.in_force, "objection": objection},
        }
        print(orjson.dumps(body).decode())
    elif running is None:
        Console().print("Nothing runs here. Start it: lane up")
    else:
        _print_status(running.pid, f"http://{running.host}:{running.port}/v1", str(settings.bundle), ready=ready)
        Console().print(f"  {objection or _MODES[watch.mode]}", style="red" if objection else "", highlight=False)
        if seen and seen.roll:
            _print_roll(seen.roll)
        _print_models(seen.models if seen else {})
        _print_unfit(seen)
        for name, replicas in (seen.replicas if seen else {}).items():
            Console().print(
                f"  {name:<28} " + ", ".join(f"{count} {state.lower()}" for state, count in replicas.items())
            )
    if not ready:
        raise typer.Exit(1)


def _print_status(pid: int, address: str, bundle: str, *, ready: bool) -> None:
    table = Table(show_header=False, box=None)
    table.add_row("supervisor", f"process {pid}")
    table.add_row("address", address)
    table.add_row("bundle", bundle)
    table.add_row("ready", "[green]yes[/green]" if ready else "[red]no[/red]")
    Console().print(table)


def _print_models(models: Mapping[str, ModelStatus]) -> None:
    """Show how many replicas each model has, and why that changed last."""
    for name, model in models.items():
        bounds = "" if model.least == model.most else f" (of {model.least} to {model.most})"
        typer.echo(f"  {name:<28} {model.running} of {model.target} replicas{bounds}")
        if model.lacks:
            typer.secho(f"  {'':<28} no node has room for one more: {model.lacks}", fg="yellow")
        if model.steps:
            step = model.steps[-1]
            typer.echo(f"  {'':<28} {step.before} to {step.after}, {_ago(step.at)}: {step.because}")
        if model.replaced:
            last = model.replaced[-1]
            typer.echo(f"  {'':<28} a replica replaced, {_ago(last.at)}: {last.because}")


def _print_unfit(seen: Status | None) -> None:
    """Show the models that do not start, and those whose folder has changed under them."""
    for name, because in (seen.refused if seen else {}).items():
        typer.secho(f"  {name} does not start: {because}", fg="red")
    for name, because in (seen.altered if seen else {}).items():
        typer.secho(f"  {name}: its folder is no longer what was fetched: {because}", fg="red")


def _ago(at: float) -> str:
    return f"{timedelta(seconds=round(time.time() - at))} ago"


def _print_roll(roll: Roll) -> None:
    where = f"  bundle {roll.bundle_hash[:12]} is on its way into service: {roll.phase}"
    if roll.because is None:
        Console().print(where, highlight=False)
    else:
        Console().print(f"{where}: {roll.because}", style="red", highlight=False)


def _address(settings: Settings) -> str:
    return f"http://{settings.host}:{settings.port}"
