"""Which addresses of people and machines stand here: email, phone, IP, MAC, a personal page?"""

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from router.scan.text import Detector, Family, Hit, View, pattern

_EMAIL = pattern(
    rb"[A-Za-z\x80-\xff0-9._%+'\-]+@[A-Za-z\x80-\xff0-9\-]+(?:\.[A-Za-z\x80-\xff0-9\-]+){0,5}\.[A-Za-z\x80-\xff][A-Za-z\x80-\xff0-9\-]+"
)


def find_emails(view: View) -> Iterator[Hit]:
    """Yield email addresses."""
    for found in view.each(_EMAIL):
        yield Hit(found.start(), found.end(), "EMAIL_ADDRESS", "pii", 0.95, "shape")


_PHONE = pattern(rb"(?:\+ ?|\b00|\(\+?)?[0-9](?:[ .\-/]?[()]{0,2}[ .\-]?[0-9]){6,15}(?: ?(?:x|ext\.?) ?[0-9]{1,5})?\b")
_WORDS = pattern(
    rb"(phone|\bcall\b|mobile|mobil\b|handy|\bcell|\btel\b|t.l.phone|telefon|tel.fono|portable|\bcep\b|contact"
    rb"|whatsapp|\bfax\b|\btext\b|messages? to|answering|reach|ring me|dial|\bsms\b|number at|my (?:[a-z]+ )?number"
    rb"|pager|\xe7\x94\xb5\xe8\xaf\x9d|\xe6\x89\x8b\xe6\x9c\xba)"
    rb"|(card|account|passport|ssn|social|licen|order|invoice|ticket|iban|routing|policy|member|case"
    rb"|pesel|aadhaar|\bnhs\b|wallet|\btin\b|\bid\b)"
)
"""Words that say a number is a phone's, and words that say it is something else; the nearest decides."""
_AFTER = pattern(rb"^[ \-:,(\\]{0,3}(?:office|fax|mobile|cell|home|work|phone)")
_GROUPED = re.compile(
    rb"\([0-9]{2,4}\) ?[0-9]{3,4}[ .\-]?[0-9]{3,4}|0[ \-]?[0-9]{2,4}[ \-][0-9]{3,4}(?:[ \-]?[0-9]{2,4}){1,2}"
    rb"|0[1-9](?:[ .\-][0-9]{2}){4}|[0-9]{3} [0-9]{3} [0-9]{2} [0-9]{2}|00[1-9][0-9]{0,2}[ .\-][0-9 .\-]{7,16}"
)
_TRUNK = re.compile(rb"0[1-9][0-9]{9}|[2-5][0-9]{9}")
"""National numbers in one run, when they are all a line holds: eleven digits with the trunk prefix, ten without it."""
_NANP = re.compile(
    rb"\(?[2-9][0-9]{2}(?:\) ?|[ .\-])[2-9][0-9]{2}[ .\-][0-9]{4}(?: ?(?:x|ext\.?) ?[0-9]{1,5})?"
    rb"|1[ .\-][2-9][0-9]{2}[ .\-][2-9][0-9]{2}[ .\-][0-9]{4}"
)
"""The North American plan: neither area nor exchange begins with 0 or 1."""
_COUNTRY = re.compile(
    rb"\(?\+ ?(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|2[1-689][0-9]|3[578][0-9]|42[0-9]|5[09][0-9]|6[789][0-9]"
    rb"|8[058][0-9]|9[679][0-9])"
)
_REGIONS: Final = ("GB", "FR", "TR", "PH", "NL", "ES", "AU", "ZA", "PL", "IN", "JP", "CH", "BR", "MX")
"""Whose national numbers are tried. Plans that give out nearly every number (Germany's, Italy's, China's) would say nothing."""
_PARSING: Final = 100
"""Steps that parsing costs: about 50 microseconds a region."""
_MOST_PARSED: Final = 16
"""A text with more national numbers than this is a list: the rest is taken at its shape."""


