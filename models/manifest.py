"""Is this model folder, byte for byte, the one that was fetched, and does it hold weights and words alone, no code?

`MANIFEST.sha256` has `sha256sum`'s own form (so `sha256sum -c MANIFEST.sha256` agrees), one line for every file, sorted.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from typing_extensions import override

from models.errors import FolderUnfit

MANIFEST: Final = "MANIFEST.sha256"
SIGNATURE: Final = "MANIFEST.sha256.sig"
"""The manifest's signature in OpenSSF model-signing's form (`models.weights.signature`); like the manifest, it lists itself not."""
DATA_SUFFIXES: Final = frozenset({".safetensors", ".json", ".jinja", ".model", ".txt", ".tiktoken"})
"""Weights, configuration, vocabulary, merges, sentencepiece models and chat templates: all of them data."""
TERMS: Final = ("licen", "notice", "use_policy")
"""How the names of the files begin under whose terms the weights may be used."""
_WORDS: Final = frozenset({".md", ".gitattributes"})
"""What a hub's repository says of itself: no engine reads it."""
_ASK_FOR_CODE: Final = frozenset({"auto_map", "custom_pipelines"})
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
    """Return what a model folder may not hold: what is not data of a known kind, and what asks for code. Reads no weights."""
    flaws = [flaw for name in file_names(folder) if (flaw := _unfit(folder / name, name)) is not None]
    if not any(name.endswith(".safetensors") for name in file_names(folder)):
        flaws.append(Flaw("*.safetensors", "no weights in safetensors format here"))
    return tuple(flaws)


def altered_files(folder: Path, advance: Advance = lambda _: None) -> tuple[Flaw, ...]:
    """Return each file that differs from the manifest, is missing or is not listed. Reads every byte."""
    try:
        listed = listed_files(folder)
    except FolderUnfit as unfit:
        return (Flaw(MANIFEST, str(unfit)),)
    present = set(file_names(folder))
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
    refuse_flawed(folder, unfit_files(folder))
    return write_digests(folder, {name: sha256_of(folder / name, advance) for name in file_names(folder)})


def write_digests(folder: Path, digests: Mapping[str, str]) -> str:
    """Write the manifest from digests that were taken as the files were written, and return the folder's weights hash."""
    lines = [f"{digest}  {name}\n" for name, digest in sorted(digests.items())]
    (folder / MANIFEST).write_text("".join(lines), encoding="utf-8")
    return weights_hash(folder)


def verify_folder(folder: Path, advance: Advance = lambda _: None) -> str:
    """Return the weights hash of a folder that is whole, unaltered and free of code. Raises `FolderUnfit` naming each flaw."""
    refuse_flawed(folder, unfit_files(folder) + altered_files(folder, advance))
    return weights_hash(folder)


def weights_hash(folder: Path) -> str:
    """Return the SHA-256 over the manifest: one name for weights, tokenizer, template and configuration together.

    Cheap (a kilobyte is read): whoever must know that the files still agree calls `verify_folder` before.
    """
    return hashlib.sha256(_manifest_bytes(folder)).hexdigest()


def folder_bytes(folder: Path) -> int:
    """Return the bytes of all files that a manifest lists: what checking them will read."""
    return sum((folder / name).stat().st_size for name in file_names(folder))


def listed_files(folder: Path) -> dict[str, str]:
    """Return what a folder's manifest lists: file name to SHA-256. Raises `FolderUnfit` on a line that has another form."""
    return parse_manifest(_manifest_bytes(folder))


def parse_manifest(manifest: bytes) -> dict[str, str]:
    """Return file name to SHA-256. Raises `FolderUnfit` on a line that has another form."""
    listed: dict[str, str] = {}
    for number, line in enumerate(manifest.decode("utf-8", errors="replace").splitlines(), start=1):
        digest, gap, name = line[:64], line[64:66], line[66:]
        if gap != "  " or not name or set(digest) - set("0123456789abcdef"):
            raise FolderUnfit(f"line {number} is no `sha256  name`")
        listed[name] = digest
    return listed


def refuse_flawed(folder: Path, flaws: Sequence[Flaw | str]) -> None:
    """Raise `FolderUnfit`, naming each flaw, where there are any."""
    if flaws:
        listed = "\n".join(f"  {flaw}" for flaw in flaws)
        raise FolderUnfit(f"model folder {folder} is refused:\n{listed}\nMend: remove the folder and fetch it again.")


def file_names(folder: Path) -> tuple[str, ...]:
    """Return the paths of all files below a folder, without manifest and signature, as sorted POSIX text."""
    files = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return tuple(
        sorted(name for path in files if (name := path.relative_to(folder).as_posix()) not in {MANIFEST, SIGNATURE})
    )


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
    if suffix in DATA_SUFFIXES | _WORDS or file.name in _WORDS or file.name.lower().startswith(TERMS):
        return None
    return Flaw(name, "neither weights nor tokenizer, configuration, template or licence")


def _unfit_json(file: Path, name: str) -> Flaw | None:
    try:
        value = json.loads(file.read_bytes())
    except ValueError:
        return Flaw(name, "no JSON")
    asked = _asked_for_code(value)
    return None if asked is None else Flaw(name, f"`{asked}` asks for code from outside to be loaded")


def _asked_for_code(value: object) -> str | None:
    """Return the setting that asks for code, at whatever depth. A vocabulary may have the word for a token: its value is a number."""
    below: list[object] = [value]
    while below:
        one = below.pop()
        if isinstance(one, dict):
            if asked := next((key for key in _ASK_FOR_CODE & one.keys() if isinstance(one[key], dict | list)), None):
                return asked
            below += one.values()
        elif isinstance(one, list):
            below += one
    return None


def _manifest_bytes(folder: Path) -> bytes:
    try:
        return (folder / MANIFEST).read_bytes()
    except OSError as error:
        raise FolderUnfit(f"no manifest at {folder / MANIFEST}: run `make setup`") from error
