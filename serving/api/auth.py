"""Who is asking? An API key names a tenant; its hash is compared in constant time, the key itself is kept nowhere."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from router.bundle import Bundle
from router.errors import NotAuthenticated


@dataclass(frozen=True, slots=True)
class Caller:
    """The tenant behind a key, and which of its keys it was."""

    org: str
    key_id: str


@dataclass(frozen=True, slots=True)
class Keys:
    """The hashes of every key that opens this gateway."""

    hashes: tuple[tuple[bytes, Caller], ...]

    def caller(self, authorization: str | None) -> Caller:
        """Return who holds the key of an `Authorization: Bearer …` header. Raises `NotAuthenticated`."""
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise NotAuthenticated("no API key: send `Authorization: Bearer KEY`")
        presented = hashlib.sha256(key.strip().encode()).digest()
        found: Caller | None = None
        for digest, caller in self.hashes:  # All of them are compared, so that time tells nothing.
            if hmac.compare_digest(digest, presented):
                found = caller
        if found is None:
            raise NotAuthenticated("this API key is not known here; keys are listed by hash in tenants.yaml")
        return found


def read_keys(bundle: Bundle, keys_file: Path) -> Keys:
    """Collect the bundle's key hashes, and those of the keys that were minted on this box."""
    minted: Mapping[str, str] = orjson.loads(keys_file.read_bytes()) if keys_file.exists() else {}
    hashes = []
    for tenant in bundle.tenants.values():
        for key in tenant.keys:
            caller = Caller(tenant.org, key.id)
            if key.sha256 is not None:
                hashes.append((bytes.fromhex(key.sha256), caller))
            elif (secret := minted.get(f"{tenant.org}/{key.id}")) is not None:
                hashes.append((hashlib.sha256(secret.encode()).digest(), caller))
    return Keys(tuple(hashes))
