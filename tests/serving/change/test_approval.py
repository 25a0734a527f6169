from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from serving.change.approval import Signature, approvals_of, holds, sign_bundle

ANN, BOB = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (1, 2))
HASH = "a" * 64


def public(key: Ed25519PrivateKey) -> str:
    return key.public_key().public_bytes_raw().hex()


TRUSTED = {public(ANN): "ann", public(BOB): "bob"}


def test_a_signature_holds_for_the_bundle_and_the_time_that_it_names() -> None:
    signature = sign_bundle(HASH, ANN, 1000)

    assert holds(signature)
    assert not holds(signature.model_copy(update={"bundle_hash": "b" * 64}))
    assert not holds(signature.model_copy(update={"signed_at": 1001}))
    assert not holds(signature.model_copy(update={"public_key": public(BOB)}))


@given(st.integers(0, 511))
def test_no_bit_of_a_signature_can_be_changed(bit: int) -> None:
    signature = sign_bundle(HASH, ANN, 1000)
    altered = bytearray.fromhex(signature.signature)
    altered[bit // 8] ^= 1 << bit % 8

    assert not holds(signature.model_copy(update={"signature": altered.hex()}))


def test_approvals_are_counted_by_key_and_named_by_the_home() -> None:
    signatures = [sign_bundle(HASH, BOB, 1), sign_bundle(HASH, ANN, 1), sign_bundle(HASH, ANN, 2)]

    approvals = approvals_of(HASH, signatures, TRUSTED)

    assert [approval.approver for approval in approvals] == ["ann", "bob"]


def test_a_stranger_a_forger_and_a_signature_for_another_bundle_count_for_nothing() -> None:
    stranger = Ed25519PrivateKey.from_private_bytes(b"s" * 32)
    forged = Signature(**(sign_bundle(HASH, stranger, 1).model_dump() | {"public_key": public(ANN)}))

    counted = approvals_of(HASH, [sign_bundle(HASH, stranger, 1), forged, sign_bundle("b" * 64, ANN, 1)], TRUSTED)

    assert counted == ()
