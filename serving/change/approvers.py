"""Whose signature counts here? The public keys in the home's `approvers` folder, which no bundle can change.

An approver's private key never needs to be on this machine: `sign` works anywhere, on the bundle's folder alone.
"""

import re
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from router.errors import BadRequest
from serving.change.durable import write_durably
from serving.permit_keys import KeyUnusable, read_private_key, read_public_key

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}")


def make_key(name: str, folder: Path) -> tuple[Path, Path]:
    """Make an approver's key pair `NAME.key` (0600) and `NAME.pub`; never over a key that is there."""
    private, public = (folder / f"{checked_name(name)}{suffix}" for suffix in (".key", ".pub"))
    for file in (private, public):
        if file.exists():
            raise BadRequest(f"{file} is there already; give another name, or another folder by --out")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = Ed25519PrivateKey.generate()
    write_durably(private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)
    write_durably(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), 0o644)
    return private, public


def read_key(file: Path) -> Ed25519PrivateKey:
    """Return an approver's private key. Raises `KeyUnusable`, also for a file that others than its owner can read."""
    if file.is_file() and file.stat().st_mode & 0o077:
        raise KeyUnusable(f"{file} can be read by others than its owner: chmod 600 {file}")
    try:
        return read_private_key(file)
    except KeyUnusable as error:
        raise KeyUnusable(f"{file} holds no Ed25519 private key; `lane bundle keygen NAME` makes one") from error


def trust(public_file: Path, name: str, folder: Path) -> str:
    """Let this key's signatures count, under this name; returns the key in hex. Whoever may write the folder may do this."""
    key = _public(public_file)
    for other, known in trusted(folder).items():
        if known == name and other != key:
            raise BadRequest(f"{name} is another key here; remove {folder / name}.pub first, or give --name")
        if other == key and known != name:
            raise BadRequest(f"this key is trusted here already, as {known}: one key is one approver")
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    write_durably(folder / f"{checked_name(name)}.pub", public_file.read_bytes(), 0o644)
    return key


def trusted(folder: Path) -> dict[str, str]:
    """Return each trusted key in hex with its approver's name: none where nobody is named. Raises `KeyUnusable`."""
    return {_public(file): file.stem for file in sorted(folder.glob("*.pub"), reverse=True)}


def checked_name(name: str) -> str:
    """Return the name when it can be a file's."""
    if not _NAME.fullmatch(name):
        raise BadRequest(f"{name!r} can't be an approver's name: letters, digits and . _ @ - alone, up to 64 of them")
    return name


def _public(file: Path) -> str:
    try:
        return read_public_key(file).public_bytes_raw().hex()
    except KeyUnusable as error:
        raise KeyUnusable(f"{file} holds no Ed25519 public key; `lane bundle keygen NAME` makes a pair") from error
