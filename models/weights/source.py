"""Where do a model's files come from? A port: a listing, and a file's bytes from any place on."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file at a source. What the source says its bytes are is None where it says nothing.

    `git_sha1` is git's blob ID: SHA-1 over `blob LENGTH NUL` and the bytes.
    """

    name: str
    size_bytes: int
    sha256: str | None = None
    git_sha1: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """What a source has of one model. `origin` names source and revision: files of two origins are never mixed."""

    origin: str
    files: tuple[RemoteFile, ...]


class Source(Protocol):
    """A hub or its mirror, an object store, a folder."""

    def listing(self) -> Listing:
        """Say what there is. Raises `SourceRefused` or `SourceUnreachable`."""
        ...

    def read(self, file: RemoteFile, offset_bytes: int) -> Iterator[bytes]:
        """Yield a file's bytes from `offset_bytes` on. Raises `SourceUnreachable` where the rest may come later."""
        ...
