"""How is a sample kept so that whoever keeps it can't read it? Sealed to the judge's public key by HPKE (RFC 9180).

X25519, HKDF-SHA256, ChaCha20-Poly1305. The door and the ingress hold the public half alone; what a sample is about (its stratum) is bound
in, so that it opens as nothing else.
"""

from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from router.errors import BadRequest, RouterError
from serving.change.durable import write_durably

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_PURPOSE: Final = b"private-lane leak sample 1\n"


class SampleUnreadable(RouterError):
    """A sample was sealed for another key, or is not what was sealed."""

    code = "sample_unreadable"


def seal(content: bytes, public_key: str, about: str) -> bytes:
    """Seal to a public key (hex), bound to what it is about."""
    key = X25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
    return bytes(_SUITE.encrypt(content, key, info=_PURPOSE + about.encode()))


def unseal(sealed: bytes, key: X25519PrivateKey, about: str) -> bytes:
    """Return what was sealed. Raises `SampleUnreadable`."""
    try:
        return bytes(_SUITE.decrypt(sealed, key, info=_PURPOSE + about.encode()))
    except (InvalidTag, ValueError) as error:
        raise SampleUnreadable(
            "the sample can't be opened with this key; give the one it was sealed for by --key"
        ) from error


def make_judge_key(file: Path) -> str:
    """Make the judge's private key (0600), never over one that is there; return the public half in hex."""
    if file.exists():
        raise BadRequest(f"{file} is there already; give another place by --out")
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = X25519PrivateKey.generate()
    write_durably(file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    return key.public_key().public_bytes_raw().hex()


def read_judge_key(file: Path) -> X25519PrivateKey:
    """Return the judge's private key. Raises `BadRequest`."""
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise BadRequest(f"{file} holds no private key; `lane leak-rate keygen` makes one") from error
    if not isinstance(key, X25519PrivateKey):
        raise BadRequest(f"{file} holds no X25519 key; `lane leak-rate keygen` makes one")
    return key
