"""Which all-digit identifiers stand here? Digit groups are found in one pass, then held against each scheme's shape and check.

A score says how much a hit proves. A structured or long number whose check holds is near certain. A bare run of nine to eleven digits with
one check digit passes by chance one time in ten: without a word that says what it is, it is listed and raises nothing, unless it is
written in its customary groups or stands alone in the text (then nothing speaks against it, and erring towards private is safe).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from router.scan import checks
from router.scan.checks import Check
from router.scan.text import Hit, View, pattern

_RUN = pattern(rb"[0-9](?:[ \-./:_]?[0-9]){6,}")
_GROUP = re.compile(rb"[0-9]+")
_CARD_GROUPS: Final = {
    *((length,) for length in range(12, 20)),
    *((4, 4, 4, 4), (4, 6, 5), (4, 6, 4), (4, 4, 4, 4, 3), (4, 4, 4, 4, 2), (4, 4, 4, 1), (6, 13), (4, 5, 6)),
}

_OTHERWISE = re.compile(
    rb"(?:order|invoice|ticket|tracking|parcel|case|build|version|sku|part|isbn|issn|serial|issue"
    rb"|commit|model|item|article|amount|total|sum"
    rb"|calculate|compute|divide|multiply|times|plus|minus|price|cost|population|pages?|doi|pmid"
    rb"|port|revision|batch|[$\xa3]|=|\+|\*)"
    rb"(?: (?:no|number|id|num|of|by|is|was))?[ .:#]{0,3}$"
)
"""Words that say a bare number is something else."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """An identifier of digits: the groups it is written in, its check, the words that announce it, and what a hit proves.

    `grouped` and `bare` are the scores without such a word. A scheme is `sure` when its check or its structure rarely holds by chance.
    """

    entity: str
    groups: tuple[tuple[int, ...], ...]
    check: Check | str
    cue: str
    bare: float = 0.4
    grouped: float = 0.6
    category: str = "pii"

    @property
    def length(self) -> int:
        """How many digits."""
        return sum(self.groups[0])

    @property
    def sure(self) -> bool:
        """Whether words that say otherwise can be ignored."""
        return self.bare >= 0.8

    def holds(self, digits: str) -> bool:
        """Whether the scheme's check holds. All-equal digits are nobody's number."""
        check = checks.stdnum(self.check) if isinstance(self.check, str) else self.check
        return len(set(digits)) > 1 and check(digits)


_ID = "id|identity|national"
SCHEMES: Final = (
    Scheme("US_SSN", ((3, 2, 4), (3, 6), (5, 4)), checks.us_ssn, r"ssn|social|soc\.? ?sec", grouped=0.85),
    Scheme("US_ITIN", ((3, 2, 4), (3, 6), (5, 4)), checks.us_itin, "itin|taxpayer|tax id", grouped=0.8),
    Scheme("ABA_ROUTING_NUMBER", ((4, 4, 1),), "us.rtn", "routing|aba|rtn|bank", category="payment"),
    Scheme("US_NPI", ((3, 3, 4), (4, 3, 3)), checks.us_npi, "npi|provider"),
    Scheme("CA_SIN", ((3, 3, 3),), "ca.sin", r"\bsin\b|social insurance|nas\b"),
    Scheme("UK_NHS", ((3, 3, 4),), "gb.nhs", "nhs|health service|patient"),
    Scheme("AU_TFN", ((3, 3, 3),), "au.tfn", "tfn|tax file"),
    Scheme("AU_MEDICARE", ((4, 5, 1),), checks.au_medicare, "medicare"),
    Scheme("AU_ABN", ((2, 3, 3, 3),), "au.abn", "abn|business number", bare=0.3, grouped=0.4),
    Scheme("AU_ACN", ((3, 3, 3),), "au.acn", "acn|company number", bare=0.3, grouped=0.4),
    Scheme("IN_AADHAAR", ((4, 4, 4),), "in_.aadhaar", "aadha+r|uidai", bare=0.6, grouped=0.9),
    Scheme("PL_PESEL", ((11,),), "pl.pesel", "pesel", bare=0.6),
    Scheme("TR_NATIONAL_ID", ((11,),), "tr.tckimlik", "tckn|t\\.?c\\.? ?kimlik|kimlik|turkish", bare=0.6),
    Scheme("DE_TAX_ID", ((2, 3, 3, 3),), "de.idnr", "idnr|steuer|tax"),
    Scheme("DE_LANR", ((9,),), checks.de_lanr, "lanr|arztnummer", bare=0.3, grouped=0.3),
    Scheme("TH_TNIN", ((1, 4, 5, 2, 1),), "th.pin", f"thai|{_ID}", bare=0.6, grouped=0.9),
    Scheme("ZA_ID_NUMBER", ((6, 4, 2, 1),), "za.idnr", f"south africa|rsa|sa id|{_ID}", bare=0.8, grouped=0.9),
    Scheme("KR_RRN", ((6, 7),), checks.kr_rrn, "rrn|korean|resident", grouped=0.85),
    Scheme("KR_FRN", ((6, 7),), checks.kr_frn, "frn|foreigner|alien|korean", grouped=0.85),
    Scheme("KR_BRN", ((3, 2, 5),), "kr.brn", "brn|business", bare=0.3, grouped=0.5),
    Scheme("SE_PERSONNUMMER", ((6, 4),), "se.personnummer", "personnummer|pnr|swedish", grouped=0.85),
    Scheme("SE_PERSONNUMMER", ((8, 4),), "se.personnummer", "personnummer|pnr|swedish", bare=0.8, grouped=0.9),
    Scheme("SE_ORGANISATIONSNUMMER", ((6, 4),), "se.orgnr", "orgnr|organisationsnummer|company", bare=0.3, grouped=0.4),
    Scheme("NO_FODSELSNUMMER", ((6, 5),), "no.fodselsnummer", "f.{1,2}dselsnummer|norwegian", bare=0.8, grouped=0.9),
    Scheme("DK_CPR", ((6, 4),), "dk.cpr", "cpr|danish"),
    Scheme("NL_BSN", ((4, 2, 3), (4, 3, 2)), "nl.bsn", "bsn|burgerservice|sofi"),
    Scheme(
        "BE_NATIONAL_NUMBER",
        ((6, 3, 2), (2, 2, 2, 3, 2)),
        "be.nn",
        "rijksregister|registre national|belgian",
        bare=0.8,
        grouped=0.9,
    ),
    Scheme("BR_CPF", ((3, 3, 3, 2),), "br.cpf", "cpf", bare=0.5, grouped=0.9),
    Scheme("FR_NIR", ((1, 2, 2, 2, 3, 3, 2), (13, 2)), "fr.nir", "nir|s.curit. sociale|insee", bare=0.9, grouped=0.95),
    Scheme("CH_AHV", ((3, 4, 4, 2),), "ch.ssn", "ahv|avs|swiss", bare=0.9, grouped=0.95),
    Scheme("CN_RESIDENT_ID", ((18,), (6, 8, 4)), "cn.ric", "resident|chinese|id", bare=0.95, grouped=0.95),
    Scheme("IL_ID", ((9,),), "il.idnr", "israeli|teudat", bare=0.3, grouped=0.3),
    Scheme("HR_OIB", ((11,),), "hr.oib", "oib|croatian"),
    Scheme("CZ_BIRTH_NUMBER", ((6, 4),), "cz.rc", "rodn|czech", grouped=0.7),
    Scheme("RO_CNP", ((13,),), "ro.cnp", "cnp|romanian", bare=0.8),
    Scheme("BG_EGN", ((10,),), "bg.egn", "egn|bulgarian", bare=0.4),
    Scheme("EE_LT_PERSONAL_CODE", ((11,),), "ee.ik", "isikukood|asmens|estonian|lithuanian", bare=0.6),
    Scheme("PT_NIF", ((3, 3, 3),), "pt.nif", "nif|contribuinte", grouped=0.5),
    Scheme("AR_CUIT", ((2, 8, 1),), "ar.cuit", "cui[tl]", bare=0.5, grouped=0.85),
    Scheme("IMEI", ((2, 6, 6, 1), (15,)), "imei", "imei", bare=0.4, grouped=0.5),
)


@dataclass(frozen=True, slots=True)
class _Row:
    scheme: Scheme
    cue: re.Pattern[bytes]


def _by_groups() -> dict[tuple[int, ...], list[_Row]]:
    """Index the schemes by the groups they may be written in; the bare form is one group."""
    table: dict[tuple[int, ...], list[_Row]] = {}
    for scheme in SCHEMES:
        row = _Row(scheme, re.compile(scheme.cue.encode()))
        for groups in {*scheme.groups, (scheme.length,)}:
            table.setdefault(groups, []).append(row)
    return table


_TABLE: Final = _by_groups()
_WRITTEN: Final = frozenset(_TABLE) | _CARD_GROUPS
_BEGINNINGS: Final = frozenset(groups[:end] for groups in _WRITTEN for end in range(1, len(groups) + 1))
"""What a run's groups must begin with to become an identifier: most runs are given up at their first group."""
_CARD_CUE = re.compile(rb"card|visa|master ?card|amex|credit|debit|pan\b|pay")


