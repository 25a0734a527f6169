"""Weights from a hub, or a mirror that speaks its file API. The hub's own client finds, names and authenticates, no more.

Not its downloads: their partial files and caches are its own, and each of our sources is to be resumed, checked and named alike.
"""

from collections.abc import Iterator
from typing import Final

import httpx2
from huggingface_hub import HfApi, constants, get_session, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.hf_api import RepoSibling
from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # Documented as public there.

from models.errors import SourceRefused, SourceUnreachable
from models.weights.source import Listing, RemoteFile

# A mirror that says nothing for so long has stopped; the rest is asked for anew.
_TIMEOUT: Final = httpx2.Timeout(30.0, connect=10.0)
_ASK_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class HubSource:
    """One repository at one revision. `endpoint` None is the hub's own address (`HF_ENDPOINT`)."""

    def __init__(self, repository: str, revision: str | None, endpoint: str | None = None) -> None:
        self._repository, self._revision = repository, revision or "main"
        self._endpoint = (endpoint or constants.ENDPOINT).rstrip("/")
        self._commit = self._revision

    def listing(self) -> Listing:
        """List the repository at the commit that the revision names now: what is read afterwards is of that commit."""
        if constants.is_offline_mode():
            raise SourceRefused(
                "HF_HUB_OFFLINE is set: unset it to ask a hub, or name a folder or a bucket with --from"
            )
        try:
            found = HfApi(endpoint=self._endpoint).model_info(
                self._repository, revision=self._revision, files_metadata=True, timeout=30.0
            )
        except (HfHubHTTPError, httpx2.HTTPError) as error:
            raise self._failure(self._repository, error) from error
        self._commit = found.sha or self._revision
        return Listing(
            origin=f"{self._endpoint}/{self._repository}@{self._commit}",
            files=tuple(_remote(one) for one in found.siblings or ()),
        )

    def read(self, file: RemoteFile, offset_bytes: int) -> Iterator[bytes]:
        """Yield a file's bytes by a ranged request."""
        url = hf_hub_url(self._repository, file.name, revision=self._commit, endpoint=self._endpoint)
        headers = build_hf_headers() | {"Range": f"bytes={offset_bytes}-", "Accept-Encoding": "identity"}
        try:
            with get_session().stream("GET", url, headers=headers, timeout=_TIMEOUT) as response:
                if response.is_error:
                    raise self._refusal(file.name, response.status_code)
                # A server that knows no ranges begins at the beginning.
                skip = 0 if response.status_code == httpx2.codes.PARTIAL_CONTENT else offset_bytes
                for (
                    piece
                ) in response.iter_raw():  # As it arrives: what waits for a full piece is lost with the connection.
                    if kept := piece[skip:]:
                        yield kept
                    skip = max(0, skip - len(piece))
        except httpx2.HTTPError as error:
            raise self._failure(file.name, error) from error

    def _failure(self, name: str, error: HfHubHTTPError | httpx2.HTTPError) -> SourceRefused | SourceUnreachable:
        if isinstance(error, HfHubHTTPError):
            return self._refusal(name, error.response.status_code)
        return SourceUnreachable(f"{self._endpoint}: {name}: {str(error) or type(error).__name__}")

    def _refusal(self, name: str, status: int) -> SourceRefused | SourceUnreachable:
        where = f"{self._endpoint}: {self._repository}: {name}: HTTP {status}"
        if status in _ASK_AGAIN:
            return SourceUnreachable(where)
        hint = {401: " (HF_TOKEN?)", 403: " (is its licence accepted there?)", 404: " (no such model or revision)"}
        return SourceRefused(where + hint.get(status, ""))


def _remote(file: RepoSibling) -> RemoteFile:
    """Large files are listed by their SHA-256, small ones by git's name for them."""
    if file.lfs is not None:
        return RemoteFile(file.rfilename, file.size or 0, sha256=file.lfs.sha256)
    return RemoteFile(file.rfilename, file.size or 0, git_sha1=file.blob_id)
