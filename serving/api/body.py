"""How much of a body is read? As much as may be of use, and not a byte more."""

from typing import Final

from starlette.requests import Request

from router.errors import BadRequest
from serving.api.parse import MOST_BODY_BYTES

MOST_WORDS_BYTES: Final = 1024 * 1024
"""As much as a person may say."""


class BodyTooLarge(BadRequest):
    """The body is larger than any that could be answered."""

    status = 413
    code = "request_too_large"


async def read_body(http: Request, most_bytes: int = MOST_BODY_BYTES) -> bytes:
    """Read the body within bounds. Raises `BodyTooLarge` before more than that is in memory."""
    chunks, size = [], 0
    async for chunk in http.stream():
        size += len(chunk)
        if size > most_bytes:
            raise BodyTooLarge(f"the body is larger than {most_bytes // 2**20} MiB")
        chunks.append(chunk)
    return b"".join(chunks)
