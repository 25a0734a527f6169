"""Who may speak to the door from another machine? Whoever shows a certificate of the site's own authority, as the door itself must.

A folder holds one side's three files: `ca.pem` (the authority both trust, and no other), `cert.pem` and `key.pem`. `lane cluster
certificates` makes both sides'. TLS 1.3 alone; the name in the door's certificate is checked, and a certificate made for one side is no
good for the other.
"""

import ssl
from pathlib import Path

from router.errors import RouterError


class TlsUnusable(RouterError):
    """The folder does not hold one side's certificates."""

    code = "door_tls_unusable"


def door_context(folder: Path) -> ssl.SSLContext:
    """Return the door's side: nobody is heard without a certificate. Raises `TlsUnusable`."""
    return _loaded(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), folder)


def router_context(folder: Path) -> ssl.SSLContext:
    """Return the router's side: no machine is believed to be the door without a certificate of that name. Raises `TlsUnusable`."""
    return _loaded(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), folder)


def _loaded(context: ssl.SSLContext, folder: Path) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(folder / "ca.pem")
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    except (OSError, ssl.SSLError) as error:
        because = error.strerror or type(error).__name__
        raise TlsUnusable(
            f"{folder}: ca.pem, cert.pem and key.pem are wanted ({because}); `lane cluster certificates` makes them"
        ) from error
    return context
