"""How else could this text be read: escapes resolved, packed words unpacked, spoken digits and spaced-out letters closed up?

Each reading is a text of its own with the way back to what was sent; detectors read all of them, so nothing found in one is lost.
Bounded: a fixed depth, and a fixed share of the text's size.
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from html import unescape
from typing import Final
from urllib.parse import unquote

from router.normalise import Patch
from router.scan.text import Triggers, View, pattern

Rewrite = Callable[[View], Iterator[Patch]]
DEPTH: Final = 3
"""How often an unpacked text is looked at for something packed in it."""

_ESCAPED = pattern(
    r"(?:%[0-9A-Fa-f]{2})+|&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}"
)


def _resolve(view: View) -> Iterator[Patch]:
    """Yield what URL, HTML and string escapes stand for."""
    for found in view.each(_ESCAPED):
        escape = found.group().decode()
        match escape[0]:
            case "%":
                plain = unquote(escape, errors="replace")
            case "&":
                plain = unescape(escape)
            case _:
                plain = chr(int(escape[2:], 16))
        if plain != escape and not "\ud800" <= plain <= "\udfff":
            yield Patch(found.start(), found.end(), plain)


_PACKED = pattern(r"[A-Za-z0-9+/_\-]{16,}={0,2}")
_LONGEST_PACKED: Final = 1 << 18


def _unpack(view: View) -> Iterator[Patch]:
    """Yield what base64 and hexadecimal words hold, where that is text."""
    for found in view.each(_PACKED):
        word = found.group().decode()
        if len(word) > _LONGEST_PACKED or word.isdigit() or (word.isalpha() and word[1:].islower()):
            continue
        plain = _text(_from_hex(word)) or _text(_from_base64(word))
        if plain:
            # On a line of its own, so that it meets nothing around it.
            yield Patch(found.start(), found.end(), f"\n{plain}\n")


def _from_hex(word: str) -> bytes:
    if len(word) < 24:
        return b""
    try:
        return binascii.unhexlify(word)
    except ValueError:
        return b""


def _from_base64(word: str) -> bytes:
    standard = word.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except ValueError:
        return b""


def _text(raw: bytes) -> str | None:
    """Return what these bytes say, if nearly all of it can be printed."""
    for encoding in ("utf-8", "utf-16-le") if raw[1:2] == b"\0" else ("utf-8",):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if len(text) >= 6 and sum(map(str.isprintable, text[:200])) >= 0.9 * min(len(text), 200):
            return text
    return None


_ONES: Final = {
    word: str(digit)
    for digit, names in enumerate(
        (
            "zero oh o nought null zéro cero 零 〇",
            "one eins ein un une uno una 一 幺",
            "two zwei zwo deux dos 二 两",
            "three drei trois tres 三",
            "four vier quatre cuatro 四",
            "five fünf fuenf cinq cinco 五",
            "six sechs seis 六",
            "seven sieben sept siete 七",
            "eight acht huit ocho 八",
            "nine neun neuf nueve 九",
        )
    )
    for word in names.split()
}
_TIMES: Final = {"double": 2, "triple": 3, "doppel": 2}
_LATIN: Final = "|".join(sorted((word for word in [*_ONES, *_TIMES] if word[0] < "\u3000"), key=len, reverse=True))
_HAN: Final = "|".join(word for word in _ONES if word[0] >= "\u3000")
_NUMBER: Final = rf"(?:{_LATIN}|[0-9]{{1,4}})"
_SPOKEN = pattern(rf"(?i)\b{_NUMBER}(?:[ ,.\-]{{1,3}}(?:and )?{_NUMBER}\b){{4,}}|(?:(?:{_HAN})(?: |,|、|-)?){{6,}}")
_SPOKEN_WORD = re.compile(rf"(?i){_LATIN}|[0-9]+|{_HAN}")


def _hear(view: View) -> Iterator[Patch]:
    """Yield spoken digits as digits."""
    for found in view.each(_SPOKEN):
        spoken = found.group()
        if not spoken.isascii() or spoken.upper() != spoken.lower():
            yield Patch(found.start(), found.end(), _digits(spoken.decode()))


def _digits(spoken: str) -> str:
    """Return "four one double two" as "4122"; a run that holds no word stays as it is."""
    digits, times = list[str](), 1
    for found in _SPOKEN_WORD.finditer(spoken):
        word = found.group().lower()
        if word in _TIMES:
            times = _TIMES[word]
        else:
            digits.append(_ONES.get(word, word) * times)
            times = 1
    return "".join(digits)


_SPACED = pattern(r"(?m)(?:^|[\s\"'(:,;])((?:[!-~] ){5,}[!-~])(?:$|[\s\"'),.;:!?])")


def _close_up(view: View) -> Iterator[Patch]:
    """Yield letters and digits spaced out as words."""
    for found in view.each(_SPACED):
        yield Patch(found.start(1), found.end(1), found.group(1).replace(b" ", b"").decode())


_AT_WORDS: Final = "(?:at|ät|arroba|arobase)"
_DOT_WORDS: Final = "(?:dot|punkt|point|punto)"
_DOTS: Final = rf"(?: ?[\[({{] ?{_DOT_WORDS} ?[\])}}] ?| {_DOT_WORDS} |\.)"
_TOP: Final = r"(?:com|org|net|edu|gov|info|io|eu|me|app|dev|co|us|uk|de|at|ch|fr|es|it|nl|be|pl|se|dk|no|fi|pt|ie|cn|jp|in|br|mx|ca|au)"
"""What an address that is spoken out ends in: "at this point in time" is none."""
_AT = pattern(
    rf"(?i)((?:[a-z0-9_+%\-]{{1,64}}{_DOTS}){{0,3}}[a-z0-9_+%\-]{{1,64}})(?: ?[\[({{] ?{_AT_WORDS} ?[\])}}] ?| {_AT_WORDS} )"
    rf"((?:[a-z0-9\-]{{1,63}}{_DOTS}){{1,3}}{_TOP})\b"
)
_DOT = re.compile(rf"(?i){_DOTS}".encode())


def _address(view: View) -> Iterator[Patch]:
    """Yield "john dot doe at example dot com" as an email address."""
    for found in view.each(_AT):
        plain = _DOT.sub(b".", found.group(1)) + b"@" + _DOT.sub(b".", found.group(2))
        yield Patch(found.start(), found.end(), plain.decode())


_REWRITES: Final[tuple[tuple[Rewrite, bytes], ...]] = (
    (_resolve, rb"%[0-9A-Fa-f]{2}|&#?[0-9A-Za-z]{2,8};|\\[ux][0-9A-Fa-f]{2}"),
    (_unpack, rb"[A-Za-z0-9+/_\-]{16}"),
    (_hear, rf"(?i)\b(?:{_LATIN})(?:[ ,.\-]{{1,3}}{_NUMBER}\b){{2}}|(?:(?:{_HAN})[ ,\-]?){{4}}".encode()),
    (_close_up, rb"(?:[!-~] ){5}"),
    (_address, rf"(?i)[ \[({{]{_AT_WORDS}[ \])}}] ?[a-z0-9_+%\-]{{1,40}}{_DOTS}[a-z]".encode()),
)
"""Other ways to read a text, each with the small pattern without which it changes nothing."""
_TRIGGERS: Final = Triggers(trigger for _, trigger in _REWRITES)


def rewrites(view: View) -> Iterator[Rewrite]:
    """Yield the other ways to read this text. Their patches are in bytes."""
    for index in sorted(_TRIGGERS.seen(view.data)):
        if index < len(_REWRITES):
            yield _REWRITES[index][0]
