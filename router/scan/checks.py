"""Does this number's check hold? python-stdnum's validators by name, and the few it lacks."""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from importlib import import_module
from typing import Final

Check = Callable[[str], bool]

_DOUBLED: Final = str.maketrans("0123456789", "0246813579")
"""A digit doubled, and the digits of that added up."""

_NEVER_ISSUED: Final = {"078051120", "219099999", "457555462"}
"""Social security numbers that were printed in advertisements."""


@cache
def stdnum(name: str) -> Check:
    """Return `stdnum.NAME.is_valid`; imported at the first candidate that needs it."""
    check: Check = import_module(f"stdnum.{name}").is_valid
    return check


def luhn(digits: str) -> bool:
    """ISO/IEC 7812-1 annex B."""
    total = sum(map(int, digits[-1::-2])) + sum(map(int, digits[-2::-2].translate(_DOUBLED)))
    return total % 10 == 0


def us_ssn(digits: str) -> bool:
    """Whether the Social Security Administration could have issued it: area, group and serial (there is no check digit)."""
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    issued = area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"
    return issued and digits not in _NEVER_ISSUED


def us_itin(digits: str) -> bool:
    """An Individual Taxpayer Identification Number: 9XX and a group the IRS gives to ITINs."""
    return (
        digits[0] == "9"
        and (50 <= int(digits[3:5]) <= 65 or 70 <= int(digits[3:5]) <= 99)
        and digits[3:5] not in {"89", "93"}
    )


def us_npi(digits: str) -> bool:
    """National Provider Identifier: Luhn over the card-issuer prefix 80840."""
    return digits[0] in "12" and luhn("80840" + digits)


def au_medicare(digits: str) -> bool:
    """Australian Medicare card: first digit 2 to 6, weighted sum of eight digits modulo 10."""
    weights = (1, 3, 7, 9, 1, 3, 7, 9)
    total = sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=False))
    return digits[0] in "23456" and total % 10 == int(digits[8])


def de_lanr(digits: str) -> bool:
    """German physician number: six digits, a check digit (weights 4 and 9), a specialty."""
    total = sum((4, 9)[index % 2] * int(digit) for index, digit in enumerate(digits[:6]))
    return (10 - total % 10) % 10 == int(digits[6])


def de_health_insurance(number: str) -> bool:
    """German health insurance number (KVNR): the letter as two digits, alternating weights 1 and 2, digit sums."""
    digits = f"{ord(number[0]) - 64:02d}{number[1:9]}"
    total = sum(sum(divmod(int(digit) * (1 + index % 2), 10)) for index, digit in enumerate(digits))
    return total % 10 == int(number[9])


def de_social_security(number: str) -> bool:
    """German pension insurance number: birth date inside, weighted digit sums."""
    digits = f"{number[:8]}{ord(number[8]) - 64:02d}{number[9:11]}"
    weights = (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)
    total = sum(sum(divmod(weight * int(digit), 10)) for weight, digit in zip(weights, digits, strict=True))
    return total % 10 == int(number[11]) and 1 <= int(number[4:6]) <= 12


def icao_9303(number: str) -> bool:
    """A document number whose last digit is ICAO 9303's check digit (German identity cards and passports)."""
    values = [int(character, 36) for character in number[:-1]]
    return number[-1].isdigit() and sum((7, 3, 1)[i % 3] * value for i, value in enumerate(values)) % 10 == int(
        number[-1]
    )


def sg_nric(number: str) -> bool:
    """Singapore NRIC or FIN: seven weighted digits and a check letter, by series."""
    total = sum(weight * int(digit) for weight, digit in zip((2, 7, 6, 5, 4, 3, 2), number[1:8], strict=True))
    total += {"T": 4, "G": 4, "M": 3}.get(number[0], 0)
    letters = {"S": "JZIHGFEDCBA", "T": "JZIHGFEDCBA", "F": "XWUTRQPNMLK", "G": "XWUTRQPNMLK", "M": "XWUTRQPNJLK"}
    index = total % 11 if number[0] != "M" else 10 - total % 11
    return letters[number[0]][index] == number[8]


def kr_rrn(digits: str) -> bool:
    """Korean resident registration number: a date and a century digit; its check digit was given up in 2020."""
    return 1 <= int(digits[2:4]) <= 12 and 1 <= int(digits[4:6]) <= 31 and digits[6] in "123490"


def kr_frn(digits: str) -> bool:
    """Korean foreigner registration number: as a resident's, with the century digits 5 to 8."""
    return 1 <= int(digits[2:4]) <= 12 and 1 <= int(digits[4:6]) <= 31 and digits[6] in "5678"


def fi_hetu(number: str) -> bool:
    """Finnish personal identity code: a date, a century sign (those of 2023 too), modulo 31."""
    letters = "0123456789ABCDEFHJKLMNPRSTUVWXY"
    dated = 1 <= int(number[:2]) <= 31 and 1 <= int(number[2:4]) <= 12
    return dated and number[7:10] not in {"000", "001"} and letters[int(number[:6] + number[7:10]) % 31] == number[10]


def us_dea(number: str) -> bool:
    """DEA registration of a US prescriber: seven digits, the last from the sums of the odd and the even places."""
    first = [int(digit) for digit in number[2:8]]
    return (sum(first[0::2]) + 2 * sum(first[1::2])) % 10 == int(number[8])


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