def find_phones(view: View) -> Iterator[Hit]:
    """Yield phone numbers: international ones by themselves, national ones when written as one or announced by a word."""
    parsed = 0
    for found in view.each(_PHONE):
        candidate = found.group()
        start, end = found.span()
        digits = sum(48 <= byte <= 57 for byte in candidate)
        if digits > 20 or not view.stands_alone(start, end):
            continue
        kind = _announced(view, start, end)
        if kind == "phone":
            yield Hit(start, end, "PHONE_NUMBER", "pii", 0.85, "cue")
        elif candidate[:1] in b"(+" and _COUNTRY.match(candidate):
            yield Hit(start, end, "PHONE_NUMBER", "pii", 0.8, "country_code")
        elif kind is None and _NANP.fullmatch(candidate):
            yield Hit(start, end, "PHONE_NUMBER", "pii", 0.65, "numbering_plan")
        elif kind is None and (
            _GROUPED.fullmatch(candidate) or (_TRUNK.fullmatch(candidate) and view.fills_its_line(start, end))
        ):
            parsed += 1
            if parsed <= _MOST_PARSED:
                view.budget.spend(_PARSING)
            if parsed > _MOST_PARSED or _dialable(candidate.decode()):
                yield Hit(start, end, "PHONE_NUMBER", "pii", 0.65, "phonenumbers")


def _announced(view: View, start: int, end: int) -> str | None:
    """Return what the words around a number call it: "phone", "other", or nothing."""
    kind = None
    for word in _WORDS.finditer(view.before(start)):
        kind = "phone" if word.group(1) else "other"
    return "phone" if kind is None and _AFTER.search(view.after(end)) else kind


def _dialable(candidate: str) -> bool:
    """Whether the number is one that a region's plan gives out."""
    import phonenumbers  # Its metadata loads by region: only a text with a candidate pays.

    for region in _REGIONS:
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(candidate, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False


_IPV4 = pattern(rb"(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?:/[0-9]{1,2}\b)?")
_IPV6 = pattern(rb"[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]*")
_MAC = pattern(
    rb"\b(?:[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4})\b"
)
_LONGEST_ADDRESS: Final = 45
_VERSION = pattern(rb"(?:version|release|\bv|firmware|build)[ .:]?$")
_NOBODYS: Final = frozenset({"0.0.0.0", "255.255.255.255", "::", "::1"})  # noqa: S104  (addresses to recognise, not to bind)


def find_machines(view: View) -> Iterator[Hit]:
    """Yield IP and MAC addresses. What every machine calls itself (loopback, any, broadcast) is listed and raises nothing."""
    for source in (_IPV4, _IPV6):
        for found in view.each(source):
            candidate = found.group().rstrip(b".:") if not found.group().endswith(b"::") else found.group()
            start, end = found.start(), found.start() + len(candidate)
            address = _address(candidate.partition(b"/")[0].decode())
            if address is None or not view.stands_alone(start, end):
                continue
            nobodys = address.is_loopback or str(address) in _NOBODYS
            version = _VERSION.search(view.before_on_line(start)) is not None
            short = (
                candidate.startswith(b"::") and candidate.count(b":") == 2 and b"." not in candidate
            )  # More likely code.
            yield Hit(start, end, "IP_ADDRESS", "pii", 0.3 if nobodys or version or short else 0.6, "ipaddress")
    for found in view.each(_MAC):
        if len(set(found.group().lower())) > 2:
            yield Hit(found.start(), found.end(), "MAC_ADDRESS", "pii", 0.55, "shape")


def _address(candidate: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    if len(candidate) > _LONGEST_ADDRESS:
        return None
    try:
        return ipaddress.ip_address(candidate)
    except ValueError:
        return None


_URL = pattern(
    rb"(?i)\bhttps?://[a-z0-9\-]+(?:\.[a-z0-9\-]+)+(?:/[^\s\"'<>]*)?"
    rb"|\bwww\.[a-z0-9\-]+(?:\.[a-z0-9\-]+)+(?:/[^\s\"'<>]*)?"
)
_PERSONAL = re.compile(
    rb"(?i)linkedin\.com/in/|facebook\.com/(?:profile|people)|[?&](?:e-?mail|user(?:name|_?id)?|phone|token|session"
    rb"|sig|signature|key|auth)="
)


def find_pages(view: View) -> Iterator[Hit]:
    """Yield addresses of web pages. Most are nobody's: listed. One that names a person's profile or carries a key raises."""
    for found in view.each(_URL):
        yield Hit(found.start(), found.end(), "URL", "pii", 0.6 if _PERSONAL.search(found.group()) else 0.3, "shape")


FAMILY: Final = Family(
    (
        Detector(find_emails, rb"@[A-Za-z0-9\x80-\xff]"),
        Detector(find_phones, rb"[0-9](?:[ .\-/]?[()]{0,2}[ .\-]?[0-9]){6}"),
        Detector(
            find_machines,
            rb"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]|:[0-9A-Fa-f]{0,4}:|[0-9A-Fa-f]{2}-[0-9A-Fa-f]{2}-[0-9A-Fa-f]{2}-"
            rb"|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.",
        ),
        Detector(find_pages, rb"(?i)://|www\."),
    )
)