def find_numbers(view: View) -> Iterator[Hit]:
    """Yield the identifiers made of digits."""
    for run in _RUN.finditer(view.data):
        origin = run.start()
        spans = [(origin + group.start(), origin + group.end()) for group in _GROUP.finditer(run.group())]
        lengths = tuple(end - start for start, end in spans)
        for first in range(len(spans)):
            last = first
            while lengths[first : last + 1] in _BEGINNINGS:
                last += 1
                if lengths[first:last] in _WRITTEN:
                    yield from _identifiers(view, lengths[first:last], spans[first:last])
                if last == len(spans):
                    break
        if len(spans) > 1:
            yield from _card(view, spans)


def _identifiers(view: View, groups: tuple[int, ...], spans: list[tuple[int, int]]) -> Iterator[Hit]:
    """Yield what these neighbouring groups are together."""
    start, end = spans[0][0], spans[-1][1]
    if not view.stands_alone(start, end) or _decimal(view, spans):
        return
    if groups in _CARD_GROUPS:
        yield from _card(view, spans)
    digits = b"".join(view.data[begin:stop] for begin, stop in spans).decode()
    for row in _TABLE.get(groups, ()):
        if row.scheme.holds(digits):
            score = _score(view, row, start, end, grouped=len(groups) > 1)
            yield Hit(start, end, row.scheme.entity, row.scheme.category, score, "check_digit")


