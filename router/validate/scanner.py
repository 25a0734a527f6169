"""Can these characters still become one JSON value? Read piece by piece, each character once, as strictly as `parsing` reads the whole.

What is read is told to a listener as it comes: a value begins, a string grows, a name is known, a value is whole.
"""

import re
from typing import Any, Final, Literal, Protocol

from router.exact.parsing import MOST_NUMBER_CHARACTERS, NotJson, read_float, read_integer

Kind = Literal["object", "array", "string", "number", "boolean", "null"]

_BLANK: Final = re.compile(r"[ \t\n\r]*")
_PLAIN: Final = re.compile(r'[^"\\\x00-\x1f]+')
_NUMERIC: Final = re.compile(r"[0-9+\-.eE]+")
_NUMBER_BEGUN: Final = re.compile(
    r"-?(?:(?:0|[1-9][0-9]*)(?:\.(?:[0-9]+(?:[eE](?:[+-]?[0-9]*)?)?)?|[eE](?:[+-]?[0-9]*)?)?)?"
)
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LITERALS: Final[dict[str, tuple[str, Any, Kind]]] = {
    "t": ("true", True, "boolean"),
    "f": ("false", False, "boolean"),
    "n": ("null", None, "null"),
}
_ESCAPED: Final = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_Wants = Literal["value", "value or ]", "name", "name or }", "colon", "comma", "nothing"]


class Listener(Protocol):
    """Is told what the scanner reads. `depth` counts the containers that the value stands in. May raise to end the reading."""

    def begin(self, depth: int, kind: Kind) -> None:
        """A value begins."""

    def grow(self, depth: int, begun: str) -> None:
        """A string has come as far as `begun`."""

    def name_grows(self, depth: int, begun: str) -> None:
        """A name in the object at this depth has come as far as `begun`."""

    def name(self, depth: int, name: str) -> None:
        """A name in the object at this depth is known; its value comes next."""

    def whole(self, depth: int, value: Any) -> None:
        """A string, number, boolean or null is whole."""

    def end(self, depth: int) -> None:
        """An object or array is whole."""


