r"""How does the engine read a JSON Schema's `pattern` and `format` as the standard means them, no wider?

The engine's regular expressions take `\s` and `.` for other sets than ECMA-262 does, and some of its formats for shapes (30 February
is a date). Each is written out here. Where the exact set is no regular language, or a needlessly large one, the pattern is narrower:
what is generated is valid, and a leap second or an internationalised host name is not generated.
"""

from typing import Final

_BLANKS: Final = r"\t\n\x0b\x0c\r \u{a0}\u{1680}\u{2000}-\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}\u{feff}"
_LINE_ENDS: Final = r"\n\r\u{2028}\u{2029}"

_MONTH_DAY: Final = "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
_LEAP_YEAR: Final = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
_DATE: Final = f"(?:[0-9]{{4}}-{_MONTH_DAY}|{_LEAP_YEAR}-02-29)"
_CLOCK: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?"
_OFFSET: Final = "(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
# Third and fourth character are never both hyphens: those labels are encoded, and what they encode has rules of its own.
_LABEL: Final = "[a-z0-9](?:[a-z0-9](?:[a-z0-9](?:-?[a-z0-9]){0,15})?)?"

FORMAT_PATTERNS: Final = {
    "date": f"^{_DATE}$",
    "time": f"^{_CLOCK}{_OFFSET}$",
    "date-time": f"^{_DATE}T{_CLOCK}{_OFFSET}$",
    "hostname": rf"^{_LABEL}(?:\.{_LABEL}){{0,3}}$",
    "idn-hostname": rf"^{_LABEL}(?:\.{_LABEL}){{0,3}}$",
    "idn-email": rf"^[a-z0-9]+(?:[._+-][a-z0-9]+){{0,4}}@{_LABEL}(?:\.{_LABEL}){{1,3}}$",
    "json-pointer": "^(?:/(?:[^/~]|~[01])*)*$",
    "relative-json-pointer": "^(?:0|[1-9][0-9]{0,8})(?:#|(?:/(?:[^/~]|~[01])*)*)$",
}
"""Formats that the engine does not know, or takes for more than they are."""
FORMAT_STANDS_FOR: Final = {"uri-reference": "uri", "iri": "uri", "iri-reference": "uri"}
"""Formats that the engine does not know, and one it knows whose texts are all of theirs."""
FORMATS: Final = frozenset(
    {*FORMAT_PATTERNS, *FORMAT_STANDS_FOR, "duration", "email", "ipv4", "ipv6", "regex", "uri", "uri-template", "uuid"}
)
"""The formats of the standard. Others are annotations, whoever asserts formats."""


def engine_pattern(pattern: str) -> str | None:
    """Return an ECMA-262 pattern as the engine's language has it; None where it can't be said in it."""
    written: list[str] = []
    in_class, at = False, 0
    while at < len(pattern):
        character = pattern[at]
        if character == "\\":
            piece, escaped = pattern[at : at + 2], pattern[at + 1 : at + 2]
            if escaped == "S" and in_class:
                return None
            written.append(_escape(escaped, piece, in_class=in_class))
            at += 2
            continue
        if character == "." and not in_class:
            written.append(f"[^{_LINE_ENDS}]")
        else:
            written.append(character)
        in_class = character == "[" or (in_class and character != "]")
        at += 1
    return "".join(written)


def _escape(escaped: str, piece: str, *, in_class: bool) -> str:
    match escaped:
        case "s":
            return _BLANKS if in_class else f"[{_BLANKS}]"
        case "S":
            return f"[^{_BLANKS}]"
        case "/":
            return "/"
        case _:
            return piece
