"""Who is named here, and what belongs to them: names behind a cue, dates of birth, document and account numbers behind a cue?

A first version: it reads only names that something announces. A name in plain prose may be a public person's: that is left to the
deep scan.
"""

import re
from collections.abc import Iterator
from typing import Final

from router.scan.text import Hit, View, pattern

_NAME = r"[A-Z\xc3-\xdf\xe1-\xf4][A-Za-z\x80-\xff'\-]{1,30}"
_FULL = rf"{_NAME}(?: (?:[A-Z]\.|van|von|der|de|da|di|del|la|bin|al|el|O'))?(?: {_NAME}){{0,3}}"
_BOTH = rf"{_NAME}(?: (?:[A-Z]\.|van|von|der|de|da|di|del|la|bin|al|el))?(?: {_NAME}){{1,3}}"
_INTRODUCED = pattern(
    rf"\b(?:(?i:my (?:full |legal |maiden |middle |last |first )?name(?:'s| is|:)|(?:his|her|their"
    rf"|patient|customer|client|employee|applicant)'?s? name(?:'s| is|:)"
    rf"|(?:they|you can|people) call me|this is|signed,?|sincerely,?|regards,?|full name:?|patient name:?"
    rf"|name:|i'm called|account holder:?|cardholder:?"
    rf"|under the name(?: of)?|in the name of|registered to|on behalf of)) {{1,2}}({_FULL})"
)
_ROLE = pattern(
    rf"\b(?:[Pp]atient|employee|client|customer|applicant|tenant|claimant|plaintiff|defendant|candidate"
    rf"|[Mm]y (?:\w{{1,12}} )?(?:wife|husband|son|daughter|mother"
    rf"|father|mom|mum|dad|brother|sister|boss|manager|colleague|coworker|neighbou?r|partner|girlfriend"
    rf"|boyfriend|friend|doctor|landlord|lawyer)),? ({_FULL})"
)
_TITLED = pattern(rf"\b(?:Mr|Mrs|Ms|Miss|Mx|Dr|Herr|Frau|Señor|Sra|Monsieur|Madame|Prof)\b\.? ({_FULL})")
_SPOKEN = pattern(rf"\b(?:I am|I'm|i am|i'm|Dear|Hi|Hello),? ({_BOTH})\b")
_NO_NAME: Final = frozenset(
    b"I The This That It We You He She They A An In On At My Your Our What When Where Why How"
    b" Is Are Was Can Could Please Monday Tuesday Wednesday"
    b" Thursday Friday Saturday Sunday January February March April May June July August September"
    b" October November December English French"
    b" German Spanish American British Team All Sir Madam Everyone There World Not And But Or If So Yes No Ok".split()
)


def find_people(view: View) -> Iterator[Hit]:
    """Yield names that a cue announces: an introduction, a role, a title."""
    for source, score in ((_INTRODUCED, 0.85), (_ROLE, 0.8), (_TITLED, 0.6), (_SPOKEN, 0.6)):
        for found in source.finditer(view.data):
            name = found.group(1).removesuffix(b"'s").rstrip(b"'-")
            if name.split(b" ", 1)[0] not in _NO_NAME and not name.isupper():
                yield Hit(found.start(1), found.start(1) + len(name), "PERSON", "pii", score, "cue")


_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_DATE = (
    rf"(?:[0-9]{{1,2}}[./\- ][0-9]{{1,2}}[./\- ][0-9]{{2,4}}|[0-9]{{4}}[./\-][0-9]{{1,2}}[./\-][0-9]{{1,2}}"
    rf"|[0-9]{{1,2}}(?:st|nd|rd|th)?(?: of)? {_MONTH}\.?,? [0-9]{{4}}|{_MONTH}\.? [0-9]{{1,2}}(?:st"
    rf"|nd|rd|th)?,? [0-9]{{4}})"
)
_BORN = pattern(
    rf"(?i)\b(?:d\.?o\.?b\.?|date of birth|birth ?date|birthday|born(?: on)?|geboren(?: am)?|n[\x80-\xff]{{1,2}}e? le)(?: is"
    rf"| was|:|=)? {{0,2}}(?:on )?({_DATE})"
)


def find_births(view: View) -> Iterator[Hit]:
    """Yield dates of birth: a date and the word that makes it one."""
    for found in _BORN.finditer(view.data):
        yield Hit(found.start(1), found.end(1), "DATE_OF_BIRTH", "pii", 0.8, "cue")


_CUED: Final = {
    "US_PASSPORT": (r"passport|pasaporte|reisepass|passeport|passaporto", "pii"),
    "US_DRIVER_LICENSE": (r"driver'?s?'? licen[cs]e|driving licen[cs]e|\bdl\b", "pii"),
    "US_BANK_NUMBER": (r"(?:bank|checking|savings?|current|brokerage)? ?(?:account|acct)|sort code|konto", "payment"),
    "MEDICAL_RECORD": (
        (
            r"\bmrn\b|medical record|patient (?:id|number|no)|health (?:card|insurance|plan)|insurance (?:policy"
            r"|member)|member id"
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
    for found in _ANNOUNCED.finditer(view.data):
        value, cue = found.group(2), found.group(1).lower().strip()
        if sum(0x30 <= byte <= 0x39 for byte in value) < 4:
            continue
        for source, entity, category in _CUE_OF:
            if source.fullmatch(cue):
                yield Hit(found.start(2), found.end(2), entity, category, 0.75, "cue")
                break
