"""Which secrets stand here: tokens by their issuers' own shapes, passwords by what announces them, strings too random for prose?"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from router.scan.text import Hit, View, pattern

_ISSUED: Final = (
    rb"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    rb"|\b(?:AKIA|ASIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA|ABIA|ACCA)[A-Z0-9]{16}\b"
    rb"|\bgh[pousr]_[A-Za-z0-9]{30,255}|\bgithub_pat_[A-Za-z0-9_]{22,255}"
    rb"|\bgl(?:pat|dt|rt|cbt|ptt|ft|soat|agent)-[A-Za-z0-9_\-]{20,255}"
    rb"|\bxox[abeoprs]-[A-Za-z0-9\-]{10,255}|\bxapp-[0-9]-[A-Za-z0-9\-]{10,255}"
    rb"|hooks\.slack\.com/services/[A-Za-z0-9/]{20,100}"
    rb"|\b[srp]k_(?:live|test)_[A-Za-z0-9]{16,255}|\bwhsec_[A-Za-z0-9]{20,255}"
    rb"|\bsk-(?:ant-|proj-|svcacct-|admin-|or-)?[A-Za-z0-9_\-]{20,255}"
    rb"|\bAIza[0-9A-Za-z_\-]{35}|\bya29\.[0-9A-Za-z_\-]{20,255}|\bGOCSPX-[0-9A-Za-z_\-]{20,64}"
    rb"|\beyJ[A-Za-z0-9_\-]{8,900}\.eyJ[A-Za-z0-9_\-]{8,900}\.[A-Za-z0-9_\-]{0,900}"
    rb"|\bhf_[A-Za-z0-9]{30,64}|\bnpm_[A-Za-z0-9]{36}|\bpypi-AgE[A-Za-z0-9_\-]{40,255}"
    rb"|\bSG\.[A-Za-z0-9_\-]{20,24}\.[A-Za-z0-9_\-]{39,50}|\bSK[0-9a-f]{32}\b|\bAC[0-9a-f]{32}\b"
    rb"|\bdo[opr]_v1_[0-9a-f]{40,64}|\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|\bsq0(?:atp|csp)-[A-Za-z0-9_\-]{20,50}"
    rb"|\bhvs\.[A-Za-z0-9_\-]{24,255}|\bdapi[0-9a-f]{32}|\blin_api_[A-Za-z0-9]{30,64}|\bdckr_pat_[A-Za-z0-9_\-]{20,64}"
    rb"|(?i:AccountKey|SharedAccessKey)=[A-Za-z0-9+/=]{40,100}"
    rb"|\b[0-9]{8,10}:AA[A-Za-z0-9_\-]{32,34}\b"
)
_TOKEN = pattern(_ISSUED)
_IN_URL = pattern(rb"(?i)\b[a-z][a-z0-9+.\-]{1,20}://[^\s/:@\"'<>]{0,100}:([^\s/@\"'<>]{1,200})@[a-z0-9\[]")


def find_tokens(view: View) -> Iterator[Hit]:
    """Yield what an issuer's own prefix or frame gives away, and passwords inside URLs."""
    for found in _TOKEN.finditer(view.data):
        yield Hit(found.start(), found.end(), "CREDENTIAL", "credentials", 0.99, "issued_shape")
    if b"://" not in view.data:
        return
    for found in _IN_URL.finditer(view.data):
        if not _PLACEHOLDER.search(found.group(1).lower()):
            yield Hit(found.start(), found.end(1), "URL_PASSWORD", "credentials", 0.95, "shape")


