"""Where are the bundles that were ever applied? One folder each, named by its hash, read-only, with the signatures that it was given.

A version is copied beside its place, made durable, read again, and only then moved there by one rename: a folder under a hash is whole.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from router.bundle.load import bundle_hash
from serving.change.approval import Signature
from serving.change.durable import sync_folder, write_durably, write_new
from serving.change.errors import StoreDamaged

SIGNATURES: Final = ".signatures"
"""Beside the bundle's files and, like every dotfile, outside its hash."""
_STAGED: Final = ".staged"


def _nothing(_step: str) -> None:
    return


@dataclass(frozen=True, slots=True)
class Store:
    """The folder of all versions. `before` is told each step's name before it is done: a test can end the process there."""

    folder: Path
    before: Callable[[str], None] = _nothing

    def stage(self, files: Mapping[str, bytes]) -> Path:
        """Write a copy of a bundle's files where nobody takes it for a version yet. One at a time: the caller holds the lock."""
        self.discard()
        staged = self.folder / _STAGED
        for name, content in files.items():
            self.before(f"write {name}")
            path = staged / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_new(path, content, 0o444)
        (staged / SIGNATURES).mkdir(mode=0o755, parents=True)
        return staged

    def discard(self) -> None:
        """Remove a staged copy, if there is one."""
        staged = self.folder / _STAGED
        if staged.exists():
            for folder in _folders(staged):
                folder.chmod(0o755)
            shutil.rmtree(staged)

    def keep(self, staged: Path, bundle_hash: str, signatures: Iterable[Signature]) -> Path:
        """Move a staged copy to its place, with its signatures. What is there under this hash already stays, once it is verified."""
        kept = self.folder_of(bundle_hash)
        if kept.exists():
            self.verify(bundle_hash)
        else:
            for folder in _folders(staged):
                folder.chmod(0o755 if folder.name == SIGNATURES else 0o555)
                sync_folder(folder)
            self.before("rename")
            staged.rename(kept)
            self.before("sync the store")
            sync_folder(self.folder)
        for signature in signatures:
            self.before("keep a signature")
            write_signature(kept, signature)
        return kept

    def verify(self, name: str) -> Path:
        """Return a version's folder. Raises `StoreDamaged` unless its bytes have the hash that it is named by."""
        kept = self.folder_of(name)
        if bundle_hash(kept) != name:
            raise StoreDamaged(f"{kept} is not what its name says; remove it and apply that bundle again")
        return kept

    def folder_of(self, bundle_hash: str) -> Path:
        """Return the place of a version, whether it is there or not."""
        return self.folder / bundle_hash


def write_signature(bundle: Path, signature: Signature) -> Path:
    """Put a signature beside a bundle's files; one file for each version and key."""
    folder = bundle / SIGNATURES
    folder.mkdir(exist_ok=True)
    file = folder / f"{signature.bundle_hash[:16]}-{signature.public_key[:16]}.json"
    write_durably(file, signature.model_dump_json().encode() + b"\n", 0o644)
    return file


def read_signatures(bundle: Path) -> tuple[Signature, ...]:
    """Return the signatures beside a bundle's files. A file that is none counts as none: it can only be too few."""
    found = []
    for file in sorted((bundle / SIGNATURES).glob("*.json")):
        try:
            found.append(Signature.model_validate_json(file.read_bytes()))
        except (OSError, ValidationError):
            continue
    return tuple(found)


def _folders(root: Path) -> list[Path]:
    """A folder and all below it, the innermost first."""
    return [*sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True), root]
