"""Where may a call over HTTP end up? At the bundle's own address and nowhere else: no redirect, no proxy, no name that leads inside.

A name may resolve to public addresses only, or to those of the networks that the source lists: so neither a rebound name nor a typo
reaches the metadata service or a neighbour in the cluster. What this machine alone can reach (loopback) needs to be named as such.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
from typing_extensions import override

_CONNECTED: Final = "connection.connect_tcp.complete"
_CONNECT_SECONDS: Final = 5.0
Network = IPv4Network | IPv6Network


class Elsewhere(Exception):
    """A call was about to go where the bundle does not say. Nothing was sent."""


def check_address(base_url: str, networks: Sequence[Network], address: str) -> None:
    """Raise `Elsewhere` unless a connection to this address is one that the bundle means."""
    found = ip_address(address)
    if networks:
        allowed = any(found in network for network in networks)
    elif (host := urlsplit(base_url).hostname) == "localhost" or _literal(host or "") == found:
        allowed = found.is_loopback
    else:
        allowed = found.is_global and not found.is_multicast
    if not allowed:
        raise Elsewhere("its name led to an address that it may not have")


class _OneOrigin(httpx2.AsyncBaseTransport):
    """Sends to one origin, and hangs up on an address that it may not have, before TLS begins."""

    def __init__(self, base_url: str, networks: Sequence[Network]) -> None:
        self._base_url, self._networks = base_url, networks
        self._origin = _origin(base_url)
        self._inner = httpx2.AsyncHTTPTransport(trust_env=False, retries=0)

    @override
    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if _origin(str(request.url)) != self._origin:
            raise Elsewhere("it was led to another origin")
        request.extensions = {**request.extensions, "trace": self._check()}
        return await self._inner.handle_async_request(request)

    @override
    async def aclose(self) -> None:
        await self._inner.aclose()

    def _check(self) -> Callable[[str, Mapping[str, Any]], Awaitable[None]]:
        async def check(event: str, seen: Mapping[str, Any]) -> None:
            if event != _CONNECTED:
                return
            stream = seen["return_value"]
            host, *_ = stream.get_extra_info("server_addr")
            try:
                check_address(self._base_url, self._networks, host)
            except Elsewhere:
                await stream.aclose()
                raise

        return check


@asynccontextmanager
async def client_to(
    base_url: str, networks: Sequence[Network], headers: Mapping[str, str], seconds: float
) -> AsyncGenerator[httpx2.AsyncClient, None]:
    """Be a client that reaches this origin alone, with these headers on each request."""
    async with httpx2.AsyncClient(
        transport=_OneOrigin(base_url, networks),
        headers=dict(headers),
        timeout=httpx2.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS)),
        follow_redirects=False,
        trust_env=False,
    ) as client:
        yield client


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)


def _literal(host: str) -> Any:
    try:
        return ip_address(host)
    except ValueError:
        return None