def _decimal(view: View, spans: list[tuple[int, int]]) -> bool:
    """Whether two groups around a point are a decimal number rather than an identifier."""
    return len(spans) == 2 and view.data[spans[0][1] : spans[1][0]] in {b".", b":", b"/"}


def _score(view: View, row: _Row, start: int, end: int, *, grouped: bool) -> float:
    scheme, before = row.scheme, view.before(start)
    if row.cue.search(before) or row.cue.search(view.after(end)):
        return 0.95
    score = scheme.grouped if grouped else scheme.bare
    if scheme.sure:
        return score
    if _OTHERWISE.search(before):
        return min(score, 0.3)
    # Only a short text can be nothing but a number; stripping megabytes at each hit would be quadratic.
    alone = len(view.data) <= 2 * (end - start) and end - start == len(view.data.strip())
    return max(score, 0.6) if alone and score >= 0.4 else score


def _card(view: View, spans: list[tuple[int, int]]) -> Iterator[Hit]:
    """Yield a payment card. Whatever the groups: a run of 12 to 19 digits in all, spaced or dashed as the writer liked."""
    start, end = spans[0][0], spans[-1][1]
    if (
        end - start > 60
        or not 12 <= sum(stop - begin for begin, stop in spans) <= 19
        or not view.stands_alone(start, end)
    ):
        return
    between = {view.data[left[1] : right[0]] for left, right in pairwise(spans)}
    if not between <= {b" ", b"-", b".", b"_"} or len(between) > 1:
        return
    digits = b"".join(view.data[begin:stop] for begin, stop in spans).decode()
    if checks.card(digits):
        likely = len(digits) >= 13 and digits[0] != "1"
        cued = _CARD_CUE.search(view.before(start)) is not None
        yield Hit(start, end, "CREDIT_CARD", "payment", 1.0 if cued else 0.9 if likely else 0.6, "luhn")
