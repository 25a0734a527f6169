"""Which one text does a JSON value have, and by which hash is it known? Hashes are compared, so there is one spelling of each value."""

import hashlib
import json
from typing import Any


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
