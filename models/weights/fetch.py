"""How does a whole model folder come to this machine? Planned from the listing, fetched beside its place, checked, sealed, then renamed.

Whoever looks at the folder's place finds a whole, verified model or none. What an interrupted run brought is kept for the next.
"""

import hashlib
import shutil
import threading
from collections.abc import Set
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from models.errors import FolderUnfit
from models.manifest import (
    MANIFEST,
    SIGNATURE,
    Flaw,
    parse_manifest,
    refuse_flawed,
    unfit_files,
    weights_hash,
    write_digests,
)
from models.weights.download import Advance, download
from models.weights.room import make_room
from models.weights.seal import Seal, keep_read_only, one_at_a_time, touches, write_seal
from models.weights.signature import sign_folder, signer_of
from models.weights.source import Listing, RemoteFile, Source
from models.weights.wanted import Choice, choose

_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be fetched and where to. `scratch` is named by the origin, so that parts of two revisions are never mixed."""

    source: Source
    origin: str
    folder: Path
    scratch: Path
    choice: Choice
    vouched: dict[str, str] | None
    """The digests of the source's own manifest; None where it has none."""
    replaces: int | None
    """The inode of the folder that is in the place now; None where none is."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A folder that is here now. `evicted`: which others went to make room."""

    folder: Path
    weights_hash: str
    signer: str | None
    evicted: tuple[str, ...] = ()


def plan_fetch(source: Source, folder: Path, trusted: tuple[Path, ...]) -> Plan:
    """Ask the source what there is, and check what can be checked before any weights are read: the manifest and its signature.

    Waits while somebody else on this machine fetches the folder. Raises `SourceRefused`, `SourceUnreachable`, `NotTrusted` or
    `FolderUnfit`.
    """
    replaces = _inode(folder)
    listing = source.listing()
    tag = hashlib.sha256(listing.origin.encode()).hexdigest()[:8]
    scratch = folder.parent / f".fetch-{folder.name}-{tag}"
    choice = choose(listing.files)
    with one_at_a_time(folder):
        scratch.mkdir(parents=True, exist_ok=True)
        vouched = _vouched(source, listing, scratch, trusted)
    if vouched is not None:
        choice = _as_vouched(choice, vouched)
    if not any(file.name.endswith(".safetensors") for file in choice.wanted):
        left = "".join(f"\n  {flaw}" for flaw in choice.left)
        raise FolderUnfit(f"{listing.origin} has no safetensors to fetch; left there:{left or ' nothing'}")
    return Plan(source, listing.origin, folder, scratch, choice, vouched, replaces)


def carry_out(
    plan: Plan,
    *,
    now: datetime,
    advance: Advance,
    trusted: tuple[Path, ...] = (),
    private_key: Path | None = None,
    keep: Set[str] = frozenset(),
    evict: bool = False,
) -> Fetched:
    """Fetch what was planned. `private_key` signs the manifest where the source brings no signature.

    Raises `NoRoom`, `SourceUnreachable`, `SourceRefused`, `FolderUnfit` or `NotTrusted`; the parts stay for the next run.
    """
    with one_at_a_time(plan.folder):
        if _inode(plan.folder) not in {None, plan.replaces}:  # Somebody else on this machine has brought it meanwhile.
            shutil.rmtree(plan.scratch, ignore_errors=True)
            return Fetched(plan.folder, weights_hash(plan.folder), signer_of(plan.folder, trusted))
        if private_key is None:
            signer_of(plan.scratch, trusted)  # Nobody will sign it here: refused while nothing large was read.
        brought = sum(file.stat().st_size for file in plan.scratch.rglob("*") if file.is_file())
        keep = keep | {plan.folder.name}
        evicted = make_room(plan.folder.parent, max(0, plan.choice.size_bytes - brought), keep, evict=evict)
        digests = _all_files(plan, advance)
        refuse_flawed(plan.scratch, unfit_files(plan.scratch))
        if plan.vouched is None:
            write_digests(plan.scratch, digests)
        if private_key is not None and not (plan.scratch / SIGNATURE).exists():
            sign_folder(plan.scratch, private_key)
        signer = signer_of(plan.scratch, trusted)
        _put_in_place(plan, now)
    return Fetched(plan.folder, weights_hash(plan.folder), signer, evicted)


