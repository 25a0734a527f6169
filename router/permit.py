"""May exactly these bytes leave by this lane, now and once? A permit is the router's signed word for it; it holds no content.

A token is `payload.signature`, both base64url without padding: the payload is the permit's canonical JSON, the signature Ed25519 over
a fixed prefix and the payload. There is one spelling of a valid token; every other one is refused.
"""

import base64
import binascii
from typing import Annotated, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import Field, ValidationError

from router.contract import Concern, Frozen, Label, RiskTier, Sha256, TraceId
from router.errors import DoorRefused

_PREFIX: Final = b"private-lane permit 1\n"
"""Keeps a signature made for a permit from meaning anything elsewhere."""
_TOKEN_CHARACTERS_AT_MOST: Final = 8192
_Word = Annotated[str, Field(min_length=1, max_length=256)]


class Permit(Frozen):
    """Leave to send one body once: `expires_at` is in Unix seconds, `nonce` 128 random bits that the door takes only once.

    `label` is that of the bytes; `redacted` the categories that placeholders took the place of in them.
    """

    trace_id: TraceId
    attempt: int = Field(ge=1)
    org: _Word
    lane: _Word
    region: _Word
    label: Label
    risk_tier: RiskTier
    attack: Concern = "clear"
    harm: Concern = "clear"
    redacted: tuple[str, ...] = ()
    bundle_hash: _Word
    body_sha256: Sha256
    expires_at: int = Field(ge=0)
    nonce: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]

    def has_expired(self, now: float) -> bool:
        """Tell whether it is too late, `now` in Unix seconds."""
        return now >= self.expires_at


def sign(permit: Permit, private_key: Ed25519PrivateKey) -> str:
    """Return the permit's token."""
    payload = _payload(permit)
    return f"{_encode(payload)}.{_encode(private_key.sign(_PREFIX + payload))}"


def verify(token: str, public_key: Ed25519PublicKey) -> Permit:
    """Return the permit that this token carries. Raises `DoorRefused` unless it is signed by the key and well formed.

    Says nothing about the clock: ask `Permit.has_expired`.
    """
    if len(token) > _TOKEN_CHARACTERS_AT_MOST:
        raise DoorRefused("the permit is too long")
    try:
        encoded_payload, encoded_signature = token.split(".")
        payload, signature = _decode(encoded_payload), _decode(encoded_signature)
        # Nothing is parsed before its signature holds: a stranger's bytes reach no parser.
        public_key.verify(signature, _PREFIX + payload)
        permit = Permit.model_validate_json(payload)
    except InvalidSignature:
        raise DoorRefused("the permit is not signed by this router") from None
    except (ValueError, ValidationError, binascii.Error):
        raise DoorRefused("the permit is malformed") from None
    if _payload(permit) != payload:
        raise DoorRefused("the permit is malformed")
    return permit


def _payload(permit: Permit) -> bytes:
    return permit.model_dump_json().encode()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encode(raw) != text:
        raise ValueError("not the one spelling of these bytes")
    return raw
