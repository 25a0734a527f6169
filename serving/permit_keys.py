"""Who may read which half of the permit keys? The router the private one, the door the public one (`serving.secrets` makes both)."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from router.errors import RouterError


class KeyUnusable(RouterError):
    """A key file is missing, or holds no Ed25519 key. The message names the file and the mend."""

    code = "permit_key_unusable"


def read_private_key(file: Path) -> Ed25519PrivateKey:
    """Return the router's half. Raises `KeyUnusable`."""
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise KeyUnusable(f"{file} holds no private key; `lane up` makes one") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable(f"{file} holds no Ed25519 key; remove it, and `lane up` makes one")
    return key


def read_public_key(file: Path) -> Ed25519PublicKey:
    """Return the door's half. Raises `KeyUnusable`."""
    try:
        key = load_pem_public_key(file.read_bytes())
    except (OSError, ValueError) as error:
        raise KeyUnusable(f"{file} holds no public key; `lane up` makes one") from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyUnusable(f"{file} holds no Ed25519 key; remove it, and `lane up` makes one")
    return key
