"""How does a file come to be, whole and on stable storage, or not at all?"""

import os
from pathlib import Path


def write_durably(path: Path, content: bytes, mode: int) -> None:
    """Replace a file in one step; returns once file and folder entry are on the disk."""
    partial = path.with_name(f".partial-{path.name}-{os.getpid()}")
    write_new(partial, content, mode)
    partial.replace(path)
    sync_folder(path.parent)


def write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file and have it on the disk; its folder's entry for it is not yet."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Have a folder's entries on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
