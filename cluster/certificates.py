"""How do the router and the door of a site know each other? By an authority made for that alone, and one certificate for each side."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

_CLOCKS_APART: Final = timedelta(hours=1)


def certificates(door_names: Sequence[str], days: int, now: datetime | None = None) -> Mapping[str, bytes]:
    """Return the files of a new authority by path: `ca.key` (keep it offline), and `door/` and `router/` with three files each.

    `door_names`: the host names and addresses under which nodes reach the door. They are good for `days`.
    """
    begins = now or datetime.now(UTC)
    until = begins + timedelta(days=days)
    authority = Ed25519PrivateKey.generate()
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "private-lane site authority")])
    ca = (
        _begun(issuer, issuer, authority, begins, until)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority, None)
    )
    files = {"ca.key": _pem(authority)}
    for side, names, usage in (
        ("door", door_names, ExtendedKeyUsageOID.SERVER_AUTH),
        ("router", ("router",), ExtendedKeyUsageOID.CLIENT_AUTH),
    ):
        key = Ed25519PrivateKey.generate()
        certificate = _leaf(side, names, usage, key, issuer, authority, begins, until)
        files[f"{side}/ca.pem"] = ca.public_bytes(Encoding.PEM)
        files[f"{side}/cert.pem"] = certificate.public_bytes(Encoding.PEM)
        files[f"{side}/key.pem"] = _pem(key)
    return files


def _leaf(
    side: str,
    names: Sequence[str],
    usage: ObjectIdentifier,
    key: Ed25519PrivateKey,
    issuer: x509.Name,
    authority: Ed25519PrivateKey,
    begins: datetime,
    until: datetime,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, side)])
    issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
    return (
        _begun(subject, issuer, key, begins, until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_name(one) for one in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
        .add_extension(issued_by, critical=False)
        .sign(authority, None)
    )


def _begun(
    subject: x509.Name, issuer: x509.Name, key: Ed25519PrivateKey, begins: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins - _CLOCKS_APART)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
