"""Who says that a certificate is good? An authority of the site's own, made here, whose key signs leaves and nothing else.

Keys are on the curve P-256: Ray's gRPC refuses Ed25519 certificates (`NO_COMMON_SIGNATURE_ALGORITHMS`, seen with Ray 2.60).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address
from typing import Final, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from router.errors import RouterError

SERVER: Final = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT: Final = ExtendedKeyUsageOID.CLIENT_AUTH
_CLOCKS_APART: Final = timedelta(hours=1)


class RequestUnfit(RouterError):
    """A certificate's request can't be signed, and why."""

    status = 400
    code = "certificate_request_unfit"
    exit_code = 2


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate that signs, and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def new(cls, name: str, days: int, now: datetime | None = None) -> Self:
        """Make one, good for `days`."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = _called(name)
        begins = now or datetime.now(UTC)
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = _begun(issuer, issuer, key.public_key(), begins, begins + timedelta(days=days))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        return cls(builder.add_extension(usage, critical=True).sign(key, SHA256()), key)

    @classmethod
    def read(cls, certificate_pem: bytes, key_pem: bytes) -> Self:
        """Load one that `pem` and `key_pem` wrote."""
        key = load_pem_private_key(key_pem, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return cls(x509.load_pem_x509_certificate(certificate_pem), key)

    @property
    def pem(self) -> bytes:
        """The certificate, for whoever is to trust what this authority signed."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The private key. Whoever has it is the authority."""
        return key_pem(self.key)

    def issue(
        self,
        name: str,
        reached_at: Sequence[str],
        usages: Sequence[ObjectIdentifier],
        public_key: ec.EllipticCurvePublicKey,
        days: int,
        now: datetime | None = None,
    ) -> bytes:
        """Return a leaf's certificate: `reached_at` are the names and addresses that it is good for."""
        begins = now or datetime.now(UTC)
        until = min(begins + timedelta(days=days), self.certificate.not_valid_after_utc)
        issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return (
            _begun(_called(name), self.certificate.subject, public_key, begins, until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([_general(one) for one in reached_at]), critical=False)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(issued_by, critical=False)
            .sign(self.key, SHA256())
            .public_bytes(Encoding.PEM)
        )


def fingerprint(certificate_pem: bytes) -> str:
    """Return the SHA-256 of a certificate, in hex: what a join token pins."""
    return sha256(x509.load_pem_x509_certificate(certificate_pem).public_bytes(Encoding.DER)).hexdigest()


def new_key() -> ec.EllipticCurvePrivateKey:
    """Make a leaf's key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as PEM, unencrypted: the file's mode guards it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def signing_request(name: str, key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a request for a certificate; it proves that whoever asks holds the key. Names and addresses are for the signer to grant."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(_called(name))
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def requested_key(request_pem: bytes) -> ec.EllipticCurvePublicKey:
    """Return the public key of a request whose signature holds; nothing else in it counts. Raises `RequestUnfit`."""
    try:
        request = x509.load_pem_x509_csr(request_pem)
        valid, key = request.is_signature_valid, request.public_key()
    except (ValueError, TypeError, InvalidSignature) as error:
        raise RequestUnfit("that is no PEM certificate request") from error
    if not valid or not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise RequestUnfit("the request must be signed by its own key, on the curve P-256")
    return key


def _called(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begins: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins - _CLOCKS_APART)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _general(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)
