"""Is whoever answers at the provider's address the provider? Its certificate, its key and its address are checked before a byte is sent.

A certificate must hold for the name in the bundle's address, under the lane's own authority where it names one, and carry one of the
lane's pinned keys where it pins any. The address that the name resolved to must be among the lane's, where it lists them.
"""

import base64
import hashlib
import ssl
from collections.abc import Awaitable, Callable, Mapping
from ipaddress import ip_address
from typing import Any

import httpx2
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_der_x509_certificate
from typing_extensions import override

from router.bundle.files import Hosted

Trace = Callable[[str, Mapping[str, Any]], Awaitable[None]]
_CONNECTED = "connection.connect_tcp.complete"


class NotTheProvider(ssl.SSLError):
    """Somebody answered whom the bundle does not name. The message says in which respect; nothing was sent."""

    def __init__(self, because: str) -> None:
        super().__init__(because)
        self.because = because


class _PinnedContext(ssl.SSLContext):
    pins: frozenset[str] = frozenset()


class _PinnedConnection(ssl.SSLObject):
    """A TLS connection that does not count as made before its peer's key is one of the pinned ones."""

    @override
    def do_handshake(self) -> None:
        super().do_handshake()
        assert isinstance(self.context, _PinnedContext)
        certificate = self.getpeercert(binary_form=True)
        if certificate is None or pin_of(certificate) not in self.context.pins:
            raise NotTheProvider("the provider's certificate holds another key than the pinned ones")


def pin_of(certificate: bytes) -> str:
    """Return a DER certificate's pin: base64 of the SHA-256 of its public key (RFC 7469, as `curl --pinnedpubkey` takes it)."""
    key = load_der_x509_certificate(certificate).public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(spki).digest()).decode()


def transport_to(hosted: Hosted) -> httpx2.AsyncHTTPTransport:
    """Return the connections to one lane's provider, kept apart from every other lane's. No proxy, no retry, no environment."""
    limits = httpx2.Limits(max_connections=None, keepalive_expiry=30.0)
    if hosted.ca_pem is None and not hosted.pin_sha256:
        return httpx2.AsyncHTTPTransport(trust_env=False, retries=0, limits=limits)
    return httpx2.AsyncHTTPTransport(verify=_context(hosted), trust_env=False, retries=0, limits=limits)


def _context(hosted: Hosted) -> ssl.SSLContext:
    context = _PinnedContext(ssl.PROTOCOL_TLS_CLIENT)  # Checks names and chains by default.
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if hosted.ca_pem is not None:
        context.load_verify_locations(cadata=hosted.ca_pem)
    else:
        context.load_default_certs()
    if hosted.pin_sha256:
        context.pins = frozenset(hosted.pin_sha256)
        context.sslobject_class = _PinnedConnection
    return context


def address_check(hosted: Hosted) -> Trace:
    """Return httpx2's `trace` extension that hangs up on an address which is not one of the lane's, before TLS begins."""

    async def check(event: str, seen: Mapping[str, Any]) -> None:
        if event != _CONNECTED or not hosted.addresses:
            return
        stream = seen["return_value"]
        host, *_ = stream.get_extra_info("server_addr")
        if not any(ip_address(host) in network for network in hosted.addresses):
            await stream.aclose()
            raise NotTheProvider("the provider's name led to an address that is not one of the lane's")

    return check


def not_the_provider(error: BaseException | None) -> NotTheProvider | None:
    """Return the refusal that a client's error was raised from, if one was."""
    while error is not None and not isinstance(error, NotTheProvider):
        error = error.__cause__ or error.__context__
    return error
