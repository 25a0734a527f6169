"""Which exact arguments is a tool called with? One canonical text for each value: approvals bind to its hash, and the tool gets that text.

INVARIANT: what is hashed, shown to a person and handed to the tool is the same text; nothing is parsed differently in between.
"""

from typing import Final

from router.errors import ToolArgumentsInvalid
from router.exact import canonical_json, parse_json

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