class Scanner:
    """Reads one JSON value. `feed` and `close` raise `NotJson` as soon as no continuation could be JSON."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._open: list[set[str] | None] = []  # the names of each object that is open; None for an array
        self._wants: _Wants = "value"
        self._step = self._between
        self._text: list[str] = []
        self._token = ""
        self._is_name = False
        self._high = ""

    def feed(self, piece: str) -> None:
        """Read on."""
        at = 0
        while at < len(piece):
            at = self._step(piece, at)
        if self._text and self._step == self._in_string:
            self._tell_growth()

    def close(self) -> None:
        """Say that no more comes. Raises `NotJson` unless the value is whole."""
        if self._step == self._in_number:
            self._end_number()
        if self._wants != "nothing" or self._step != self._between:
            raise NotJson("the text ends before the value does")

    # ---------------------------------------------------------------- between values

    def _between(self, piece: str, at: int) -> int:
        found = _BLANK.match(piece, at)
        at = found.end() if found else at
        if at == len(piece):
            return at
        character = piece[at]
        match self._wants:
            case "value":
                return self._begin(piece, at)
            case "value or ]":
                if character == "]":
                    return self._end_container(at)
                return self._begin(piece, at)
            case "name" | "name or }":
                return self._begin_name(character, at)
            case "colon":
                self._must(character == ":", "expected `:` after a name")
                self._wants = "value"
                return at + 1
            case "comma":
                return self._after_value(character, at)
            case "nothing":
                raise NotJson("text after the value's end")

    def _begin(self, piece: str, at: int) -> int:
        character = piece[at]
        depth = len(self._open)
        if character in "{[":
            self._listener.begin(depth, "object" if character == "{" else "array")
            self._open.append(set() if character == "{" else None)
            self._wants = "name or }" if character == "{" else "value or ]"
            return at + 1
        if character == '"':
            self._listener.begin(depth, "string")
            self._text.clear()
            self._is_name, self._step = False, self._in_string
            return at + 1
        self._token = ""
        if character in _LITERALS:
            self._listener.begin(depth, _LITERALS[character][2])
            self._step = self._in_literal
            return at
        self._must(character in "-0123456789", "expected a value")
        self._listener.begin(depth, "number")
        self._step = self._in_number
        return at

    def _begin_name(self, character: str, at: int) -> int:
        if character == "}" and self._wants == "name or }":
            return self._end_container(at)
        self._must(character == '"', "expected a name in quotes")
        self._text.clear()
        self._is_name, self._step = True, self._in_string
        return at + 1

    def _after_value(self, character: str, at: int) -> int:
        in_object = self._open[-1] is not None
        if character == ",":
            self._wants = "name" if in_object else "value"
            return at + 1
        self._must(
            character == ("}" if in_object else "]"),
            f"expected a comma or the {'object' if in_object else 'array'}'s end",
        )
        return self._end_container(at)

    def _end_container(self, at: int) -> int:
        self._open.pop()
        self._listener.end(len(self._open))
        self._value_done()
        return at + 1

    def _value_done(self) -> None:
        self._wants = "comma" if self._open else "nothing"
        self._step = self._between

    # ---------------------------------------------------------------- strings

    def _in_string(self, piece: str, at: int) -> int:
        plain = _PLAIN.match(piece, at)
        if plain:
            self._must(not self._high, "half of a surrogate pair")
            self._text.append(plain.group())
            return plain.end()
        character = piece[at]
        if character == "\\":
            self._token, self._step = "", self._in_escape
        else:
            self._must(character == '"', "a control character in a string")
            self._must(not self._high, "half of a surrogate pair")
            self._end_string("".join(self._text))
        return at + 1

    def _in_escape(self, piece: str, at: int) -> int:
        self._token += piece[at]
        if self._token[0] != "u":
            self._must(self._token in _ESCAPED and not self._high, "an unknown escape in a string")
            self._text.append(_ESCAPED[self._token])
        else:
            self._must(all(digit in "0123456789abcdefABCDEF" for digit in self._token[1:]), "a broken \\u escape")
            if len(self._token) < 5:
                return at + 1
            self._code_unit(self._token[1:])
        self._step = self._in_string
        return at + 1

    def _code_unit(self, digits: str) -> None:
        """Take in a UTF-16 code unit: one above U+FFFF comes as two."""
        unit = int(digits, 16)
        is_low = 0xDC00 <= unit < 0xE000
        self._must(is_low == bool(self._high), "half of a surrogate pair")
        if 0xD800 <= unit < 0xDC00:
            self._high = digits
        elif is_low:
            self._text.append(bytes.fromhex(self._high + digits).decode("utf-16-be"))
            self._high = ""
        else:
            self._text.append(chr(unit))

    def _tell_growth(self) -> None:
        begun = "".join(self._text)
        self._text[:] = [begun]
        if self._is_name:
            self._listener.name_grows(len(self._open) - 1, begun)
        else:
            self._listener.grow(len(self._open), begun)

    def _end_string(self, text: str) -> None:
        self._text.clear()
        if not self._is_name:
            self._listener.whole(len(self._open), text)
            self._value_done()
            return
        seen = self._open[-1]
        assert seen is not None
        self._must(text not in seen, "a name comes twice in one object")
        seen.add(text)
        self._listener.name(len(self._open) - 1, text)
        self._wants, self._step = "colon", self._between

    # ---------------------------------------------------------------- numbers and words

    def _in_number(self, piece: str, at: int) -> int:
        more = _NUMERIC.match(piece, at)
        if more is None:
            self._end_number()
            return at
        self._token += more.group()
        self._must(
            len(self._token) <= MOST_NUMBER_CHARACTERS, f"a number of more than {MOST_NUMBER_CHARACTERS} characters"
        )
        self._must(_NUMBER_BEGUN.fullmatch(self._token) is not None, "a malformed number")
        return more.end()

    def _end_number(self) -> None:
        self._must(_NUMBER.fullmatch(self._token) is not None, "a malformed number")
        whole = self._token.lstrip("-").isdigit()
        self._listener.whole(len(self._open), read_integer(self._token) if whole else read_float(self._token))
        self._value_done()

    def _in_literal(self, piece: str, at: int) -> int:
        word, value, _ = _LITERALS[self._token[0] if self._token else piece[at]]
        self._token += piece[at]
        self._must(word.startswith(self._token), "expected a value")
        if self._token == word:
            self._listener.whole(len(self._open), value)
            self._value_done()
        return at + 1

    @staticmethod
    def _must(holds: bool, because: str) -> None:  # noqa: FBT001 - an assertion about the text
        if not holds:
            raise NotJson(because)
