"""`lane cluster bundle` and `install`: the whole system in one file, for a place that has no network, and out of it again."""

import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from cli.model_folders import BundleOption, Json, one_bar, refusals, say, say_or_print, specs, trusted_here
from router.errors import BadRequest, RouterError
from serving.settings import Settings, read_settings

if TYPE_CHECKING:
    from cluster.airgap.sbom import CarriedModel

_PINS: Final = Path("requirements/cpu.txt")


class ArchiveRefused(RouterError):
    """An archive, or this machine, is not fit for an installation."""

    code = "archive_refused"


def bundle(
    out: Annotated[Path, typer.Option("--out", help="The archive to write.")],
    bundle: BundleOption = None,
    requirements: Annotated[
        Path, typer.Option(help="Pins of all that is installed; GPU nodes: requirements/gpu.txt.")
    ] = _PINS,
    wheels: Annotated[
        Path | None,
        typer.Option(
            help="A folder that holds all the wheels, this project's too: nothing is fetched.", show_default=False
        ),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="Private key (PEM) that signs the archive.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Write an air-gapped archive: wheels with hashes, models, bundle, bill of materials (CycloneDX) and its own installer.

    Run it from this project's folder, on a machine of the nodes' kind that has a network. What an archive holds was verified before.
    """
    from cluster.airgap.pack import Content, pack
    from cluster.airgap.wheels import gather, read_wheels
    from models.weights.verify import admit

    settings, now = read_settings(bundle), datetime.now(UTC)
    models = _carried(settings)
    with refusals():
        for model in models:
            admit(model.path, trusted_here(settings), now)
    with ExitStack() as stack:
        if wheels is None:
            wheels = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="lane-wheels-", dir=out.resolve().parent))
            )
            with Console(stderr=True).status("Fetching the wheels"):
                gather([requirements], Path(), wheels)
        read = read_wheels(wheels)
        if not read:
            raise BadRequest(f"{wheels} holds no wheels", "--wheels")
        content = Content(read, models, settings.bundle, version("private-lane"), now)
        with one_bar("Packing", content.size_bytes * 2) as advance:
            digests = pack(content, out, key, advance)
    line = {
        "file": str(out),
        "bytes": out.stat().st_size,
        "members": len(digests),
        "wheels": len(read),
        "models": [model.name for model in models],
        "signed": key is not None,
    }
    how = f"tar -xf {out.name} install.py && python3 install.py {out.name} --into DIR"
    say_or_print(line, f"wrote {out} ({out.stat().st_size / 1e9:.2f} GB, {len(read)} wheels). There: {how}", json=json)


def _carried(settings: Settings) -> "tuple[CarriedModel, ...]":
    """Return all folders that the bundle needs, adapters' too."""
    from cluster.airgap.sbom import CarriedModel

    found = []
    for spec in specs(settings):
        found.append(CarriedModel(spec.name, spec.folder, settings.models / spec.folder, spec.source, spec.licence))
        found += [
            CarriedModel(f"{spec.name}:{one.name}", one.folder, settings.models / one.folder, "local", spec.licence)
            for one in spec.adapters
        ]
    return tuple(found)


def install(
    archive: Annotated[Path, typer.Argument(help="An archive of `lane cluster bundle`.")],
    into: Annotated[Path, typer.Option("--into", help="The folder to make.")],
    signer: Annotated[
        Path | None, typer.Option(help="Public key (PEM) whose signature the archive must bear.", show_default=False)
    ] = None,
    json: Json = False,
) -> None:
    """Install from an archive, asking no network. Where there is no `lane` yet, the archive's own `install.py` does the same."""
    from cluster.airgap.install import CannotInstall
    from cluster.airgap.install import install as install_archive

    try:
        python = install_archive(archive, into.resolve(), signer, say)
    except CannotInstall as error:
        raise ArchiveRefused(str(error)) from error
    say_or_print({"into": str(into.resolve()), "python": str(python)}, f"installed in {into.resolve()}", json=json)
