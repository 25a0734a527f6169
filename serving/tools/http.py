"""How does an operation of an OpenAPI file become one HTTP request, and its answer a result? Built whole before anything is sent."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import httpx2

from router.bundle.files.tool_sources import OpenApiSource
from router.errors import ToolArgumentsInvalid, ToolFailed, ToolTimeout
from router.exact import canonical_json
from serving.tools.box import Answer
from serving.tools.reach import Elsewhere, client_to

ANSWER_BYTES_AT_MOST: Final = 1024 * 1024
_SAID_CHARACTERS: Final = 2000
_DECLINED: Final = frozenset({400, 404, 409, 410, 422})
"""Answers about what was asked for; the others are about who asked, or the service."""


@dataclass(frozen=True, slots=True)
class Built:
    """A request, whole. `url` is on the source's own origin."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None


def built(tool: str, source: OpenApiSource, arguments: Mapping[str, Any], key: str) -> Built:
    """Return the request for checked arguments. Raises `ToolArgumentsInvalid` for one that would name another path."""
    path = source.path
    for name in source.path_parameters:
        value = _word(arguments[name])
        if value in {"", ".", ".."}:
            raise ToolArgumentsInvalid(tool, (f"at /{name}: not a path's segment",))
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    query = urlencode(list(_pairs({name: arguments[name] for name in source.query if name in arguments})))
    url = source.base_url.rstrip("/") + path + (f"?{query}" if query else "")
    if urlsplit(url).netloc != urlsplit(source.base_url).netloc:
        raise ToolArgumentsInvalid(tool, ("they would name another host",))
    headers = {**source.fixed_headers, "Accept": "application/json"}
    headers |= {name: _header(tool, name, arguments[name]) for name in source.headers if name in arguments}
    if source.idempotency_header is not None:
        headers[source.idempotency_header] = key
    placed = {*source.path_parameters, *source.query, *source.headers}
    fields = {name: value for name, value in arguments.items() if name not in placed}
    content: bytes | None = None
    match source.body:
        case "json":
            headers["Content-Type"] = "application/json"
            content = canonical_json(fields).encode()
        case "form":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            content = urlencode(list(_pairs(fields, indexed=True))).encode()
        case "none":
            pass
    return Built(source.method.upper(), url, headers, content)


async def request(
    tool: str, source: OpenApiSource, arguments: Mapping[str, Any], key: str, secret: str | None, seconds: float
) -> Answer:
    """Send it once and return the answer. Raises `ToolTimeout`, `ToolFailed` and `ToolArgumentsInvalid`."""
    asked = built(tool, source, arguments, key)
    headers = dict(asked.headers)
    if source.credential is not None:
        if secret is None:
            raise ToolFailed(tool, f"the variable {source.credential.env} is not set at the door")
        headers[source.credential.header] = source.credential.prefix + secret
    try:
        async with (
            client_to(source.base_url, source.addresses, headers, seconds) as client,
            client.stream(asked.method, asked.url, content=asked.content) as response,
        ):
            return _answer(tool, response.status_code, await _read(tool, response))
    except httpx2.TimeoutException as error:
        raise ToolTimeout(tool, f"no answer within {seconds:g} s") from error
    except (httpx2.HTTPError, Elsewhere, OSError) as error:
        because = str(error) if isinstance(error, Elsewhere) else type(error).__name__
        raise ToolFailed(tool, f"its service could not be asked: {because}") from error


async def _read(tool: str, response: httpx2.Response) -> str:
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > ANSWER_BYTES_AT_MOST:
            raise ToolFailed(tool, f"its answer is longer than {ANSWER_BYTES_AT_MOST} bytes")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise ToolFailed(tool, "its answer is no text") from error


def _answer(tool: str, status: int, text: str) -> Answer:
    if 200 <= status < 300:
        return Answer(text or canonical_json({"status": status}))
    if 300 <= status < 400:
        raise ToolFailed(tool, f"its service answered {status}: redirects are not followed")
    if status in _DECLINED:
        return Answer(f"{status}: {text[:_SAID_CHARACTERS]}", "declined")
    raise ToolFailed(tool, f"its service answered {status}")


def _pairs(fields: Mapping[str, Any], *, indexed: bool = False) -> Iterator[tuple[str, str]]:
    """Spell nested values as forms and deep query objects do: `card[number]`; a list repeats its name, or in a form counts (`items[0]`)."""
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from _pairs({f"{name}[{key}]": item for key, item in value.items()}, indexed=indexed)
        elif isinstance(value, list) and indexed:
            yield from _pairs({f"{name}[{index}]": item for index, item in enumerate(value)}, indexed=indexed)
        elif isinstance(value, list):
            yield from ((name, _word(item)) for item in value)
        else:
            yield name, _word(value)


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else canonical_json(value)


def _header(tool: str, name: str, value: Any) -> str:
    text = _word(value)
    if not text.isascii() or not text.isprintable():
        raise ToolArgumentsInvalid(tool, (f"at /{name}: not a header's value",))
    return text
