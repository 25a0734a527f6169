"""What the commands about model folders share: which folder is meant, whose signature counts, and how it is told."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.console import Console

from models.errors import ModelError, UnknownEntry, UnknownModelSource
from router.errors import BadRequest, RouterError
from serving.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.spec import ModelSpec
    from models.weights.verify import Admitted

Json = Annotated[bool, typer.Option("--json", help="Compact JSON on stdout, a model a line.")]
BundleOption = Annotated[
    Path | None,
    typer.Option(
        help="The bundle; by default $LANE_BUNDLE, else the one in force, else config/starter.", show_default=False
    ),
]


class ModelRefused(RouterError):
    """A model can't be had, or its folder may not be used; the message is the `ModelError`'s own."""

    code = "model_refused"


@contextmanager
def refusals() -> Iterator[None]:
    """Turn what goes wrong with models into what goes wrong with commands: exit 2 for a name that is none, 1 for the rest."""
    try:
        yield
    except (UnknownModelSource, UnknownEntry) as error:
        raise BadRequest(str(error), "MODEL") from error
    except ModelError as error:
        raise ModelRefused(str(error)) from error


@contextmanager
def one_bar(what: str, size_bytes: int | None) -> "Iterator[Callable[[int], None]]":
    """Show a bar for so many bytes."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task(what, total=size_bytes)
        yield lambda count: progress.advance(bar, count)


def specs(settings: Settings) -> "tuple[ModelSpec, ...]":
    """Return the models of the bundle."""
    from router.bundle import load_bundle

    return tuple(load_bundle(settings.bundle).models.values())


def folders_of_bundle(settings: Settings) -> set[str]:
    """Return the names of all folders that the bundle needs, adapters' too."""
    found = specs(settings)
    return {spec.folder for spec in found} | {adapter.folder for spec in found for adapter in spec.adapters}


def folder_of(settings: Settings, model: str) -> Path:
    """Return a folder by its path, by its name below the models folder, or by the name of the bundle's model."""
    if "/" in model or model.startswith("."):
        return Path(model).resolve()
    if (settings.models / model).is_dir():
        return settings.models / model
    folders = [spec.folder for spec in specs(settings) if spec.name == model]
    if not folders:
        raise BadRequest(f"{model}: neither a folder of {settings.models} nor a model of {settings.bundle}", "MODEL")
    return settings.models / folders[0]


def trusted_here(settings: Settings) -> tuple[Path, ...]:
    """Return whose signature a folder must bear here."""
    from models.weights.signature import trusted_keys

    return trusted_keys(settings.model_signers)


def tell_admitted(name: str, folder: Path, admitted: "Admitted", *, json: bool) -> None:
    """Say that a folder is as it was fetched."""
    line = {
        "model": name,
        "folder": str(folder),
        "ok": True,
        "weights_hash": admitted.weights_hash,
        "how": admitted.how,
        "signer": admitted.signer,
    }
    signed = f", signed by {admitted.signer}" if admitted.signer else ""
    say_or_print(line, f"{name}: ok, {admitted.how} (weights hash {admitted.weights_hash[:12]}{signed})", json=json)


def tell_refused(folder: Path, error: ModelError, *, json: bool) -> None:
    """Say which files are not."""
    line = {"model": folder.name, "folder": str(folder), "ok": False, "because": str(error)}
    say_or_print(line, f"{folder.name}: refused: {error}", json=json)


def say_or_print(line: dict[str, object], text: str, *, json: bool) -> None:
    """Print a line of JSON, or words."""
    typer.echo(orjson.dumps(line).decode() if json else text)


def say(text: str) -> None:
    """Tell whoever watches; stdout stays for the answer."""
    typer.echo(text, err=True)
