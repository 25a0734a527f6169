"""`lane models verify|sign|evict`: are these weights still the same bytes, who says so, and which may go to make room?"""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

import typer

from cli.model_folders import (
    BundleOption,
    Json,
    folder_of,
    folders_of_bundle,
    one_bar,
    refusals,
    say_or_print,
    tell_admitted,
    tell_refused,
    trusted_here,
)
from models.errors import ModelError
from router.errors import BadRequest
from serving.settings import Settings, read_settings

_MIB: Final = 1 << 20


def verify(
    model: Annotated[
        str | None, typer.Argument(help="A model or its folder; left out: all below the models folder.")
    ] = None,
    due_days: Annotated[
        float | None,
        typer.Option(
            "--due", min=0, help="Only those that were hashed longer ago than so many days.", show_default=False
        ),
    ] = None,
    mib_per_second: Annotated[
        float | None, typer.Option(min=1, help="Read no faster than this.", show_default=False)
    ] = None,
    every_hours: Annotated[
        float | None,
        typer.Option("--every", min=0.001, help="Stay, and look again every so many hours.", show_default=False),
    ] = None,
    json: Json = False,
) -> None:
    """Read every byte of model folders and hold it against their manifests and signatures. Exit 1 where one differs.

    A folder that differs is marked: no replica starts from it until it was fetched again.
    """
    from models.weights.verify import due, sealed_folders

    settings = read_settings()
    while True:
        if model is not None:
            folders: tuple[Path, ...] = (folder_of(settings, model),)
        elif due_days is not None:
            folders = due(settings.models, timedelta(days=due_days), datetime.now(UTC))
        else:
            folders = sealed_folders(settings.models)
        whole = [_is_whole(settings, folder, mib_per_second, json=json) for folder in folders]
        if every_hours is None:
            break
        time.sleep(every_hours * 3600)
    if not all(whole):
        raise typer.Exit(1)


def _is_whole(settings: Settings, folder: Path, mib_per_second: float | None, *, json: bool) -> bool:
    from models.weights.verify import paced
    from models.weights.verify import verify as verify_folder

    with one_bar(f"Hashing {folder.name}", _bytes_of(folder)) as advance:
        slowly = paced(advance, mib_per_second * _MIB) if mib_per_second else advance
        try:
            admitted = verify_folder(folder, trusted_here(settings), datetime.now(UTC), slowly)
        except ModelError as error:
            tell_refused(folder, error, json=json)
            return False
    tell_admitted(folder.name, folder, admitted, json=json)
    return True


def sign(
    model: Annotated[str, typer.Argument(help="A model or its folder.")],
    key: Annotated[
        Path | None,
        typer.Option(
            help="Private key: elliptic curve (P-256, P-384, P-521), PEM; left out: the manifest alone.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Sign a model folder's manifest by OpenSSF model-signing, having hashed every byte. Writes the manifest where there is none."""
    from models.manifest import MANIFEST, verify_folder, write_manifest
    from models.weights.seal import keep_read_only, let_go
    from models.weights.signature import sign_folder
    from models.weights.verify import admit

    settings = read_settings()
    folder = folder_of(settings, model)
    with refusals(), one_bar(f"Hashing {folder.name}", _bytes_of(folder)) as advance:
        let_go(folder)
        digest = (verify_folder if (folder / MANIFEST).exists() else write_manifest)(folder, advance)
        if key is not None:
            sign_folder(folder, key)
        keep_read_only(folder)
        admit(folder, (), datetime.now(UTC))
    line = {"model": folder.name, "folder": str(folder), "weights_hash": digest, "signed": key is not None}
    say_or_print(line, f"{'signed' if key else 'listed'} {folder} (weights hash {digest[:12]})", json=json)


def evict(
    model: Annotated[str | None, typer.Argument(help="The model to remove.", show_default=False)] = None,
    need_gib: Annotated[
        float | None, typer.Option(min=0, help="Make so much room, least recently used first.", show_default=False)
    ] = None,
    bundle: BundleOption = None,
    json: Json = False,
) -> None:
    """Remove models from this machine's models folder, never one that the bundle names. Without either option, show what is here."""
    from models.weights.room import cached_models, make_room, remove
    from models.weights.verify import sealed_folders

    settings = read_settings(bundle)
    keep = folders_of_bundle(settings)
    gone: list[str] = []
    folder = folder_of(settings, model) if model is not None else None
    if folder is not None and folder.name in keep:
        raise BadRequest(f"{model}: the bundle {settings.bundle} names it; it stays", "MODEL")
    if folder is not None and folder not in sealed_folders(settings.models):
        raise BadRequest(f"{folder}: no model folder of {settings.models}; `lane models evict` shows those", "MODEL")
    with refusals():
        if folder is not None:
            remove(folder)
            gone.append(folder.name)
        if need_gib is not None:
            gone += make_room(settings.models, int(need_gib * 1024**3), keep, evict=True)
        here = cached_models(settings.models)
    for name in gone:
        say_or_print({"model": name, "removed": True}, f"removed {name}", json=json)
    for one in here if not gone else ():
        used = datetime.fromtimestamp(one.used_at, UTC)
        line = {"model": one.name, "bytes": one.size_bytes, "used": used, "in_bundle": one.name in keep}
        stays = "  in the bundle" if one.name in keep else ""
        say_or_print(line, f"{one.name:<32} {one.size_bytes / 1e9:8.2f} GB  used {used:%Y-%m-%d}{stays}", json=json)


def _bytes_of(folder: Path) -> int | None:
    from models.manifest import folder_bytes

    return folder_bytes(folder) if folder.is_dir() else None