_ASSIGNED = pattern(
    rb"(?i)\b([a-z0-9_\-.]{0,30}(?:password|passwd|passphrase|passcode|pwd|secret|api[_\- ]?key"
    rb"|access[_\- ]?key|private[_\- ]?key|auth[_\- ]?token"
    rb"|access[_\- ]?token|refresh[_\- ]?token|bearer[_\- ]?token|token|credentials?|login)(?:[_\-](?:key"
    rb"|id|value|prod|dev|[0-9]))?)"
    rb"[\"']?(?: for [a-z0-9 .@_\-]{1,40}?)?\s{0,3}(:=|=>|=|:| is now | is | was )\s{0,3}(?:bearer )?([\"'`]?)([^\s\"'`,;<>]{4,200})"
)
_BEARER = pattern(
    rb"(?i)\b(?:authorization|proxy-authorization|x-api-key)[\"']?\s{0,2}[:=]\s{0,2}[\"']?(?:bearer"
    rb"|basic|token)?\s{0,2}([A-Za-z0-9._~+/=\-]{12,400})"
)
_PLACEHOLDER = re.compile(
    rb"^(?:\$|%|\{|\[|<|\.\.\.|x{3,}|\*{3,}|os\.|process\.|env|getenv|none|null|true|false|undefined"
    rb"|self\.|config|settings|str\b|string|required"
    rb"|your|my_|example|changeme|change_me|redacted|placeholder|todo|input|request\.|args\.|params"
    rb"|hash|bcrypt|models\.)|^(?:password|passwd|pwd|pass|secret|token)s?$"
)
_PROSE_VERBS: Final = {b" is ", b" was ", b" is now "}
_PIN = pattern(
    rb"(?i)\b(?:pin|cvv|cvc|security code|passcode|otp|one[- ]time (?:code|password)|2fa code|verification code)(?: (?:number"
    rb"|code))?(?: is| was|:|=| to) {0,2}[\"']?([0-9]{3,8})\b"
)


def find_assignments(view: View) -> Iterator[Hit]:
    """Yield values that a name or a sentence calls a password, key, token or PIN."""
    for found in _ASSIGNED.finditer(view.data):
        value, verb, quote = found.group(4).rstrip(b".?)"), found.group(2).lower(), found.group(3)
        if _looks_secret(value, quoted=bool(quote), prose=verb in _PROSE_VERBS, colon=verb == b":"):
            start = found.start(4)
            yield Hit(start, start + len(value), "PASSWORD", "credentials", 0.85, "assignment")
    for found in _BEARER.finditer(view.data):
        if not _PLACEHOLDER.search(found.group(1).lower()):
            yield Hit(found.start(1), found.end(1), "CREDENTIAL", "credentials", 0.9, "header")
    for found in _PIN.finditer(view.data):
        yield Hit(found.start(1), found.end(1), "PIN", "credentials", 0.75, "cue")


def _looks_secret(value: bytes, *, quoted: bool, prose: bool, colon: bool) -> bool:
    """Whether an assigned value is a secret rather than code, a placeholder or an ordinary word."""
    lower = value.lower()
    if len(value) < 4 or _PLACEHOLDER.search(lower) or lower.endswith((b"()", b"(")) or b"://" in value:
        return False
    mixed = any(map(_is_digit, value)) or not value.replace(b"-", b"").isalnum()
    if prose or (colon and not quoted):
        # "my password is incorrect" and "password: required" are sentences; a digit or a symbol makes a secret.
        return mixed and len(value) >= 5
    return mixed or quoted or not value.islower() or len(value) >= 8


def _is_digit(byte: int) -> bool:
    return 0x30 <= byte <= 0x39


_LONG = pattern(rb"[A-Za-z0-9+/_=\-]{32,512}")
_HEX = re.compile(rb"[0-9a-fA-F]+")


def find_random(view: View) -> Iterator[Hit]:
    """Yield long strings too random for a word or a path. Hexadecimal ones are mostly hashes: listed, raises nothing."""
    for found in _LONG.finditer(view.data):
        value = found.group()
        if _HEX.fullmatch(value):
            if len(value) in {32, 40, 64} and _entropy(value) > 3.0:
                yield Hit(found.start(), found.end(), "HIGH_ENTROPY", "credentials", 0.4, "entropy")
        elif _random(value):
            yield Hit(found.start(), found.end(), "HIGH_ENTROPY", "credentials", 0.6, "entropy")


def _random(value: bytes) -> bool:
    cases = (value != value.lower()) + (value != value.upper()) + any(map(_is_digit, value))
    return (
        cases == 3
        and value.count(b"/") <= 3
        and value.count(b"-") + value.count(b"_") <= 3
        and _entropy(value[:128]) > 4.2
    )


def _entropy(value: bytes) -> float:
    """Shannon entropy of the bytes, in bits a byte."""
    return -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())
