"""How does OpenAI's client send for both of its protocols, and what do its errors say? Shared by the modules that read them."""

from typing import Any, Final, TypeVar

import httpx2
import openai
from openai import AsyncOpenAI, AsyncStream

from router.bundle.files import Hosted, LaneSpec
from serving.door.provider.answer import text_of
from serving.door.provider.failures import Lost, Said

_Event = TypeVar("_Event")
_WORDS: Final = 300
"""So much of a provider's sentence is read."""


def key_headers(key: str) -> dict[str, str]:
    """Return the header that carries the key."""
    return {"Authorization": f"Bearer {key}"}


async def opened(
    lane: LaneSpec, hosted: Hosted, key: str, body: bytes, client: httpx2.AsyncClient, path: str, event: type[_Event]
) -> AsyncStream[_Event]:
    """Have the client send the body; return its stream. Raises `openai.OpenAIError`."""
    sdk = AsyncOpenAI(
        api_key=key,
        base_url=hosted.base_url,
        max_retries=0,
        timeout=openai.Timeout(None, connect=lane.timeouts.connect_seconds, write=lane.timeouts.gap_seconds),
        http_client=client,
    )
    kind: Any = event
    stream: AsyncStream[_Event] = await sdk.post(
        path, content=body, cast_to=kind, stream=True, stream_cls=AsyncStream[kind]
    )
    return stream


def said(error: Exception) -> Said | Lost | None:
    """Return what an error of the client's says; None for one that is not the client's."""
    match error:
        case openai.APITimeoutError():
            return "timeout"
        case openai.APIConnectionError():
            return "connection"
        case openai.APIStatusError():
            return _said(error, error.status_code, error.response.headers)
        case openai.APIError():
            return _said(error, None, {})
        case _:
            return None


def _said(error: openai.APIError, status: int | None, headers: Any) -> Said:
    body = error.body
    sentence = body.get("message") if isinstance(body, dict) else ""
    codes = tuple(code for code in (error.code, error.type) if isinstance(code, str) and code)
    param = text_of(error.param) if isinstance(error.param, str) else ""
    return Said(status, codes, sentence[:_WORDS] if isinstance(sentence, str) else "", param, headers)
