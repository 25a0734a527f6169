"""Which dates and numbers does a word make personal: a date of birth, a passport's, an account's, a record's, a badge's number?"""

import re
from collections.abc import Iterator
from typing import Final

from router.scan.text import Detector, Family, Hit, View, pattern

_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_DATE = (
    rf"(?:[0-9]{{1,2}}[./\- ][0-9]{{1,2}}[./\- ][0-9]{{2,4}}|[0-9]{{4}}[./\-][0-9]{{1,2}}[./\-][0-9]{{1,2}}"
    rf"|[0-9]{{1,2}}(?:st|nd|rd|th)?(?: of)? {_MONTH}\.?,? [0-9]{{4}}|{_MONTH}\.? [0-9]{{1,2}}(?:st"
    rf"|nd|rd|th)?,? [0-9]{{4}})"
)
_BORN = pattern(
    rf"(?i)\b(?:d\.?o\.?b\.?|date of birth|birth ?date|birthday|born(?: on)?|geboren(?: am)?|née? le|nacid[oa] el"
    rf"|fecha de nacimiento|date de naissance"
    rf"|geburtsdatum)(?: is| was| ist|:|=|[.?] (?:it's|it is))? {{0,2}}(?:on )?({_DATE})"
)


def find_births(view: View) -> Iterator[Hit]:
    """Yield dates of birth: a date and the word that makes it one."""
    for found in view.each(_BORN):
        yield Hit(found.start(1), found.end(1), "DATE_OF_BIRTH", "pii", 0.8, "cue")


_CUED: Final = {
    "US_PASSPORT": (r"passport|pasaporte|reisepass|passeport|passaporto", "pii"),
    "US_DRIVER_LICENSE": (r"driver'?s?'? licen[cs]e|driving licen[cs]e|\bdl\b", "pii"),
    "US_BANK_NUMBER": (
        r"(?:bank|checking|savings?|current|brokerage)? ?(?:account|acct)|sort code|konto(?:nummer)?|cuenta|compte|账号|账户",
        "payment",
    ),
    "MEDICAL_RECORD": (
        (
            r"\bmrn\b|medical record|patient (?:id|number|no)|health (?:card|insurance|plan)|insurance (?:policy|member)"
            r"|member id|subscriber id|\brx\b|prescription|prior auth(?:orization)?|(?:medical )?claim|referral"
        ),
        "health",
    ),
    "EMPLOYEE_ID": (r"employee (?:id|number|no)|personnel (?:id|number|no)|badge (?:id|number|no)", "employment"),
    "CASE_NUMBER": (r"docket|court case|case file", "legal"),
    "NATIONAL_ID": (
        (
            r"national id(?:entity)?|identity card|id card|ssn|social security|tax id|taxpayer id|visa number"
            r"|green card|voter id|aadhaar"
        ),
        "pii",
    ),
}
_ANNOUNCED = pattern(
    r"(?i)\b("
    + "|".join(cue.replace(r"\b", "") for cue, _ in _CUED.values())
    + (
        r")(?: (?:number|num|no\.?|id|#|card))?(?: (?:ending(?: in| with)?))?(?: is| was|:|=| #|#"
        r"|,)? {0,2}#?([A-Z0-9][A-Z0-9\-]{3,20}[A-Z0-9])\b"
    )
)
_CUE_OF: Final = tuple(
    (re.compile(cue.replace(r"\b", "").encode()), entity, category) for entity, (cue, category) in _CUED.items()
)


def find_announced(view: View) -> Iterator[Hit]:
    """Yield numbers without a check that a word announces: passport, licence, account, record, badge, docket."""
    for found in view.each(_ANNOUNCED):
        value, cue = found.group(2), found.group(1).lower().strip()
        if sum(0x30 <= byte <= 0x39 for byte in value) < 4:
            continue
        for source, entity, category in _CUE_OF:
            if source.fullmatch(cue):
                yield Hit(found.start(2), found.end(2), entity, category, 0.75, "cue")
                break


_CALENDAR = pattern(
    r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
    r"|\b(?:[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2}[-/.](?:[0-9]{4}|[0-9]{2}))\b"
    rf"|(?i)\b(?:[0-9]{{1,2}}-{_MONTH}(?:-[0-9]{{2,4}})?|{_MONTH}-[0-9]{{2,4}})\b|\b[0-9]{{1,2}}/(?:[0-9]{{4}}|[0-9]{{2}})\b"
)


def find_dates(view: View) -> Iterator[Hit]:
    """Yield other dates. A date alone is nobody's: listed, raises nothing."""
    for found in view.each(_CALENDAR):
        yield Hit(found.start(), found.end(), "DATE_TIME", "pii", 0.4, "shape")


FAMILY: Final = Family(
    (
        Detector(find_births, "(?i)birth|born|d\\.?o\\.?b|gebor|geburt|née? le|naissance|nacid|nacimiento".encode()),
        Detector(find_announced, ("(?i)" + "|".join(cue.replace(r"\b", "") for cue, _ in _CUED.values())).encode()),
        Detector(find_dates, rb"[0-9][-/.][0-9]{1,2}|[0-9]-[A-Za-z]{3}|[A-Za-z]{3}-[0-9]{2}"),
    )
)
