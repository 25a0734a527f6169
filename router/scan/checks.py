"""Does this number's check hold? python-stdnum's validators by name, and the few it lacks."""

from collections.abc import Callable
from functools import cache
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


def holds(check: Check | str, number: str) -> bool:
    """Whether a check holds: a function, or the name of one of python-stdnum's modules."""
    return stdnum(check)(number) if isinstance(check, str) else check(number)


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
    return digits[0] in "12" and len(set(digits)) > 2 and luhn("80840" + digits)


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
    return 1 <= int(digits[2:4]) <= 12 and 1 <= int(digits[4:6]) <= 31 and digits[6] in "1234"


def kr_frn(digits: str) -> bool:
    """Korean foreigner registration number: as a resident's, with the century digits 5 to 8."""
    return 1 <= int(digits[2:4]) <= 12 and 1 <= int(digits[4:6]) <= 31 and digits[6] in "5678"


def fi_hetu(number: str) -> bool:
    """Finnish personal identity code: a date, a century sign (those of 2023 too; a dash may be left out), modulo 31."""
    date, individual, check = number[:6], number[-4:-1], number[-1]
    if not (date + individual).isdigit():
        return False
    dated = 1 <= int(date[:2]) <= 31 and 1 <= int(date[2:4]) <= 12
    return (
        dated
        and individual not in {"000", "001"}
        and "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(date + individual) % 31] == check
    )


def us_dea(number: str) -> bool:
    """DEA registration of a US prescriber: seven digits, the last from the sums of the odd and the even places."""
    first = [int(digit) for digit in number[2:8]]
    return (sum(first[0::2]) + 2 * sum(first[1::2])) % 10 == int(number[8])


def uk_nino(number: str) -> bool:
    """A UK National Insurance number: some prefixes are never given."""
    return number[:2] not in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}


def uk_driving_licence(number: str) -> bool:
    """A UK driver number: five letters of the surname, filled up with nines."""
    name = number[:5].rstrip("9")
    return bool(name) and "9" not in name


_IN_STATES: Final = frozenset(
    "AN AP AR AS BH BR CG CH DD DL DN GA GJ HP HR JH JK KA KL LA LD MH ML MN MP MZ NL OD OR PB PY RJ SK TN TR TS UA UK UP WB".split()  # noqa: SIM905
)


def es_passport(number: str) -> bool:
    """A Spanish passport's three letters are no entry in the German commercial register."""
    return number[:3] not in {"HRA", "HRB"}


def in_vehicle(number: str) -> bool:
    """An Indian registration mark: a state's or territory's code (or the BH series), and a number that is not 0000."""
    return (number[:2] in _IN_STATES or number[2:4] == "BH") and not number.endswith("0000")


def tw_national_id(number: str) -> bool:
    """Taiwan's identity number: the letter as two digits, weights 1, 9 to 1, 1."""
    first = "ABCDEFGHJKLMNPQRSTUVXYWZIO".index(number[0]) + 10
    total = first // 10 + first % 10 * 9
    total += sum(weight * int(digit) for weight, digit in zip((8, 7, 6, 5, 4, 3, 2, 1, 1), number[1:], strict=True))
    return total % 10 == 0


_VIN_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)
_VIN_VALUES: Final = dict(
    zip("0123456789ABCDEFGHJKLMNPRSTUVWXYZ", map(int, "012345678912345678123457923456789"), strict=True)
)


def vin(number: str) -> bool:
    """A vehicle identification number with the check digit of 49 CFR 565 (North America)."""
    total = sum(weight * _VIN_VALUES[character] for weight, character in zip(_VIN_WEIGHTS, number, strict=True))
    return "0123456789X"[total % 11] == number[8] and not number.isdigit() and len(set(number)) > 4


def de_tax_id(digits: str) -> bool:
    """German tax identification number: ISO 7064 MOD 11,10, and no leading zero."""
    if len(set(digits[:10])) < 8:  # One digit comes twice or thrice; examples in print have all ten.
        return False
    product = 10
    for digit in digits[:10]:
        total = (int(digit) + product) % 10 or 10
        product = 2 * total % 11
    return digits[0] != "0" and (11 - product) % 10 == int(digits[10])


def de_bsnr(digits: str) -> bool:
    """German practice number: the first two digits name a regional association of physicians, or the hospitals' 35."""
    return digits[:2] in _KV_REGIONS and len(set(digits)) > 2


_KV_REGIONS: Final = frozenset("01 02 03 17 20 35 38 46 51 52 71 72 73 74 78 83 88 93 98".split())  # noqa: SIM905


def kr_brn(digits: str) -> bool:
    """Korean business registration number: weights 1, 3, 7 and a carry from the ninth digit."""
    total = sum(weight * int(digit) for weight, digit in zip((1, 3, 7, 1, 3, 7, 1, 3, 5), digits[:9], strict=True))
    return (10 - (total + int(digits[8]) * 5 // 10) % 10) % 10 == int(digits[9])


def kr_driver_license(digits: str) -> bool:
    """Korean driving licence: the region that issued it, 11 to 28."""
    return 11 <= int(digits[:2]) <= 28


def ph_tin(digits: str) -> bool:
    """Philippine taxpayer number: eight weighted digits modulo 11; a branch code may follow."""
    total = sum(weight * int(digit) for weight, digit in zip(range(9, 1, -1), digits[:8], strict=True))
    return total % 11 == int(digits[8])


def ca_sin(digits: str) -> bool:
    """Canadian social insurance number: Luhn; none begins with 0 or 8."""
    return digits[0] not in "08" and luhn(digits)


def dk_cpr(digits: str) -> bool:
    """Danish personal number: a date. Its modulo 11 was given up in 2007."""
    return 1 <= int(digits[:2]) <= 31 and 1 <= int(digits[2:4]) <= 12


def th_tnin(digits: str) -> bool:
    """Thai identity number: a kind, a province of one of the country's regions, modulo 11."""
    total = sum((13 - place) * int(digit) for place, digit in enumerate(digits[:12]))
    return digits[0] in "12345678" and _thai_province(digits[1:3]) and (11 - total % 11) % 10 == int(digits[12])


def _thai_province(code: str) -> bool:
    region, place = int(code[0]), int(code[1])
    return {1: 9, 2: 7, 3: 9, 4: 9, 5: 8, 6: 7, 7: 7, 8: 6, 9: 6}.get(region, -1) >= place


def za_id(digits: str) -> bool:
    """South African identity number: a date, a citizenship digit, Luhn."""
    dated = 1 <= int(digits[2:4]) <= 12 and 1 <= int(digits[4:6]) <= 31
    return dated and digits[10] in "012" and luhn(digits)


def za_vat(digits: str) -> bool:
    """South African VAT number: begins with 4."""
    return digits[0] == "4"


def ng_nin(digits: str) -> bool:
    """Nigerian identification number: Verhoeff."""
    check: Check = import_module("stdnum.verhoeff").is_valid
    return check(digits)


def any_digits(digits: str) -> bool:
    """No check: the number is told by its groups and the words around it."""
    return digits.isdigit()
