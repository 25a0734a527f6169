"""Which secrets stand here: tokens by their issuers' own shapes, passwords by what announces them, strings too random for prose?"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from router.scan.text import Detector, Family, Hit, View, pattern

_ISSUED: Final = (
    rb"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
    rb"|\b(?:AKIA|ASIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA|ABIA|ACCA)[A-Z0-9]{16}\b"
    rb"|\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{22,}"
    rb"|\bgl(?:pat|dt|rt|cbt|ptt|ft|soat|agent)-[A-Za-z0-9_\-]{20,}"
    rb"|\bxox[abeoprs]-[A-Za-z0-9\-]{10,}|\bxapp-[0-9]-[A-Za-z0-9\-]{10,}"
    rb"|hooks\.slack\.com/services/[A-Za-z0-9/]{20,}"
    rb"|\b[srp]k_(?:live|test)_[A-Za-z0-9]{16,}|\bwhsec_[A-Za-z0-9]{20,}"
    rb"|\bsk-(?:ant-|proj-|svcacct-|admin-|or-)?[A-Za-z0-9_\-]{20,}"
    rb"|\bAIza[0-9A-Za-z_\-]{35}|\bya29\.[0-9A-Za-z_\-]{20,}|\bGOCSPX-[0-9A-Za-z_\-]{20,}"
    rb"|\beyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{0,}"
    rb"|\bhf_[A-Za-z0-9]{30,}|\bnpm_[A-Za-z0-9]{36}|\bpypi-AgE[A-Za-z0-9_\-]{40,}"
    rb"|\bSG\.[A-Za-z0-9_\-]{20,24}\.[A-Za-z0-9_\-]{39,50}|\bSK[0-9a-f]{32}\b|\bAC[0-9a-f]{32}\b"
    rb"|\bdo[opr]_v1_[0-9a-f]{40,}|\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}|\bsq0(?:atp|csp)-[A-Za-z0-9_\-]{20,50}"
    rb"|\bhvs\.[A-Za-z0-9_\-]{24,}|\bdapi[0-9a-f]{32}|\blin_api_[A-Za-z0-9]{30,}|\bdckr_pat_[A-Za-z0-9_\-]{20,}"
    rb"|(?i:AccountKey|SharedAccessKey)=[A-Za-z0-9+/=]{40,}"
    rb"|\b[0-9]{8,10}:AA[A-Za-z0-9_\-]{32,34}\b"
    rb"|\b[MNO][A-Za-z0-9_\-]{23,25}\.[A-Za-z0-9_\-]{6}\.[A-Za-z0-9_\-]{27,38}"
    rb"|\b[0-9a-f]{32}-us[0-9]{1,2}\b|\bkey-[0-9a-f]{32}\b|\bPMAK-[0-9a-f]{24}-[0-9a-f]{34}|\b(?:secret_|ntn_)[A-Za-z0-9]{40,50}"
    rb"|\bAKC[A-Za-z0-9]{10,80}|AGE-SECRET-KEY-1[0-9A-Z]{58}|PuTTY-User-Key-File-[23]"
    rb"|[?&]sig=[A-Za-z0-9%+/=]{30,}|\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_\-]{60,70}|\brk_live_[A-Za-z0-9]{20,}"
)
_TOKEN = pattern(_ISSUED)
_IN_URL = pattern(rb"(?i)\b[a-z][a-z0-9+.\-]{1,20}://[^\s/:@\"'<>]{0,}:([^\s/@\"'<>]{1,200})@[a-z0-9\[]")


def find_tokens(view: View) -> Iterator[Hit]:
    """Yield what an issuer's own prefix or frame gives away, and passwords inside URLs."""
    for found in view.each(_TOKEN):
        yield Hit(found.start(), found.end(), "CREDENTIAL", "credentials", 0.99, "issued_shape")
    for found in view.each(_IN_URL):
        if not _PLACEHOLDER.search(found.group(1).lower()):
            yield Hit(found.start(), found.end(1), "URL_PASSWORD", "credentials", 0.95, "shape")


