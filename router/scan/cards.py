"""Is this a payment card's number, or a wallet's address? Issuers' prefixes and lengths, Luhn; Base58Check and Bech32."""

from functools import cache
from hashlib import sha256
from typing import Final

from router.scan.checks import luhn

_IIN: Final[tuple[tuple[int, int, tuple[int, ...]], ...]] = (
    (4, 4, (13, 16, 19)),  # Visa
    (51, 55, (16,)),  # Mastercard
    (2221, 2720, (16,)),
    (34, 34, (15,)),  # American Express
    (37, 37, (15,)),
    (300, 305, (14, 16, 19)),  # Diners Club
    (3095, 3095, (14, 16, 19)),
    (36, 36, (14, 16, 19)),
    (38, 39, (14, 16, 19)),
    (6011, 6011, (16, 19)),  # Discover
    (644, 659, (16, 19)),
    (622126, 622925, (16, 19)),
    (3528, 3589, (15, 16, 19)),  # JCB
    (1800, 1800, (15,)),
    (2131, 2131, (15,)),
    (62, 62, (16, 17, 18, 19)),  # UnionPay
    (60, 61, (16,)),  # RuPay and others
    (81, 82, (16, 17, 18, 19)),
    (50, 50, (12, 13, 14, 15, 16, 17, 18, 19)),  # Maestro
    (56, 58, (12, 13, 14, 15, 16, 17, 18, 19)),
    (63, 63, (12, 13, 14, 15, 16, 17, 18, 19)),
    (67, 69, (12, 13, 14, 15, 16, 17, 18, 19)),
    (2200, 2204, (16, 17, 18, 19)),  # Mir
    (9792, 9792, (16,)),  # Troy
    (1, 1, (15,)),  # UATP
)
"""Issuer prefixes as ranges, and the lengths their cards have. Sources: ISO/IEC 7812-1 and the schemes' own rules."""


@cache
def _card_lengths(prefix: str) -> frozenset[int]:
    """Return the lengths of cards that begin with these six digits."""
    return frozenset(
        length for low, high, lengths in _IIN if low <= int(prefix[: len(str(low))]) <= high for length in lengths
    )


def card(digits: str) -> bool:
    """A payment card: an issuer's prefix, one of its lengths, and Luhn."""
    return luhn(digits) and len(digits) in _card_lengths(digits[:6]) and len(set(digits)) > 1


_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def bitcoin(address: str) -> bool:
    """A Bitcoin address: Base58Check's double SHA-256, or Bech32 and Bech32m's checksum (BIP 173, BIP 350)."""
    if address.startswith("bc1"):
        return _bech32(address)
    number = 0
    for character in address:
        number = number * 58 + _BASE58.index(character)
    if number >= 1 << 200:
        return False
    raw = number.to_bytes(25, "big")
    return sha256(sha256(raw[:21]).digest()).digest()[:4] == raw[21:]


def _bech32(address: str) -> bool:
    values = [3, 3, 0, 2, 3, *map(_BECH32.index, address[3:])]
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            checksum ^= generator if top >> bit & 1 else 0
    return checksum in {1, 0x2BC830A3}
