"""Is this model folder, byte for byte, the one that was fetched, and does it hold weights and words alone, no code?

`MANIFEST.sha256` has `sha256sum`'s own form (so `sha256sum -c MANIFEST.sha256` agrees), one line for every file, sorted.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from typing_extensions import override

from models.errors import FolderUnfit

MANIFEST: Final = "MANIFEST.sha256"
CODE_SUFFIXES: Final = frozenset({".py", ".pyc", ".so", ".sh"})
# Formats that run code when they are read (pickle and what builds on it), or that no check here covers.
WEIGHT_SUFFIXES_REFUSED: Final = frozenset(
    {".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".h5", ".msgpack", ".npz", ".npy", ".joblib", ".gguf"}
)
_CHUNK_BYTES: Final = 1 << 20

Advance = Callable[[int], None]
"""Told the number of bytes read since the last call."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """A file of a model folder that must not be as it is."""

    file: str
    because: str

    @override
    def __str__(self) -> str:
        return f"{self.file}: {self.because}"


def sha256_of(file: Path, advance: Advance = lambda _: None) -> str:
    """Return a file's SHA-256 in hex, read piece by piece."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while piece := stream.read(_CHUNK_BYTES):
            digest.update(piece)
            advance(len(piece))
    return digest.hexdigest()


def unfit_files(folder: Path) -> tuple[Flaw, ...]:
    """Return what a model folder may not hold: code, links, weights other than safetensors, `auto_map`. Reads no weights."""
    flaws = [flaw for name in _names(folder) if (flaw := _unfit(folder / name, name)) is not None]
    if not any(name.endswith(".safetensors") for name in _names(folder)):
        flaws.append(Flaw("*.safetensors", "no weights in safetensors format here"))
    return tuple(flaws)


def altered_files(folder: Path, advance: Advance = lambda _: None) -> tuple[Flaw, ...]:
    """Return each file that differs from the manifest, is missing or is not listed. Reads every byte."""
    try:
        listed = _read(folder)
    except FolderUnfit as unfit:
        return (Flaw(MANIFEST, str(unfit)),)
    present = set(_names(folder))
    flaws = [Flaw(name, "listed in the manifest, not there") for name in sorted(listed.keys() - present)]
    flaws += [Flaw(name, "there, not listed in the manifest") for name in sorted(present - listed.keys())]
    flaws += [
        Flaw(name, "its bytes are not those of the manifest (SHA-256 differs)")
        for name in sorted(present & listed.keys())
        if (folder / name).is_symlink() or sha256_of(folder / name, advance) != listed[name]
    ]
    return tuple(flaws)


def write_manifest(folder: Path, advance: Advance = lambda _: None) -> str:
    """Write the manifest of a folder that holds nothing unfit, and return its weights hash. Raises `FolderUnfit`."""
    _refuse(folder, unfit_files(folder))
    lines = [f"{sha256_of(folder / name, advance)}  {name}\n" for name in _names(folder)]
    (folder / MANIFEST).write_text("".join(lines), encoding="utf-8")
    return weights_hash(folder)


def verify_folder(folder: Path, advance: Advance = lambda _: None) -> str:
    """Return the weights hash of a folder that is whole, unaltered and free of code. Raises `FolderUnfit` naming each flaw."""
    _refuse(folder, unfit_files(folder) + altered_files(folder, advance))
    return weights_hash(folder)


def weights_hash(folder: Path) -> str:
    """Return the SHA-256 over the manifest: one name for weights, tokenizer, template and configuration together.

    Cheap (a kilobyte is read): whoever must know that the files still agree calls `verify_folder` before.
    """
    return hashlib.sha256(_manifest_bytes(folder)).hexdigest()


def folder_bytes(folder: Path) -> int:
    """Return the bytes of all files that a manifest lists: what checking them will read."""
    return sum((folder / name).stat().st_size for name in _names(folder))


def _refuse(folder: Path, flaws: tuple[Flaw, ...]) -> None:
    if flaws:
        listed = "\n".join(f"  {flaw}" for flaw in flaws)
        raise FolderUnfit(f"model folder {folder} is refused:\n{listed}\nMend: remove the folder and fetch it again.")


def _names(folder: Path) -> tuple[str, ...]:
    """Return the paths of all files below a folder, without the manifest, as sorted POSIX text."""
    files = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return tuple(sorted(name for path in files if (name := path.relative_to(folder).as_posix()) != MANIFEST))


def _unfit(file: Path, name: str) -> Flaw | None:
    suffix = file.suffix.lower()
    if file.is_symlink():
        return Flaw(name, "a link: its target could change unseen")
    if suffix in CODE_SUFFIXES:
        return Flaw(name, "code: a model folder may not bring any")
    if suffix in WEIGHT_SUFFIXES_REFUSED:
        return Flaw(name, f"weights in {suffix} format: only safetensors are accepted")
    if suffix == ".json":
        return _unfit_json(file, name)
    return None


def _unfit_json(file: Path, name: str) -> Flaw | None:
    try:
        value = json.loads(file.read_bytes())
    except ValueError:
        return Flaw(name, "no JSON")
    if isinstance(value, dict) and "auto_map" in value:
        return Flaw(name, "`auto_map` asks for code from outside to be loaded")
    return None


def _manifest_bytes(folder: Path) -> bytes:
    try:
        return (folder / MANIFEST).read_bytes()
    except OSError as error:
        raise FolderUnfit(f"no manifest at {folder / MANIFEST}: run `make setup`") from error


def _read(folder: Path) -> dict[str, str]:
    """Return file name to SHA-256. Raises `FolderUnfit` on a line that has another form."""
    listed: dict[str, str] = {}
    for number, line in enumerate(_manifest_bytes(folder).decode("utf-8", errors="replace").splitlines(), start=1):
        digest, gap, name = line[:64], line[64:66], line[66:]
        if gap != "  " or not name or set(digest) - set("0123456789abcdef"):
            raise FolderUnfit(f"line {number} is no `sha256  name`")
        listed[name] = digest
    return listed
