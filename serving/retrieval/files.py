"""How does an index rest on disk? A folder of versions, and one small file that names the version in force.

    indexes/NAME/current.json            the manifest of the version in force; replaced in one step
    indexes/NAME/VERSION/chunks.lance    passages, labels and one vector each (LanceDB)
    indexes/NAME/VERSION/tokens.f16      every token's vector, one after another
    indexes/NAME/VERSION/tokens.i32      every token's number in the model's vocabulary

A version is written under a temporary name and renamed when it is whole; until the manifest names it, the old one is in force. The one
before stays until the next, because somebody may still be reading it.
"""

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, ValidationError

from models.manifest import sha256_of
from router.contract import Frozen, Label, Sha256
from router.errors import BadRequest, RetrievalUnavailable
from serving.change.durable import write_durably

CURRENT: Final = "current.json"
TABLE: Final = "chunks"
VECTORS: Final = "tokens.f16"
NUMBERS: Final = "tokens.i32"
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


class Root(Frozen):
    """A path that was added: its files with their hashes, and what was said of them."""

    path: str
    files: dict[str, Sha256]
    label: Label = Label()
    tenant: str | None = None
    scanned: bool = True


class IndexManifest(Frozen):
    """What an index holds, and which model its vectors are of. `files` are hashed by their paths in the version's folder."""

    format: Literal[1] = 1
    name: str
    version: Sha256
    embedding_model: str
    embedding_weights: Sha256
    passages: int = Field(ge=0)
    documents: int = Field(ge=0)
    tokens: int = Field(ge=0)
    roots: tuple[Root, ...] = ()
    files: dict[str, Sha256] = Field(default_factory=dict)


def names_in(indexes: Path) -> tuple[str, ...]:
    """Return the names of the indexes in a folder."""
    return tuple(sorted(entry.parent.name for entry in indexes.glob(f"*/{CURRENT}")))


def folder_of(indexes: Path, name: str) -> Path:
    """Return an index's folder. Raises `BadRequest` for a name that is none."""
    if not NAME.fullmatch(name):
        raise BadRequest(f"{name!r}: an index's name has letters, digits, `_`, `-` and `.`, at most 64")
    return indexes / name


def read_manifest(indexes: Path, name: str) -> IndexManifest:
    """Return the manifest in force. Raises `RetrievalUnavailable` where there is none that can be read."""
    file = folder_of(indexes, name) / CURRENT
    try:
        return IndexManifest.model_validate_json(file.read_bytes())
    except FileNotFoundError as error:
        raise RetrievalUnavailable(f"there is no index {name} here: `lane index add {name} PATH` makes it") from error
    except (OSError, ValidationError) as error:
        raise RetrievalUnavailable(f"{file} can't be read ({type(error).__name__}): add to the index anew") from error


def version_folder(indexes: Path, manifest: IndexManifest) -> Path:
    """Return the folder of the version that a manifest names."""
    return folder_of(indexes, manifest.name) / manifest.version[:16]


def check_files(indexes: Path, manifest: IndexManifest) -> None:
    """Raise `RetrievalUnavailable`, naming the file, unless every byte is the manifest's."""
    folder = version_folder(indexes, manifest)
    found = digests_of(folder) if folder.is_dir() else {}
    wrong = sorted(name for name in found.keys() | manifest.files.keys() if found.get(name) != manifest.files.get(name))
    if wrong:
        raise RetrievalUnavailable(
            f"index {manifest.name}: {folder / wrong[0]} is not as it was written; "
            f"`lane index rm {manifest.name}` and add it again"
        )


def digests_of(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file below a folder, by its path in it."""
    return {
        path.relative_to(folder).as_posix(): sha256_of(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }


@contextmanager
def locked(indexes: Path, name: str) -> Iterator[None]:
    """Keep others from changing this index meanwhile. Raises `BadRequest` when somebody is at it."""
    folder_of(indexes, name)
    indexes.mkdir(parents=True, exist_ok=True)
    with (indexes / f".{name}.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BadRequest(f"index {name} is being changed by another command; wait for it") from error
        yield


@contextmanager
def scratch(indexes: Path, name: str) -> Iterator[Path]:
    """Give a folder to write a version into, gone afterwards unless it was put in force. What an interrupted run left goes first."""
    for left in indexes.glob(f".{name}~*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f".{name}~", dir=indexes))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put_in_force(indexes: Path, manifest: IndexManifest, written: Path) -> None:
    """Rename a whole version into place, name it, and remove what is older than the one it replaces."""
    home = folder_of(indexes, manifest.name)
    home.mkdir(exist_ok=True)
    target = version_folder(indexes, manifest)
    for path in (*written.rglob("*"), written):
        _flush(path)
    if target.exists():  # Written before and replaced since; the bytes may differ though the passages do not.
        shutil.rmtree(target)
    written.rename(target)
    _flush(home)
    before = _named_by(home)
    write_durably(home / CURRENT, manifest.model_dump_json(indent=1).encode(), 0o644)
    for old in home.iterdir():
        if old.is_dir() and old.name not in {target.name, before}:
            shutil.rmtree(old, ignore_errors=True)


def remove(indexes: Path, name: str) -> None:
    """Remove an index. Raises `RetrievalUnavailable` where there is none."""
    home = folder_of(indexes, name)
    if not home.is_dir():
        raise RetrievalUnavailable(f"there is no index {name} here")
    gone = Path(tempfile.mkdtemp(prefix=f".{name}~", dir=indexes))
    home.rename(gone / name)
    shutil.rmtree(gone)


def version_of(parts: Iterator[str]) -> str:
    """Return the SHA-256 over what makes a version what it is."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:{part}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _named_by(home: Path) -> str | None:
    try:
        return IndexManifest.model_validate_json((home / CURRENT).read_bytes()).version[:16]
    except (OSError, ValidationError):
        return None


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
