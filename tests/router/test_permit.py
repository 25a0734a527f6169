"""A permit's token: one signer, one spelling."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from router.contract import Label
from router.errors import DoorRefused
from router.permit import Permit, sign, verify

KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
OTHER = Ed25519PrivateKey.from_private_bytes(b"o" * 32)


def a_permit(**changes: object) -> Permit:
    fields: dict[str, object] = {
        "trace_id": "0" * 32,
        "attempt": 1,
        "org": "acme",
        "lane": "premium",
        "region": "eu",
        "label": Label(level="internal", categories=("b", "a")),
        "risk_tier": "low",
        "bundle_hash": "abc",
        "body_sha256": "1" * 64,
        "expires_at": 100,
        "nonce": "2" * 32,
    }
    return Permit.model_validate(fields | changes)


def test_a_signed_permit_comes_back_as_it_was() -> None:
    permit = a_permit(org="Ünser Haus")

    token = sign(permit, KEY)

    assert verify(token, KEY.public_key()) == permit


def test_another_signer_is_refused() -> None:
    token = sign(a_permit(), OTHER)

    with pytest.raises(DoorRefused, match="not signed"):
        verify(token, KEY.public_key())


def test_a_signature_of_another_permit_is_refused() -> None:
    payload = sign(a_permit(), KEY).split(".")[0]
    signature = sign(a_permit(lane="code"), KEY).split(".")[1]

    with pytest.raises(DoorRefused, match="not signed"):
        verify(f"{payload}.{signature}", KEY.public_key())


@given(position=st.integers(0), letter=st.characters())
def test_a_token_with_any_character_changed_is_refused(position: int, letter: str) -> None:
    token = sign(a_permit(), KEY)
    place = position % len(token)
    changed = token[:place] + letter + token[place + 1 :]
    if changed == token:
        return

    with pytest.raises(DoorRefused):
        verify(changed, KEY.public_key())


@given(st.text(max_size=300))
def test_any_text_is_refused_and_never_breaks_the_reader(token: str) -> None:
    with pytest.raises(DoorRefused):
        verify(token, KEY.public_key())


def test_a_refusal_says_what_is_wrong_and_nothing_of_what_was_sent() -> None:
    token = sign(a_permit(), KEY)
    unsigned = json.dumps({"label": "anything"}).encode()
    signed = sign_raw(unsigned)

    for wrong, because in (
        (token + "A" * 9000, "the permit is too long"),
        ("no dot", "the permit is malformed"),
        (signed, "the permit is malformed"),
        (sign(a_permit(), OTHER), "the permit is not signed by this router"),
    ):
        with pytest.raises(DoorRefused) as refused:
            verify(wrong, KEY.public_key())
        assert str(refused.value) == because
        assert refused.value.__cause__ is None


def test_a_signed_permit_in_another_spelling_is_refused() -> None:
    payload = a_permit().model_dump_json(indent=1).encode()

    with pytest.raises(DoorRefused, match="malformed"):
        verify(sign_raw(payload), KEY.public_key())


def sign_raw(payload: bytes) -> str:
    """A proper signature under any bytes, as only the router's own key could make it."""
    signature = KEY.sign(b"private-lane permit 1\n" + payload)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (payload, signature))


def test_padding_and_a_token_too_long_are_refused() -> None:
    token = sign(a_permit(), KEY)

    for wrong in (token + "=", token + ".", " " + token, token + "A" * 9000):
        with pytest.raises(DoorRefused):
            verify(wrong, KEY.public_key())


def test_a_permit_ends_at_the_second_it_names() -> None:
    permit = a_permit(expires_at=100)

    assert not permit.has_expired(99.9)
    assert permit.has_expired(100.0)
