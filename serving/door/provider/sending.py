"""What goes onto the wire? These bytes, to the bundle's address, with a few headers of our own. The one place that sends."""

from collections.abc import Mapping

import httpx2
from typing_extensions import override

from router.bundle.files import Hosted
from serving.door.upstream import address_check


class OneSend(httpx2.AsyncBaseTransport):
    """Lets one body out to one address. Whatever else a client, its settings or the environment added stays behind."""

    def __init__(
        self, inner: httpx2.AsyncBaseTransport, hosted: Hosted, path: str, key: Mapping[str, str], body: bytes
    ) -> None:
        """Take the protocol's `path` after the lane's `base_url`, and the headers that carry the key."""
        self._inner, self._hosted, self._key, self._body = inner, hosted, key, body
        self._url = httpx2.URL(hosted.base_url.rstrip("/") + path)

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method != "POST" or request.url != self._url or await request.aread() != self._body:
            raise ValueError("the SDK would have sent something else than it was given")
        headers = {
            **self._key,
            "Content-Type": "application/json",
            "Accept": "text/event-stream",
            "Accept-Encoding": "identity",
            "User-Agent": "private-lane",
        }
        extensions = {"timeout": request.extensions["timeout"], "trace": address_check(self._hosted)}
        sent = httpx2.Request("POST", self._url, headers=headers, content=self._body, extensions=extensions)
        return await self._inner.handle_async_request(sent)
