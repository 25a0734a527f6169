"""Which exact arguments is a tool called with? One canonical text for each value: approvals bind to its hash, and the tool gets that text.

INVARIANT: what is hashed, shown to a person and handed to the tool is the same text; nothing is parsed differently in between.
"""

import hashlib
import json
from typing import Any, Final

from router.errors import ToolArgumentsInvalid

ARGUMENT_BYTES_AT_MOST: Final = 64 * 1024


def canonical_arguments(tool: str, arguments_json: str) -> str:
    """Return the one spelling of a tool's arguments: sorted keys, no spaces, every number as it was written.

    Raises `ToolArgumentsInvalid` for what is no JSON object, holds a key twice, a number that is none, or is too long or too deep.
    """
    if len(arguments_json.encode(errors="surrogatepass")) > ARGUMENT_BYTES_AT_MOST:
        raise ToolArgumentsInvalid(tool, (f"longer than {ARGUMENT_BYTES_AT_MOST} bytes",))
    try:
        value = parse_json(arguments_json)
        text = canonical_json(value)
    except ValueError as error:
        raise ToolArgumentsInvalid(tool, (f"not JSON: {error}",)) from error
    if not isinstance(value, dict):
        raise ToolArgumentsInvalid(tool, ("not a JSON object",))
    return text


def parse_json(text: str) -> Any:
    """Return a JSON text's value. Raises `ValueError` where readers disagree: a key twice, NaN, half a surrogate pair, endless depth."""
    try:
        return json.loads(text, object_pairs_hook=_once_each, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def canonical_json(value: Any) -> str:
    """Return a JSON value's one text: sorted keys, no spaces. Raises `ValueError` for what no JSON text can hold."""
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        text.encode()
    except (TypeError, UnicodeEncodeError, RecursionError) as error:
        raise ValueError(f"no JSON text can hold it ({type(error).__name__})") from None
    return text


def text_sha256(text: str) -> str:
    """Return the SHA-256 of a text's UTF-8 bytes, in hex."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    """A number that a float can't hold would reach the tool as another one than the person approved."""
    number = float(digits)
    if number in {float("inf"), float("-inf")}:
        raise ValueError("a number is too large")
    return number
