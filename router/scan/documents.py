"""Which identifiers of letters and digits stand here: national, tax and health numbers, plates, bank accounts, wallets?

The table is in `papers`. Each scheme is one small pattern, so that the pass over the triggers says which need looking for at all.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from router.scan import cards, checks
from router.scan.papers import PAPERS, Paper
from router.scan.text import Detector, Family, Hit, View, pattern


def _find(paper: Paper, source: Any, cue: Any, view: View) -> Iterator[Hit]:
    """Yield one scheme's identifiers."""
    for found in view.each(source):
        start, end = found.span()
        number = found.group().translate(None, b" -.").upper().decode()
        if paper.check is None or checks.holds(paper.check, number):
            if cue.search(view.before(start) + b"\n" + view.after(end)):
                score = paper.cued
            else:
                score = paper.alone if view.fills_its_line(start, end) else paper.plain
            yield Hit(start, end, paper.entity, paper.category, score, "shape_and_check" if paper.check else "shape")


def _detector(paper: Paper) -> Detector:
    written = rf"\b{paper.written.upper()}\b" if paper.capitals else rf"(?i)\b{paper.written}\b"
    return Detector(partial(_find, paper, pattern(written), pattern(paper.cue)), written.encode())


_IBAN = pattern(rb"(?i)\b[a-z]{2}[0-9]{2}(?:[ \-]?[a-z0-9]){11,32}")
_IBAN_LENGTHS: Final = {
    country: int(length)
    for row in (
        (
            "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27"
            " DK18 DO28 EE20 EG29 ES24 FI18 FK18 FO18"
        ),
        (
            "FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20"
            " LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27"
        ),
        (
            "MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22"
            " RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27"
        ),
        "SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30",
    )
    for entry in row.split()
    for country, length in ((entry[:2], entry[2:]),)
}
"""Lengths by country: the SWIFT IBAN registry."""


def find_ibans(view: View) -> Iterator[Hit]:
    """Yield IBANs: the country's length and ISO 7064's MOD 97-10."""
    for found in view.each(_IBAN):
        candidate = found.group().decode().upper()
        length = _IBAN_LENGTHS.get(candidate[:2])
        if length is None:
            continue
        positions = [index for index, character in enumerate(candidate) if character.isalnum()]
        number = "".join(candidate[index] for index in positions[:length])
        end = found.start() + positions[min(length, len(positions)) - 1] + 1
        if len(number) == length and _mod_97(number) and view.stands_alone(found.start(), end):
            yield Hit(found.start(), end, "IBAN_CODE", "payment", 1.0, "iban")


def _mod_97(number: str) -> bool:
    return int("".join(str(int(character, 36)) for character in number[4:] + number[:4])) % 97 == 1


_WALLET = pattern(rb"\b(?:bc1[02-9ac-hj-np-z]{11,71}|[13][1-9A-HJ-NP-Za-km-z]{25,34}|0x[0-9a-fA-F]{40})\b")


def find_wallets(view: View) -> Iterator[Hit]:
    """Yield Bitcoin addresses whose check holds, and Ethereum's by shape."""
    for found in view.each(_WALLET):
        address = found.group().decode()
        if address.startswith("0x"):
            yield Hit(found.start(), found.end(), "CRYPTO", "payment", 0.5, "shape")
        elif cards.bitcoin(address):
            yield Hit(found.start(), found.end(), "CRYPTO", "payment", 0.95, "check_digit")


FAMILY: Final = Family(
    (
        *map(_detector, PAPERS),
        Detector(find_ibans, rb"(?i)\b[a-z]{2}[0-9]{2}[ \-]?[a-z0-9]{4}"),
        Detector(find_wallets, rb"\b(?:bc1|[13]|0x)[0-9A-Za-z]{25}"),
    )
)
