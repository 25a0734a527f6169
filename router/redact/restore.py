"""How does a value come back into an answer that arrives in pieces? Only what could still become a placeholder waits; the rest goes on."""

import json

from router.redact.forms import Reader
from router.redact.placeholders import Placeholders


class Restorer:
    """Restores one running text: `feed` it piece by piece, then take the `end`.

    However a text is cut into pieces, the joined results are the same. `in_json`: the text is JSON, so that a value is escaped as
    within a string.
    """

    __slots__ = ("_before", "_held", "_reader", "_values")

    def __init__(self, placeholders: Placeholders, *, in_json: bool = False) -> None:
        values = placeholders.values()
        self._values = {name: _within_a_string(value) for name, value in values.items()} if in_json else values
        self._reader = Reader(values, in_json=in_json)
        self._before = ""
        self._held = ""

    def feed(self, piece: str) -> str:
        """Take a piece of the text; return what is certain by now."""
        return self._restore(piece, whole=False)

    def end(self) -> str:
        """Return what was still waiting: nothing follows."""
        return self._restore("", whole=True)

    def _restore(self, piece: str, *, whole: bool) -> str:
        # The two characters before tell whether a word begins here.
        text = f"{self._before}{self._held}{piece}"
        done = at = len(self._before)
        certain: list[str] = []
        while (start := self._reader.next_start(text, at)) is not None:
            if not whole and self._reader.may_become(text, start):
                break
            found = self._reader.read(text, start)
            if found is None:
                at = start + 1
                continue
            certain += (text[done:start], self._values[found.name])
            done = at = found.end
        waiting = len(text) if start is None else start
        certain.append(text[done:waiting])
        self._before, self._held = text[max(0, waiting - 2) : waiting], text[waiting:]
        return "".join(certain)


def _within_a_string(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)[1:-1]
