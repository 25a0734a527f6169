"""Which addresses of people and machines stand here: email, phone, IP, MAC, street?"""

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from router.scan.text import Hit, View, pattern

_EMAIL = pattern(
    rb"[A-Za-z0-9._%+'\-]{1,64}@[A-Za-z0-9\-]{1,63}(?:\.[A-Za-z0-9\-]{1,63}){0,5}\.[A-Za-z][A-Za-z0-9\-]{1,62}"
)


def find_emails(view: View) -> Iterator[Hit]:
    """Yield email addresses."""
    if b"@" not in view.data:
        return
    for found in _EMAIL.finditer(view.data):
        yield Hit(found.start(), found.end(), "EMAIL_ADDRESS", "pii", 0.95, "shape")


_PHONE = pattern(rb"(?:\+ ?|\b00|\()?[0-9](?:[ .\-/]?[()]{0,2}[ .\-]?[0-9]){6,15}\b")
_PHONE_CUE = re.compile(
    rb"phone|call|mobile|cell|\btel\b|\bcep\b|telefon|numero:|contact|whatsapp|fax|text me|reach"
    rb"|dial|\bsms\b|number at|my (?:[a-z]+ )?number|pager"
)
_OTHER_NUMBER = re.compile(
    rb"card|account|passport|ssn|social|licen|order|invoice|ticket|iban|routing|policy|member|case"
    rb"|pesel|aadhaar|\bnhs\b|wallet"
)
_GROUPED = re.compile(
    rb"\(\d{2,4}\) ?\d{3,4}[ .\-]?\d{3,4}|\d{3}[.\-]\d{3}[.\-]\d{4}|\d{3} \d{3} \d{4}|0[ \-]?\d{2,4}[ \-]\d{3,4}(?:[ \-]?\d{2,4}){1,2}"
)
_REGIONS: Final = (
    "US",
    "GB",
    "DE",
    "FR",
    "IN",
    "CN",
    "JP",
    "ES",
    "IT",
    "BR",
    "AU",
    "NL",
    "SE",
    "PL",
    "CH",
    "TR",
    "PH",
    "ZA",
    "KR",
    "MX",
    "IL",
)
_MOST_PARSED: Final = 64
"""Parsing costs about 50 microseconds. A text with more phone-like numbers than this is a list: the rest is taken at its shape."""


def find_phones(view: View) -> Iterator[Hit]:
    """Yield phone numbers. International ones by themselves, national ones when written as one or announced by a word."""
    parsed = 0
    for found in _PHONE.finditer(view.data):
        candidate = found.group()
        start, end = found.span()
        before = view.before(start)
        other = _OTHER_NUMBER.search(before)
        cued = _PHONE_CUE.search(before) is not None and not other
        international = candidate[:1] == b"+"
        grouped = _GROUPED.fullmatch(candidate) is not None
        alone = candidate[:1] == b"0" and len(candidate) == len(
            view.data
        )  # A trunk prefix, and nothing but the number.
        if not (cued or international or (grouped and not other) or alone) or not view.stands_alone(start, end):
            continue
        if not 7 <= sum(map(candidate.count, _DIGITS)) <= 15:
            continue
        parsed += 1
        if parsed > _MOST_PARSED or _dialable(candidate.decode(), international=international):
            yield Hit(start, end, "PHONE_NUMBER", "pii", 0.85 if cued or international else 0.65, "phonenumbers")


_DIGITS: Final = tuple(b"%d" % digit for digit in range(10))


def _dialable(candidate: str, *, international: bool) -> bool:
    """Whether the number could be dialled: possible with its own country code, or valid in a region we know."""
    import phonenumbers  # Its metadata loads by region: only a text with a candidate pays.

    for region in (None,) if international else _REGIONS:
        try:
            number = phonenumbers.parse(candidate, region)
        except phonenumbers.NumberParseException:
            continue
        # 555 numbers and the like are possible without being assigned; people write them all the same.
        if phonenumbers.is_valid_number(number) or (region in {None, "US"} and phonenumbers.is_possible_number(number)):
            return True
    return False


_IP = pattern(rb"(?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{0,34}")
_MAC = pattern(
    rb"\b(?:[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4})\b"
)


def find_machines(view: View) -> Iterator[Hit]:
    """Yield IP and MAC addresses. A loopback or documentation address is nobody's: listed, raises nothing."""
    for found in _IP.finditer(view.data):
        candidate = found.group().decode().rstrip(".")
        end = found.start() + len(candidate)
        if len(candidate) < 3 or not view.stands_alone(found.start(), end):
            continue
        try:
            address = ipaddress.ip_address(candidate)
        except ValueError:
            continue
        nobodys = address.is_loopback or address.is_unspecified or (address.is_private and not _internal(address))
        version = _VERSION.search(view.before(found.start())) is not None
        short = candidate.startswith("::") and candidate.count(":") == 2 and "." not in candidate  # More likely C++.
        yield Hit(found.start(), end, "IP_ADDRESS", "pii", 0.3 if nobodys or version or short else 0.6, "ipaddress")
    for found in _MAC.finditer(view.data):
        if len(set(found.group().lower())) > 2:
            yield Hit(found.start(), found.end(), "MAC_ADDRESS", "pii", 0.55, "shape")


_VERSION = re.compile(rb"(?:version|release|\bv)[ .:]?$")
_INTERNAL: Final = tuple(map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))


def _internal(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """An address of somebody's own network: it tells about that network."""
    return any(address.version == network.version and address in network for network in _INTERNAL)


_STREET = pattern(
    rb"\b[0-9]{1,5}[A-Za-z]? (?:[NSEW]\.? )?(?:[A-Z][A-Za-z'\x80-\xff\-]{1,20} ){1,3}"
    rb"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Square|Sq|Terrace"
    rb"|Way|Place|Pl|Parkway|Pkwy|Close|Crescent)\b"
)
_MY_ADDRESS = pattern(
    rb"(?i)\b(?:my|his|her|their|home|mailing|billing|shipping|street|new) address(?: is|:| to) {0,2}([0-9A-Za-z][^\n.;?!]{5,80})"
)


def find_streets(view: View) -> Iterator[Hit]:
    """Yield street addresses: a house number, a name and a street's word, or what follows "my address is"."""
    for found in _STREET.finditer(view.data):
        yield Hit(found.start(), found.end(), "LOCATION", "pii", 0.6, "shape")
    for found in _MY_ADDRESS.finditer(view.data):
        if any(map(found.group(1).count, _DIGITS)):
            yield Hit(found.start(1), found.end(1), "LOCATION", "pii", 0.75, "cue")
