"""Is this text one JSON value, read the same way by everybody? Stricter than the standard where parsers differ.

Refused beside broken syntax: a name that comes twice in an object (parsers keep the first or the last), a number beyond a double, half
of a surrogate pair, and nesting or numbers that would cost more to read than an answer is worth. Integers keep all their digits.
"""

import json
from json import JSONDecodeError
from math import isinf
from typing import Any, Final

MOST_NUMBER_CHARACTERS: Final = 400
"""A double holds 17 digits, and the longest that is written out without an exponent has 309."""


class NotJson(ValueError):
    """The text is no JSON value that can be relied upon. The message says why, without the text."""


def parse_json(text: str) -> Any:
    """Return the value that a text holds. Raises `NotJson`."""
    try:
        value = _DECODER.decode(text)
        if "\\u" in text:
            # Escapes can spell half of a surrogate pair, which no UTF-8 text can hold.
            json.dumps(value, ensure_ascii=False).encode()
    except JSONDecodeError as error:
        raise NotJson(f"{error.msg} at character {error.pos}") from error
    except UnicodeEncodeError as error:
        raise NotJson("half of a surrogate pair") from error
    except RecursionError as error:
        raise NotJson("nested too deep") from error
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotJson("a name comes twice in one object")
    return members


def read_integer(digits: str) -> int:
    """Read an integer. Raises `NotJson`."""
    if len(digits) > MOST_NUMBER_CHARACTERS:
        raise NotJson(f"a number of more than {MOST_NUMBER_CHARACTERS} characters")
    return int(digits)


def read_float(digits: str) -> float:
    """Read a number with a fraction or an exponent. Raises `NotJson`."""
    number = float(digits)
    if isinf(number) or len(digits) > MOST_NUMBER_CHARACTERS:
        raise NotJson("a number beyond a double")
    return number


def _no_such_number(word: str) -> Any:
    raise NotJson(f"{word} is no JSON")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_members, parse_int=read_integer, parse_float=read_float, parse_constant=_no_such_number
)
