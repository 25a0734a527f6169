"""May an engine load this folder? And is every byte of it still what was fetched?

`admit` is asked at each start and is cheap while the seal holds; `verify` reads every byte, at fetch, where the seal does not hold, and
on a schedule. What `verify` finds stays in the seal: until the folder is mended, `admit` refuses it and names the files.
"""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from models.errors import FolderUnfit
from models.manifest import MANIFEST, Advance, altered_files, file_names, refuse_flawed, unfit_files, weights_hash
from models.weights.seal import Seal, mark_used, one_at_a_time, read_seal, touched_files, touches, write_seal
from models.weights.signature import signer_of


@dataclass(frozen=True, slots=True)
class Admitted:
    """A folder that may be loaded. `how`: its seal held, or every byte was hashed. `signer`: whose signature it bears, if one is asked."""

    weights_hash: str
    how: Literal["sealed", "hashed"]
    signer: str | None


def admit(folder: Path, trusted: Iterable[Path], now: datetime, advance: Advance = lambda _: None) -> Admitted:
    """Let a folder be loaded. Raises `FolderUnfit`, naming each file that is not as it was, or `NotTrusted`."""
    _is_there(folder)
    with one_at_a_time(folder):
        signer = signer_of(folder, trusted)
        seal = read_seal(folder)
        if seal is None or seal.weights_hash != weights_hash(folder) or touched_files(folder, seal):
            digest = _put(folder, _hashed(folder, now, advance))
            mark_used(folder)
            return Admitted(digest, "hashed", signer)
        _refuse_known(folder, seal)
        refuse_flawed(folder, unfit_files(folder))
        mark_used(folder)
        return Admitted(seal.weights_hash, "sealed", signer)


def verify(folder: Path, trusted: Iterable[Path], now: datetime, advance: Advance = lambda _: None) -> Admitted:
    """Read every byte, whatever the seal says, and seal the folder anew. Raises `FolderUnfit` or `NotTrusted`.

    An engine may start from the folder meanwhile: it would wait for minutes where the reading is paced.
    """
    _is_there(folder)
    signer = signer_of(folder, trusted)
    from_disk(folder)
    seal = _hashed(folder, now, advance)
    with one_at_a_time(folder):
        _is_there(folder)
        if touches(folder) != seal.files:  # Fetched anew meanwhile: what was read is no more.
            seal = _hashed(folder, now, advance)
        return Admitted(_put(folder, seal), "hashed", signer)


def sealed_folders(models: Path) -> tuple[Path, ...]:
    """Return the model folders below the models folder, in order: those with a manifest."""
    return tuple(sorted(manifest.parent for manifest in models.glob(f"[!.]*/{MANIFEST}")))


def due(models: Path, after: timedelta, now: datetime) -> tuple[Path, ...]:
    """Return the folders that were hashed longer ago than `after`, the longest first, and those that never were."""
    hashed = [(seal.hashed_at if (seal := read_seal(one)) else None, one) for one in sealed_folders(models)]
    late = [(when, one) for when, one in hashed if when is None or now - when >= after]
    return tuple(one for _, one in sorted(late, key=lambda pair: (pair[0] is not None, pair[0] or now, pair[1])))


def paced(
    advance: Advance,
    bytes_per_second: float,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> Advance:
    """Return an `Advance` that holds its caller back to a rate: a re-hash must not take the disk from an engine that starts."""
    started, done = clock(), 0

    def slowly(count: int) -> None:
        nonlocal done
        done += count
        advance(count)
        ahead_seconds = done / bytes_per_second - (clock() - started)
        if ahead_seconds > 0:
            pause(ahead_seconds)

    return slowly


def from_disk(folder: Path) -> None:
    """Ask the kernel to forget what it holds of a folder's files, so that the bytes that are hashed are the disk's own."""
    for name in file_names(folder):
        descriptor = os.open(folder / name, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def _is_there(folder: Path) -> None:
    if not folder.is_dir():
        raise FolderUnfit(f"model folder {folder} is not there. Mend: `lane models fetch {folder.name}`")


def _hashed(folder: Path, now: datetime, advance: Advance) -> Seal:
    # Before the reading: a file that is changed while it is read is then no longer as the seal has it.
    standing = touches(folder)
    flaws = unfit_files(folder) + altered_files(folder, advance)
    digest = weights_hash(folder) if (folder / MANIFEST).is_file() else ""
    return Seal(weights_hash=digest, hashed_at=now, files=standing, flaws=tuple(map(str, flaws)))


def _put(folder: Path, seal: Seal) -> str:
    """Seal a folder; return its weights' hash. Raises `FolderUnfit`."""
    try:
        write_seal(folder, seal)
    except OSError:
        if not seal.flaws:
            return seal.weights_hash  # A models folder that only others may write to: hashed again at the next start.
    refuse_flawed(folder, seal.flaws)
    return seal.weights_hash


def _refuse_known(folder: Path, seal: Seal) -> None:
    if seal.flaws:
        listed = "\n".join(f"  {flaw}" for flaw in seal.flaws)
        raise FolderUnfit(
            f"model folder {folder} is refused (hashed {seal.hashed_at:%Y-%m-%d %H:%M} UTC):\n{listed}\n"
            f"Mend: fetch it again: `lane models fetch {folder.name}`"
        )
