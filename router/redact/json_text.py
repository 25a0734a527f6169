"""What do the strings and numbers within a JSON text say, and how does it read with some of them replaced? Its layout stays as it was."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

_LEAF: Final = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|\\u....|\\.", re.DOTALL)
NESTED_AT_MOST: Final = 3
"""JSON within a string within JSON is read this deep, as deep as the door reads it (`router.render.texts_in`)."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A string (decoded) or number (as written) within a JSON text, and where it stands there, a string with its quotes."""

    start: int
    end: int
    written: str
    says: str

    @property
    def is_string(self) -> bool:
        """Whether it is a string."""
        return self.written[0] == '"'

    def within(self, start: int, end: int) -> tuple[int, int]:
        """Return what a stretch of the JSON text covers of `says`: whole characters, however they are spelt."""
        first, inside = (self.start + 1, self.written[1:-1]) if self.is_string else (self.start, self.written)
        start, end = max(0, start - first), min(len(inside), end - first)
        for escape in _ESCAPE.finditer(inside) if self.is_string else ():
            if escape.start() < start < escape.end():
                start = escape.start()
            if escape.start() < end < escape.end():
                end = escape.end()
        if end <= start or not self.is_string:
            return start, max(start, end)
        return len(json.loads(f'"{inside[:start]}"')), len(json.loads(f'"{inside[:end]}"'))


def is_json(text: str) -> bool:
    """Tell whether a text is a JSON object, list or string."""
    if text.lstrip()[:1] not in {"{", "[", '"'}:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def leaves(text: str) -> Iterator[Leaf]:
    """Yield the strings and numbers, keys too, of a text that is JSON."""
    for match in _LEAF.finditer(text):
        written = match.group()
        yield Leaf(match.start(), match.end(), written, json.loads(written) if written[0] == '"' else written)


def texts_within(text: str, depth: int = NESTED_AT_MOST) -> Iterator[str]:
    """Yield every text in a JSON text, also in JSON that its strings hold."""
    for leaf in leaves(text):
        yield leaf.says
        if depth and leaf.is_string and is_json(leaf.says):
            yield from texts_within(leaf.says, depth - 1)


def rewritten(text: str, rewrite: Callable[[str], str], depth: int = NESTED_AT_MOST) -> str:
    """Return a JSON text whose strings and numbers are rewritten; a number that changes becomes a string."""
    pieces: list[str] = []
    done = 0
    for leaf in leaves(text):
        nested = depth and leaf.is_string and is_json(leaf.says)
        says = rewritten(leaf.says, rewrite, depth - 1) if nested else rewrite(leaf.says)
        if says != leaf.says:
            pieces += (text[done : leaf.start], _string(says))
            done = leaf.end
    return "".join((*pieces, text[done:]))


def _string(says: str) -> str:
    """Spell a string without needless escapes; half a surrogate pair can only be written as one."""
    try:
        says.encode()
    except UnicodeEncodeError:
        return json.dumps(says)
    return json.dumps(says, ensure_ascii=False)
