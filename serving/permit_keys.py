"""Where does the pair of keys for permits come from? Made once on this box; the private half is readable by its owner alone."""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from serving.settings import Settings


class KeyUnusable(Exception):
    """A key file is missing, or holds no Ed25519 key. The message names the file and the mend."""


def ensure_permit_keys(settings: Settings) -> None:
    """Make the pair unless the private key is there, and write the public half beside it (both 0600)."""
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not settings.permit_key_file.exists():
        private = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write(settings.permit_key_file, private)
    public = read_private_key(settings.permit_key_file).public_key()
    _write(settings.permit_public_file, public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def read_private_key(file: Path) -> Ed25519PrivateKey:
    """Return the router's half. Raises `KeyUnusable`."""
    try:
        key = load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise KeyUnusable(f"{file}: no private key ({error}); `lane up` makes one") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable(f"{file}: not an Ed25519 key; remove it, and `lane up` makes one")
    return key


def read_public_key(file: Path) -> Ed25519PublicKey:
    """Return the door's half. Raises `KeyUnusable`."""
    try:
        key = load_pem_public_key(file.read_bytes())
    except (OSError, ValueError) as error:
        raise KeyUnusable(f"{file}: no public key ({error}); `lane up` makes one") from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyUnusable(f"{file}: not an Ed25519 key; remove it, and `lane up` makes one")
    return key


def _write(file: Path, content: bytes) -> None:
    """Write whole or not at all: a reader sees the old key or the new one."""
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())
    draft.replace(file)
