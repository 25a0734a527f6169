"""What is the one spelling of a body, and which texts does it hold? Reading back what `render` writes, for whoever scans it.

One value has one spelling. So what a scan reads in the bytes is all there is: no key twice (the first of which a parser would hide), no
space or escape that carries a message of its own.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

_NESTED_DEPTH: Final = 3


class NotCanonical(ValueError):
    """These bytes are not what this module writes, so a scan of them could miss something."""


def canonical_json(value: object) -> bytes:
    """Return the one spelling of a JSON value: no spaces, UTF-8 without needless escapes, keys in their order."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def parse_body(body: bytes) -> dict[str, Any]:
    """Return the JSON object that these bytes spell. Raises `NotCanonical` for any other spelling, and for what is no object."""
    try:
        value = json.loads(body)
        same = canonical_json(value) == body
    except (ValueError, RecursionError) as error:
        raise NotCanonical("the body is not UTF-8 JSON") from error
    if not same:
        raise NotCanonical("the body is not in its canonical spelling")
    if not isinstance(value, dict):
        raise NotCanonical("the body is not a JSON object")
    return value


def texts_in(body: bytes) -> tuple[str, ...]:
    """Return every text in the exact bytes: string values and keys at any depth, and numbers as they are written.

    A string that is itself JSON (a tool call's arguments) counts as it stands and also by the texts within it. Raises `NotCanonical`.
    """
    parse_body(body)
    return tuple(_texts(body.decode(), _NESTED_DEPTH))


def _texts(source: str, depth: int) -> Iterator[str]:
    waiting = [json.loads(source, parse_int=str, parse_float=str)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(reversed([part for pair in value.items() for part in pair]))
        elif isinstance(value, list):
            waiting.extend(reversed(value))
        elif isinstance(value, str):
            yield value
            if depth and value[:1] in {"{", "[", '"'}:
                yield from _texts_if_json(value, depth - 1)


def _texts_if_json(source: str, depth: int) -> tuple[str, ...]:
    try:
        return tuple(_texts(source, depth))
    except (ValueError, RecursionError):
        return ()