def _vouched(source: Source, listing: Listing, scratch: Path, trusted: tuple[Path, ...]) -> dict[str, str] | None:
    """Fetch the source's manifest and signature, and return what it lists. Raises `NotTrusted` while nothing large was read."""
    for file in listing.files:
        if file.name in {MANIFEST, SIGNATURE}:
            (scratch / file.name).unlink(missing_ok=True)
            download(source, file, scratch, lambda _name, _count: None)
    if not (scratch / MANIFEST).exists():
        return None
    if (scratch / SIGNATURE).exists():
        signer_of(scratch, trusted)
    return parse_manifest((scratch / MANIFEST).read_bytes())


def _as_vouched(choice: Choice, vouched: dict[str, str]) -> Choice:
    """Return a choice that is what the manifest lists, each file with its digest. Raises `FolderUnfit` where it lists more."""
    wanted = {file.name: file for file in choice.wanted}
    reasons = {flaw.file: flaw.because for flaw in choice.left}
    missing = [Flaw(name, reasons.get(name, "not at the source")) for name in vouched if name not in wanted]
    if missing:
        listed = "\n".join(f"  {flaw}" for flaw in missing)
        raise FolderUnfit(f"the source's {MANIFEST} lists what can't be fetched:\n{listed}")
    extra = tuple(Flaw(name, f"not in the source's {MANIFEST}") for name in wanted if name not in vouched)
    return Choice(tuple(replace(wanted[name], sha256=vouched[name]) for name in sorted(vouched)), choice.left + extra)


def _all_files(plan: Plan, advance: Advance) -> dict[str, str]:
    """Bring every file, some at once, the largest first; return their digests. The first failure ends the others too."""
    expected = {file.name for file in plan.choice.wanted}
    for stray in [path for path in plan.scratch.rglob("*") if path.is_file()]:
        name = stray.relative_to(plan.scratch).as_posix().removesuffix(".part")
        if name not in expected | {MANIFEST, SIGNATURE}:
            stray.unlink()

    over = threading.Event()

    def unless_over(name: str, count: int) -> None:
        if over.is_set():
            raise CancelledError
        advance(name, count)

    def bring(file: RemoteFile) -> tuple[str, str]:
        return file.name, download(plan.source, file, plan.scratch, unless_over)

    largest_first = sorted(plan.choice.wanted, key=lambda file: -file.size_bytes)
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        return dict(pool.map(bring, largest_first))
    finally:
        over.set()
        pool.shutdown(cancel_futures=True)


def _put_in_place(plan: Plan, now: datetime) -> None:
    """Make the folder read-only, rename it into its place and seal it: every byte was hashed on its way."""
    keep_read_only(plan.scratch)
    plan.scratch.chmod(0o755)  # To be renamed by others than root.
    if plan.folder.exists():
        _set_aside(plan.folder)
    plan.scratch.rename(plan.folder)
    plan.folder.chmod(0o555)
    standing = touches(plan.folder)
    write_seal(plan.folder, Seal(weights_hash=weights_hash(plan.folder), hashed_at=now, files=standing))
    for leftover in plan.folder.parent.glob(f".fetch-{plan.folder.name}-????????"):
        shutil.rmtree(leftover)


def _inode(folder: Path) -> int | None:
    return folder.stat().st_ino if folder.exists() else None


def _set_aside(folder: Path) -> None:
    """Remove what stood in the place before. An engine that has it open keeps what it has mapped."""
    old = folder.with_name(f".fetch-{folder.name}-replaced")
    if old.exists():
        shutil.rmtree(old)
    folder.chmod(0o755)
    folder.rename(old)
    for path in (old, *old.rglob("*")):
        if path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(old)
