"""Which secrets does this box make for itself? Permit keys, a salt, keys to seal with, API keys: once, readable by the owner alone."""

import os
import secrets
from pathlib import Path

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from router.bundle import Bundle
from serving.lockout import Lockout
from serving.people.seal import KEY_BYTES as PEOPLE_KEY_BYTES
from serving.redaction_maps import KEY_BYTES
from serving.settings import Settings


def ensure_secrets(settings: Settings, bundle: Bundle) -> None:
    """Make what is missing below the home folder; what is there stays."""
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    for folder in (settings.lanes_off_folder, settings.keys_revoked_folder):
        Lockout(folder).make()
    if not settings.permit_key_file.exists():
        key = Ed25519PrivateKey.generate()
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        _write(settings.permit_public_file, public)
        _write(settings.permit_key_file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    if not settings.salt_file.exists():
        _write(settings.salt_file, secrets.token_bytes(32))
    if not settings.redaction_key_file.exists():
        _write(settings.redaction_key_file, secrets.token_bytes(KEY_BYTES))
    if not settings.people_key_file.exists():
        _write(settings.people_key_file, secrets.token_bytes(PEOPLE_KEY_BYTES))
    if not settings.ray_token_file.exists():
        _write(settings.ray_token_file, secrets.token_hex(32).encode())
    minted = orjson.loads(settings.keys_file.read_bytes()) if settings.keys_file.exists() else {}
    wanted = [f"{tenant.org}/{key.id}" for tenant in bundle.tenants.values() for key in tenant.keys if key.minted]
    missing = {name: new_key() for name in wanted if name not in minted}
    if missing:
        _write(settings.keys_file, orjson.dumps({**minted, **missing}, option=orjson.OPT_INDENT_2))


def new_key() -> str:
    """Return a new API key: 192 random bits, with a prefix that scanners for leaked credentials can look for."""
    return f"lane-{secrets.token_urlsafe(24)}"


def replace_minted(settings: Settings, name: str) -> str:
    """Put a new key in the place of the one that was minted under `org/key id`, and return it. Ingress replicas take it up at once."""
    minted = orjson.loads(settings.keys_file.read_bytes()) if settings.keys_file.exists() else {}
    key = new_key()
    settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(settings.keys_file, orjson.dumps({**minted, name: key}, option=orjson.OPT_INDENT_2))
    return key


def _write(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
