r"""In which forms is a placeholder written? In one going out; coming back, in whatever a model makes of it that means nothing else.

Models change case, spaces and brackets: `<person_1>`, `<PERSON 1>`, `&lt;PERSON_1&gt;`, `\u003cPERSON_1\u003e`, `PERSON_1`. All of these
are read as `PERSON_1`. Without brackets only the exact name counts: `person_1` may be a variable of the model's own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_OPENING: Final = r"(?:<|&[lL][tT];|\\u003[cC])"
_CLOSING: Final = r"(?:>|&[gG][tT];|\\u003[eE])"
_SEPARATOR: Final = r"\\?[_ -]"
_BEGUN_ESCAPE: Final = r"\\(?:u(?:0(?:0(?:3)?)?)?)?"
_NAME_AT_MOST: Final = 96

_BRACKETED: Final = re.compile(
    rf"{_OPENING} ?(?P<name>[A-Za-z0-9]+(?:{_SEPARATOR}[A-Za-z0-9]+){{1,12}}) ?{_CLOSING}",
)
_BARE: Final = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?![A-Za-z0-9_])")
_BEGUN: Final = re.compile(
    rf"""
    (?: &(?:[lL][tT]?)? | {_BEGUN_ESCAPE} )\Z
    | {_OPENING}[ ]?(?P<inside>[A-Za-z0-9_ \\-]{{0,{_NAME_AT_MOST}}}?)(?P<closing>&(?:[gG][tT]?)?|{_BEGUN_ESCAPE})?\Z
    | (?P<bare>[A-Z][A-Z0-9_]*)\Z
    """,
    re.VERBOSE,
)


def name_of(entity: str, number: int) -> str:
    """Return a placeholder's name, the part between the brackets: `PERSON_1`."""
    return f"{entity}_{number}"


def entity_word(entity: str) -> str:
    """Return an entity as placeholders spell it: capitals, digits and single underscores."""
    return re.sub(r"[^A-Z0-9]+", "_", entity.upper()).strip("_") or "VALUE"


def numbers_written(entity: str, text: str) -> set[int]:
    """Return every number with which a text could name a placeholder of this entity, in any form and as a part of any word.

    More than any reader below accepts: what replacement makes of a word's surroundings must not turn it into a placeholder.
    """
    words = _SEPARATOR.join(map(re.escape, entity.split("_")))
    found: set[int] = set()
    for match in re.finditer(rf"(?i:{words}){_SEPARATOR}([0-9]{{1,9}})", text):
        found.update(int(match[1][:length]) for length in range(1, len(match[1]) + 1))
    return found


@dataclass(frozen=True, slots=True)
class Read:
    """A placeholder that was read in a text: the name of a known one, and where it ends."""

    name: str
    end: int


class Reader:
    """Finds known placeholders, and tells where a text that is still growing could be the beginning of one."""

    __slots__ = ("_begins", "_known", "_names")

    def __init__(self, known: Mapping[str, str], *, in_json: bool) -> None:
        """`known` holds the names. `in_json`: in JSON a line feed is spelt with an `n` that belongs to no word."""
        self._known = known
        # INVARIANT: only what could begin a known placeholder is ever kept waiting.
        self._names = {name[:length] for name in known for length in range(len(name) + 1)}
        initials = "".join(sorted({name[0] for name in known}))
        after = r"(?:(?<![A-Za-z0-9_])|(?<=\\[nrt]))" if in_json else "(?<![A-Za-z0-9_])"
        self._begins = re.compile(rf"[<&\\]|{after}[{initials}]" if initials else r"(?!)")

    def next_start(self, text: str, at: int) -> int | None:
        """Return the next place at or after `at` where a placeholder could begin."""
        match = self._begins.search(text, at)
        return match.start() if match else None

    def read(self, text: str, at: int) -> Read | None:
        """Return the placeholder that begins here, if it is a known one."""
        if (match := _BRACKETED.match(text, at)) and (name := _plain(match["name"])) in self._known:
            return Read(name, match.end())
        if (match := _BARE.match(text, at)) and match.group() in self._known:
            return Read(match.group(), match.end())
        return None

    def may_become(self, text: str, at: int) -> bool:
        """Tell whether what stands from here to the end of the text could, with more text, become a known placeholder."""
        match = _BEGUN.match(text, at)
        if match is None:
            return False
        if match["bare"] is not None:
            return match["bare"] in self._names
        if match["inside"] is None:
            return True
        inside, closing = match["inside"], match["closing"] or ""
        if _plain(inside.removesuffix(" ")) in self._known:
            return True
        return _plain((inside + closing).removesuffix("\\")) in self._names


def _plain(written: str) -> str:
    return re.sub(_SEPARATOR, "_", written).upper()