_ASSIGNED = pattern(
    r"(?i)(\b[a-z0-9_\-.]{0,30}(?:password|passwd|passphrase|passcode|pwd|passwort|kennwort|mot de passe|contraseña|clave|senha|secret"
    r"|api[_\- ]?key|access[_\- ]?key|private[_\- ]?key|auth[_\- ]?token|access[_\- ]?token|refresh[_\- ]?token|bearer[_\- ]?token|token"
    r"|credentials?|login)(?:[_\-](?:key|id|value|prod|dev|[0-9]))?|密码|口令)"
    r"[\"']?(?: for [a-z0-9 .@_\-]{1,40}?)?\s{0,3}(:=|=>|=|:| is now | is | was | ist | lautet | est | es |是)\s{0,3}(?:bearer )?"
    r"([\"'`]?)([^\s\"'`,;<>]{4,200})"
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
_PROSE_VERBS: Final = frozenset(
    word.encode() for word in (" is ", " was ", " is now ", " ist ", " lautet ", " est ", " es ", "是")
)
_PIN = pattern(
    rb"(?i)\b(?:pin|cvv|cvc|security code|passcode|otp|one[- ]time (?:code|password)|2fa code|verification code)(?: (?:number"
    rb"|code))?(?: is| was|:|=| to) {0,2}[\"']?([0-9]{3,8})\b"
)


def find_assignments(view: View) -> Iterator[Hit]:
    """Yield values that a name or a sentence calls a password, key, token or PIN."""
    for found in view.each(_ASSIGNED):
        value, verb, quote = found.group(4).rstrip(b".?)"), found.group(2).lower(), found.group(3)
        if _looks_secret(value, quoted=bool(quote), prose=verb in _PROSE_VERBS, colon=verb == b":"):
            start = found.start(4)
            yield Hit(start, start + len(value), "PASSWORD", "credentials", 0.85, "assignment")
    for found in view.each(_BEARER):
        if not _PLACEHOLDER.search(found.group(1).lower()):
            yield Hit(found.start(1), found.end(1), "CREDENTIAL", "credentials", 0.9, "header")
    for found in view.each(_PIN):
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
    """Yield long strings too random for a word or a path. Hexadecimal ones in a sentence are mostly hashes: listed, raise nothing."""
    for found in view.each(_LONG):
        value = found.group()
        if _HEX.fullmatch(value):
            if len(value) in {32, 40, 64, 128} and _entropy(value) > 3.0:
                score = 0.55 if view.fills_its_line(*found.span()) else 0.4
                yield Hit(found.start(), found.end(), "HIGH_ENTROPY", "credentials", score, "entropy")
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


FAMILY: Final = Family(
    (
        Detector(
            find_tokens,
            rb"(?:AKIA|ASIA|A[GIN]P|AIDA|AROA|ANVA|ABIA|ACCA|gh[pousr]_|github_pat|gl[a-z]{2,5}-|xox[abeoprs]|xapp-|hooks\.slack"
            rb"|[srp]k_|whsec_|sk-|AIza|ya29\.|GOCSPX|eyJ|hf_|npm_|pypi-|SG\.|SK[0-9a-f]{8}|AC[0-9a-f]{8}|do[opr]_v1|shp[acs][tas]_|sq0|hvs\."
            rb"|dapi|lin_api|dckr_pat|:AA|[0-9a-f]-us[0-9]|key-[0-9a-f]|PMAK|secret_|ntn_|AKC|AGE-SECRET|PuTTY|[?&]sig=|atlasv1|PRIVATE KEY"
            rb"|[MNO][A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]{6}\.|://)|(?i:AccountKey|SharedAccess)",
        ),
        Detector(
            find_assignments,
            (
                r"(?i)passw|passphrase|passcode|pwd|kennwort|mot de passe|contrase|clave|senha|密码|secret|[_\- ]?key|token|credential"
                r"|login"
                r"|authori[sz]ation|\bpin\b|cv[vc]|security code|\botp\b|one.time|2fa|verification code"
            ).encode(),
        ),
        Detector(find_random, rb"[A-Za-z0-9+/_=\-]{32}"),
    )
)
