"""Who said yes to exactly this bundle? An approver's Ed25519 signature over the bundle's hash, made offline.

Pure: the keys that count are an argument. A signature names its key, not its owner: who the key belongs to is what the home says.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field

from router.contract import Frozen, Sha256

_PREFIX: Final = b"private-lane bundle 1\n"
"""Keeps a signature made for a bundle from meaning anything elsewhere."""
PublicKey = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""An Ed25519 public key's 32 bytes in hex: approvers are told apart by it."""


class Signature(Frozen):
    """One approver's word for one version of a bundle. `signed_at` is in Unix seconds, by the approver's clock."""

    bundle_hash: Sha256
    public_key: PublicKey
    signed_at: int = Field(ge=0)
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]


class Approval(Frozen):
    """A signature that counts, and the name under which the home trusts its key."""

    approver: str
    signature: Signature


def sign_bundle(bundle_hash: str, key: Ed25519PrivateKey, at: int) -> Signature:
    """Sign a bundle's hash at this time (Unix seconds)."""
    return Signature(
        bundle_hash=bundle_hash,
        public_key=key.public_key().public_bytes_raw().hex(),
        signed_at=at,
        signature=key.sign(_statement(bundle_hash, at)).hex(),
    )


def holds(signature: Signature) -> bool:
    """Tell whether the signature was made with the key that it names, over what it says."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature.public_key))
        key.verify(bytes.fromhex(signature.signature), _statement(signature.bundle_hash, signature.signed_at))
    except (InvalidSignature, ValueError):
        return False
    return True


def approvals_of(bundle_hash: str, signatures: Iterable[Signature], trusted: Mapping[str, str]) -> tuple[Approval, ...]:
    """Return the approvals of this bundle that count: one for each trusted key (`trusted`: public key to name), by name."""
    found = {
        signature.public_key: Approval(approver=trusted[signature.public_key], signature=signature)
        for signature in signatures
        if signature.bundle_hash == bundle_hash and signature.public_key in trusted and holds(signature)
    }
    return tuple(sorted(found.values(), key=lambda approval: (approval.approver, approval.signature.public_key)))


def _statement(bundle_hash: str, at: int) -> bytes:
    return _PREFIX + f"{bundle_hash}\n{at}\n".encode()
