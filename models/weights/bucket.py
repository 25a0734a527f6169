"""Weights from an object store that speaks S3. Address and credentials are its own variables (`AWS_ENDPOINT_URL`, `AWS_PROFILE`, ...)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import obstore
from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError
from obstore.store import from_url

from models.errors import SourceRefused, SourceUnreachable
from models.weights.source import Listing, RemoteFile

_PIECE_BYTES: Final = 1 << 16  # Small: what waits for a full piece is lost with the connection.
# A shard of 5 GB takes as long as it takes; the store's own default ends every request after 30 s. What is tried again, and how
# often, is decided in one place (`models.weights.download`), so here little.
_WHOLE_REQUEST: Final = timedelta(hours=12)
_CONNECT: Final = timedelta(seconds=10)


class BucketSource:
    """`s3://bucket/prefix`: a model's files below it, or one level further down under the model's name."""

    def __init__(self, url: str, folder_name: str) -> None:
        self._url, self._folder_name = url.rstrip("/"), folder_name
        self._store = from_url(
            self._url,
            # An endpoint that was written http:// was meant so: bytes are held against the manifest, not the transport.
            client_options={"timeout": _WHOLE_REQUEST, "connect_timeout": _CONNECT, "allow_http": True},
            retry_config={"max_retries": 1, "retry_timeout": timedelta(seconds=5)},
        )
        self._prefix = ""

    def listing(self) -> Listing:
        """List the objects. Raises `SourceRefused` or `SourceUnreachable`."""
        found = self._below("") if self._has("config.json") else self._below(f"{self._folder_name}/")
        if not found:
            raise SourceRefused(f"{self._url} holds no config.json, and nothing under {self._folder_name}/")
        return Listing(origin=f"{self._url}/{self._prefix}".rstrip("/"), files=found)

    def read(self, file: RemoteFile, offset_bytes: int) -> Iterator[bytes]:
        """Yield an object's bytes from a place on."""
        try:
            answer = obstore.get(self._store, self._prefix + file.name, options={"range": {"offset": offset_bytes}})
            for piece in answer.stream(min_chunk_size=_PIECE_BYTES):
                yield bytes(piece)
        except BaseError as error:
            raise self._failure(file.name, error) from error

    def _below(self, prefix: str) -> tuple[RemoteFile, ...]:
        self._prefix = prefix
        try:
            objects = [one for batch in obstore.list(self._store, prefix=prefix or None) for one in batch]
        except BaseError as error:
            raise self._failure(prefix, error) from error
        return tuple(
            RemoteFile(str(one["path"]).removeprefix(prefix), one["size"])
            for one in sorted(objects, key=lambda one: str(one["path"]))
        )

    def _has(self, name: str) -> bool:
        try:
            obstore.head(self._store, name)
        except NotFoundError:
            return False
        except BaseError as error:
            raise self._failure(name, error) from error
        return True

    def _failure(self, name: str, error: BaseError) -> SourceRefused | SourceUnreachable:
        because = str(error).splitlines()[0]
        if isinstance(error, NotFoundError | PermissionDeniedError | UnauthenticatedError):
            return SourceRefused(f"{self._url}/{name}: {because}")
        return SourceUnreachable(f"{self._url}/{name}: {because}")
