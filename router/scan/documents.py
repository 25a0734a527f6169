"""Which identifiers of letters and digits stand here: national, tax and health numbers, bank accounts, wallets?

One alternation finds words of the right shapes; each is then held against the schemes with that shape.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from router.scan import checks
from router.scan.checks import Check
from router.scan.text import Hit, View, pattern


@dataclass(frozen=True, slots=True)
class Document:
    """An identifier with letters: its shape (upper case, separators removed), check, cue, and what a hit proves without the cue."""

    entity: str
    shape: str
    check: Check | str | None
    cue: str
    score: float
    category: str = "pii"


DOCUMENTS: Final = (
    Document(
        "US_MBI",
        r"[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d[AC-HJKMNP-RT-Y]{2}\d\d",
        None,
        "medicare|mbi|patient",
        0.6,
    ),
    Document(
        "UK_NINO",
        r"(?!BG|GB|NK|KN|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z]\d{6}[A-D]",
        None,
        r"nino\b|national insurance|\bni\b",
        0.7,
    ),
    Document(
        "UK_DRIVING_LICENCE",
        r"(?=[A-Z]{1,5}9{0,4})[A-Z9]{5}\d(?:[05][1-9]|[16][0-2])(?:0[1-9]|[12]\d|3[01])\d[A-Z9]{2}\w[A-Z]{2}",
        None,
        "driv|licen[cs]e",
        0.85,
    ),
    Document("ES_NIF", r"\d{8}[A-Z]", "es.dni", r"\bnif\b|\bdni\b|spanish", 0.8),
    Document("ES_NIE", r"[XYZ]\d{7}[A-Z]", "es.nie", r"\bnie\b|extranjero", 0.8),
    Document(
        "IT_FISCAL_CODE",
        r"[A-Z]{6}[0-9LMNP-V]{2}[ABCDEHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]",
        None,
        "codice|fiscal",
        0.85,
    ),
    Document(
        "DE_SOCIAL_SECURITY",
        r"\d{8}[A-Z]\d{3}",
        checks.de_social_security,
        "rvnr|sozial|rentenv|versicherungsnummer",
        0.8,
    ),
    Document("DE_HEALTH_INSURANCE", r"[A-Z]\d{9}", checks.de_health_insurance, "kvnr|krankenkasse|versicher", 0.7),
    Document(
        "DE_ID_CARD",
        r"[CFGHJKLMNPRTVWXYZ][0-9CFGHJKLMNPRTVWXYZ]{7}\d",
        checks.icao_9303,
        "ausweis|identity card|id card|reisepass|pass",
        0.6,
    ),
    Document(
        "DE_PASSPORT", r"[CFGHJK][0-9CFGHJKLMNPRTVWXYZ]{7}\d", checks.icao_9303, "reisepass|passport|pass-nr", 0.6
    ),
    Document("MEDICAL_LICENSE", r"[ABCDEFGHJKLMPRSTUX][A-Z9]\d{7}", checks.us_dea, "dea|prescriber|license", 0.6),
    Document("SG_NRIC_FIN", r"[STFGM]\d{7}[A-Z]", checks.sg_nric, r"nric|\bfin\b|singapore", 0.85),
    Document("IN_PAN", r"[A-Z]{3}[ABCFGHLJPT][A-Z]\d{4}[A-Z]", None, r"\bpan\b|permanent account", 0.7),
    Document("IN_GSTIN", r"(?:0[1-9]|[12]\d|3[0-8])[A-Z]{5}\d{4}[A-Z][1-9A-Z]Z[0-9A-Z]", None, "gst", 0.6),
    Document("MX_CURP", r"[A-Z]{4}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d", "mx.curp", "curp", 0.95),
    Document("CN_RESIDENT_ID", r"\d{17}X", "cn.ric", "resident|chinese", 0.95),
    Document("IE_PPS", r"\d{7}[A-W][A-IW]?", "ie.pps", r"\bpps", 0.5),
    Document("TW_NATIONAL_ID", r"[A-Z][12]\d{8}", None, "taiwan", 0.4),
    Document(
        "FI_PERSONAL_IDENTITY_CODE", r"\d{6}[+\-ABCDEFUVWXY]\d{3}[0-9A-Z]", checks.fi_hetu, "henkil|hetu|finnish", 0.9
    ),
    Document("DE_VAT_ID", r"DE\d{9}", "de.vat", "ust|vat", 0.4),
)
_PRESENT = pattern(
    # By what comes first: letters then digits, digits then a letter, and the three that alternate.
    rb"(?i)\b(?:"
    rb"[a-z]{2}[ \-]?[0-9]{2}[ \-]?[0-9]{2}[ \-]?[0-9]{2}[ \-]?[a-d]"  # UK_NINO
    rb"|[a-z]{1,3}-?[0-9]{3}[ \-.]?[0-9]{3}[ \-.]?[0-9]{1,3}[a-z]?"  # one to three letters, seven to nine digits
    rb"|[0-9]{8}-?[a-z](?:[0-9]{3})?|[0-9]{2} ?[0-9]{6} ?[a-z] ?[0-9]{3}|[0-9]{7}[a-w][a-w]?|[xyz]-?[0-9]{7}-?[a-z]"
    rb"|[0-9]{17}x"
    rb"|[0-9]{6}[\-+a-y][0-9]{3}[0-9a-y]"  # FI
    rb"|[cfghj-nprtv-z][0-9cfghj-nprtv-z]{7}[0-9]"  # ICAO document numbers
    rb"|[0-9][a-z][a-z0-9][0-9]-?[a-z][a-z0-9][0-9]-?[a-z]{2}[0-9]{2}"  # US_MBI
    rb"|[0-9]{2}[a-z]{5}[0-9]{4}[a-z0-9]{4}|[a-z]{5}[0-9]{4}[a-z]"  # IN_GSTIN, IN_PAN
    rb"|[a-z9]{5}[0-9]{6}[a-z0-9]{5}|[a-z]{4}[0-9]{6}[a-z]{6}[0-9a-z][0-9]"  # UK_DRIVING_LICENCE, MX_CURP
    rb"|[a-z]{6} ?[0-9lmnp-v]{2} ?[a-z][0-9lmnp-v]{2} ?[a-z][0-9lmnp-v]{3} ?[a-z])\b",  # IT_FISCAL_CODE
    longest=True,
)
_WORD = re.compile(rb"[A-Za-z0-9]+")
_MOST_WORDS: Final = 5
_BEYOND: Final = 8


@cache
def _shapes() -> tuple[tuple[Document, re.Pattern[str], re.Pattern[bytes]], ...]:
    """Return the schemes with their patterns, compiled at the first candidate."""
    return tuple((row, re.compile(row.shape), re.compile(row.cue.encode())) for row in DOCUMENTS)


def find_documents(view: View) -> Iterator[Hit]:
    """Yield identifiers of letters and digits."""
    for found in _PRESENT.finditer(view.data):
        # A little beyond the match: the word before an identifier may have been taken for its beginning.
        region = view.data[found.start() : found.end() + _BEYOND]
        words = [(word.start() + found.start(), word.end() + found.start()) for word in _WORD.finditer(region)]
        for first in range(len(words)):
            for last in range(first, min(first + _MOST_WORDS, len(words))):
                yield from _identifiers(view, words[first][0], words[last][1])


def _identifiers(view: View, start: int, end: int) -> Iterator[Hit]:
    raw = view.data[start:end].decode().upper()
    compact = raw.replace(" ", "").replace("-", "")
    if not 8 <= len(compact) <= 18 or sum(map(str.isdigit, compact)) < 3 or not view.stands_alone(start, end):
        return
    for document, shape, cue in _shapes():
        written = raw if shape.fullmatch(raw) else compact
        if shape.fullmatch(written) and _checked(document, written):
            cued = cue.search(view.before(start)) or cue.search(view.after(end))
            yield Hit(
                start, end, document.entity, document.category, 0.95 if cued else document.score, "shape_and_check"
            )


def _checked(document: Document, number: str) -> bool:
    if document.check is None:
        return True
    return checks.stdnum(document.check)(number) if isinstance(document.check, str) else document.check(number)


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
    for found in _IBAN.finditer(view.data):
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
    for found in _WALLET.finditer(view.data):
        address = found.group().decode()
        if address.startswith("0x"):
            yield Hit(found.start(), found.end(), "CRYPTO", "payment", 0.5, "shape")
        elif checks.bitcoin(address):
            yield Hit(found.start(), found.end(), "CRYPTO", "payment", 0.95, "check_digit")
