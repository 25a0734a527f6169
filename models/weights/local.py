"""Weights from a folder: a disk that was carried here, or a mirror that is mounted (NFS)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from models.errors import SourceRefused, SourceUnreachable
from models.weights.source import Listing, RemoteFile

_PIECE_BYTES: Final = 4 << 20


class FolderSource:
    """A model's folder, or the one above it that holds the model's by name."""

    def __init__(self, place: Path, folder_name: str) -> None:
        self._folder = place if (place / "config.json").exists() else place / folder_name

    def listing(self) -> Listing:
        """List the folder's files. Raises `SourceRefused`."""
        if not self._folder.is_dir():
            raise SourceRefused(f"{self._folder} is not there: name a model's folder, or the one above it")
        files = (path for path in sorted(self._folder.rglob("*")) if path.is_file() and not path.is_symlink())
        return Listing(
            origin=str(self._folder.resolve()),
            files=tuple(
                RemoteFile(path.relative_to(self._folder).as_posix(), path.stat().st_size)
                for path in files
                if not path.relative_to(self._folder).parts[0].startswith(".")
            ),
        )

    def read(self, file: RemoteFile, offset_bytes: int) -> Iterator[bytes]:
        """Yield a file's bytes. An I/O error (a mount that went away) may be over later."""
        try:
            with (self._folder / file.name).open("rb") as stream:
                stream.seek(offset_bytes)
                while piece := stream.read(_PIECE_BYTES):
                    yield piece
        except OSError as error:
            raise SourceUnreachable(f"{self._folder / file.name}: {error.strerror}") from error
