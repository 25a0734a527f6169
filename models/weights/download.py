"""How does one file come here whole, though the connection breaks and this process is killed? By ranges, into a part beside its place."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from models.errors import FolderUnfit, SourceUnreachable
from models.weights.source import RemoteFile, Source

TRIES: Final = 5
"""How often in a row a source may give nothing before it counts as unreachable. One that gives something is asked on."""
_FIRST_PAUSE_SECONDS: Final = 1.0
_PIECE_BYTES: Final = 1 << 20

Advance = Callable[[str, int], None]
"""Told a file's name and how many of its bytes are here since the last call; fewer than none where they had to be thrown away."""


class Digests:
    """What a file's bytes are by SHA-256 and by git's name for them, taken as they pass."""

    def __init__(self, size_bytes: int) -> None:
        self._sha256 = hashlib.sha256()
        # Git names blobs by SHA-1; it is no promise against forgery, only what hubs list for small files.
        self._git = hashlib.sha1(f"blob {size_bytes}\0".encode(), usedforsecurity=False)

    def update(self, piece: bytes) -> None:
        """Take the next bytes."""
        self._sha256.update(piece)
        self._git.update(piece)

    @property
    def sha256(self) -> str:
        """SHA-256 in hex."""
        return self._sha256.hexdigest()

    def objection(self, file: RemoteFile) -> str | None:
        """Return how the bytes differ from what the source says of them."""
        if file.sha256 is not None and self.sha256 != file.sha256:
            return f"its SHA-256 is {self.sha256}, the source says {file.sha256}"
        if file.git_sha1 is not None and self._git.hexdigest() != file.git_sha1:
            return f"its git name is {self._git.hexdigest()}, the source says {file.git_sha1}"
        return None


def download(
    source: Source, file: RemoteFile, into: Path, advance: Advance, pause: Callable[[float], None] = time.sleep
) -> str:
    """Bring one file below `into` and return its SHA-256. What an earlier run brought is not asked for again.

    Raises `SourceUnreachable` after `TRIES` in a row without a byte, `SourceRefused` at once, and `FolderUnfit` where the bytes are twice
    not those that the source lists.
    """
    place, part = into / file.name, into / f"{file.name}.part"
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        part.unlink(missing_ok=True)
        place.rename(part)  # Whole, as far as an earlier run knew: it is read, not fetched.
    for last in (False, True):
        digests = _complete(source, file, part, advance, pause)
        because = digests.objection(file)
        if because is None:
            part.rename(place)
            return digests.sha256
        part.unlink()
        advance(file.name, -file.size_bytes)
        if last:
            raise FolderUnfit(f"{file.name}: {because}; fetched twice, and twice not as listed")
    raise AssertionError("the loop returns or raises")


def _complete(
    source: Source, file: RemoteFile, part: Path, advance: Advance, pause: Callable[[float], None]
) -> Digests:
    """Append to a part until it is as long as the file is, and return the digests of the whole."""
    digests = Digests(file.size_bytes)
    with part.open("a+b") as stream:
        if os.fstat(stream.fileno()).st_size > file.size_bytes:
            stream.truncate(0)
        stream.seek(0)
        here = 0
        for piece in iter(lambda: stream.read(_PIECE_BYTES), b""):
            digests.update(piece)
            here += len(piece)
        advance(file.name, here)
        barren = 0
        while here < file.size_bytes:
            before, failure = (
                here,
                SourceUnreachable(f"{file.name}: the source ended before its {file.size_bytes} bytes"),
            )
            try:
                for piece in _no_more_than(source.read(file, here), file.size_bytes - here):
                    stream.write(piece)
                    digests.update(piece)
                    here += len(piece)
                    advance(file.name, len(piece))
            except SourceUnreachable as error:
                failure = error
            if here < file.size_bytes:
                barren = barren + 1 if here == before else 0
                if barren >= TRIES:
                    raise failure
                pause(_FIRST_PAUSE_SECONDS * 2**barren)
        stream.flush()
        os.fsync(stream.fileno())
    return digests


def _no_more_than(pieces: Iterator[bytes], size_bytes: int) -> Iterator[bytes]:
    """Yield pieces up to a length: a source that goes on beyond its listing is not followed."""
    left = size_bytes
    for piece in pieces:
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return
