"""Has anything touched this folder since every byte of it was hashed? A look at sizes, times and inodes answers it, not 140 GB of reading.

A seal is written when a folder was hashed and found whole. It is kept beside the folder, not in it: inode and change time are this
machine's. What it can't see is a disk that gives other bytes for an untouched file: for that, `verify` is run on a schedule
(`models.weights.verify`), and leaves the flaws it found in the seal.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from models.manifest import MANIFEST, SIGNATURE, file_names

_SEALS: Final = ".seals"


class Touch(BaseModel):
    """A file as it was when it was hashed. The change time can't be set back by the usual means, the modification time can."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class Seal(BaseModel):
    """What hashing a folder found, and when. `flaws` empty: every byte was as the manifest says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights_hash: str
    hashed_at: datetime
    files: Mapping[str, Touch]
    flaws: tuple[str, ...] = ()


def seal_file(folder: Path) -> Path:
    """Return where a folder's seal is kept. Its modification time is when an engine last began to load the folder."""
    return folder.parent / _SEALS / f"{folder.name}.json"


def read_seal(folder: Path) -> Seal | None:
    """Return a folder's seal; None for none, and for one that can't be read: it counts for nothing."""
    try:
        return Seal.model_validate_json(seal_file(folder).read_bytes())
    except (OSError, ValidationError):
        return None


def write_seal(folder: Path, seal: Seal) -> None:
    """Put a seal in its place, whole or not at all."""
    place = seal_file(folder)
    place.parent.mkdir(exist_ok=True)
    fresh = place.with_suffix(".new")
    fresh.write_text(seal.model_dump_json(), "utf-8")
    fresh.replace(place)


def touches(folder: Path) -> dict[str, Touch]:
    """Return how each file of a folder stands now."""
    return {
        name: _touch(folder / name) for name in (*file_names(folder), MANIFEST, SIGNATURE) if (folder / name).exists()
    }


def touched_files(folder: Path, seal: Seal) -> tuple[str, ...]:
    """Return each file that is new, gone or no longer as the seal has it."""
    now = touches(folder)
    return tuple(sorted(name for name in now.keys() | seal.files.keys() if now.get(name) != seal.files.get(name)))


def mark_used(folder: Path) -> None:
    """Remember that an engine loads this folder now: what was used least recently is the first to go when room is needed."""
    with contextlib.suppress(OSError):  # A models folder that only others may write to: then it is theirs to evict.
        os.utime(seal_file(folder))


def keep_read_only(folder: Path) -> None:
    """Take the right to write from a folder and all that is in it, so that nothing changes it by mistake."""
    for path in folder.rglob("*"):
        path.chmod(0o555 if path.is_dir() else 0o444)
    folder.chmod(0o555)


def let_go(folder: Path) -> None:
    """Give the right to write back, to remove or replace a folder."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Hold a folder for oneself on this machine while it is fetched, hashed or removed; others wait."""
    place = folder.parent / _SEALS
    try:
        place.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(place / f"{folder.name}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError:  # A models folder that only others may write to: hashing twice harms nobody.
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _touch(file: Path) -> Touch:
    seen = file.lstat()
    return Touch(size_bytes=seen.st_size, mtime_ns=seen.st_mtime_ns, ctime_ns=seen.st_ctime_ns, inode=seen.st_ino)
