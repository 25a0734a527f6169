"""What does the running cluster say? The CLI's side of its HTTP API: one caller, plain HTTP, no hosted API's client."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import httpx2
import orjson

from cli.errors import ClusterAnswered, NotRunning
from router.contract import Evidence
from router.errors import LaneMisbehaved, NotAuthenticated
from serving.settings import Settings

_CONNECT_SECONDS: Final = 5.0
_ANSWER_SECONDS: Final = 600.0
"""Longer than any budget of the bundle: the cluster keeps the time, and says so."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer and its trace. The model's refusal and tool arguments count as text."""

    trace_id: str
    text: str


class Cluster:
    """The cluster at the settings' address, spoken to with one of the keys minted on this box."""

    def __init__(
        self, settings: Settings, key_name: str | None = None, transport: httpx2.BaseTransport | None = None
    ) -> None:
        self._address = f"http://{settings.host}:{settings.port}"
        self._http = httpx2.Client(
            base_url=self._address,
            headers={"authorization": f"Bearer {read_key(settings, key_name)}"},
            timeout=httpx2.Timeout(_ANSWER_SECONDS, connect=_CONNECT_SECONDS),
            transport=transport,
            trust_env=False,  # A proxy of the environment must not see requests to our own address.
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def ask(self, text: str, model: str, session: str | None) -> Answer:
        """Ask and wait for the whole answer. Raises `NotRunning` or `ClusterAnswered`."""
        with self._guarded():
            response = self._http.post("/v1/chat/completions", json=_body(text, model), headers=_headers(session))
        _check(response)
        return Answer(_trace(response), "".join(_said(choice["message"]) for choice in response.json()["choices"]))

    def ask_for_json(self, text: str, model: str, schema: dict[str, Any], labels: str) -> str:
        """Ask for an answer of this JSON Schema, about a text declared with these labels (`x-lane-labels`). Raises as `ask`."""
        shape = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}
        body = _body(text, model) | {"response_format": shape, "temperature": 0}
        with self._guarded():
            response = self._http.post("/v1/chat/completions", json=body, headers={"x-lane-labels": labels})
        _check(response)
        return _said(response.json()["choices"][0]["message"])

    def ask_streamed(self, text: str, model: str, session: str | None, show: Callable[[str], None]) -> Answer:
        """Ask, and hand each piece to `show` as it comes. Raises `LaneMisbehaved` for a stream that breaks off."""
        body = _body(text, model) | {"stream": True}
        with (
            self._guarded(),
            self._http.stream("POST", "/v1/chat/completions", json=body, headers=_headers(session)) as response,
        ):
            if response.is_error:
                response.read()
            _check(response)
            said = []
            for piece in _pieces(response):
                said.append(piece)
                show(piece)
            return Answer(_trace(response), "".join(said))

    def evidence(self, trace_id: str) -> Evidence:
        """Read a request's record. Raises `ClusterAnswered` for a trace that is not known."""
        with self._guarded():
            response = self._http.get(f"/v1/evidence/{trace_id}")
        _check(response)
        return Evidence.model_validate_json(response.content)

    def read(self, address: str) -> dict[str, Any]:
        """Read a resource of our own (`/v1/approvals`, say). Raises `ClusterAnswered`."""
        with self._guarded():
            response = self._http.get(address)
        _check(response)
        return dict(response.json())

    def say(self, address: str, words: Mapping[str, Any]) -> dict[str, Any]:
        """Send words about such a resource; return how it stands then. Raises `ClusterAnswered`."""
        with self._guarded():
            response = self._http.post(address, json=dict(words))
        _check(response)
        return dict(response.json())

    def _guarded(self) -> "_Guarded":
        return _Guarded(self._address)


@dataclass(frozen=True, slots=True)
class _Guarded:
    """Turns a failed connection into the sentence that helps: what is not there, and how to start it."""

    address: str

    def __enter__(self) -> None:
        return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
            raise NotRunning(f"nothing answers at {self.address}; start it with `lane up`") from error
        if isinstance(error, httpx2.HTTPError):
            raise LaneMisbehaved(
                "cluster", f"the answer broke off ({type(error).__name__}); see `lane status`"
            ) from error


def read_key(settings: Settings, name: str | None = None) -> str:
    """Return a key minted on this box: the one of that name (`org/key id`), else the first. Raises `NotRunning` without any."""
    try:
        keys: dict[str, str] = orjson.loads(settings.keys_file.read_bytes())
    except FileNotFoundError as error:
        raise NotRunning(f"no API key in {settings.keys_file} yet; `lane up` makes one") from error
    except (OSError, orjson.JSONDecodeError) as error:
        raise NotAuthenticated(f"{settings.keys_file} can't be read ({type(error).__name__})") from error
    if not keys:
        raise NotAuthenticated(
            f"{settings.keys_file} holds no key: no tenant of the bundle has one with `minted: true`"
        )
    if name is None:
        return next(iter(keys.values()))
    if name not in keys:
        raise NotAuthenticated(f"no key {name!r} in {settings.keys_file}; it holds {', '.join(keys)}")
    return keys[name]


def _body(text: str, model: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}]}


def _headers(session: str | None) -> dict[str, str]:
    return {} if session is None else {"x-lane-session": session}


def _check(response: httpx2.Response) -> None:
    """Raise `ClusterAnswered` for an error, in the words and under the code that the cluster gave it."""
    if response.is_success:
        return
    trace = f" (trace {_trace(response)})" if _trace(response) else ""
    match _json(response.content):
        case {"error": {"message": str(message), "code": str(code)}}:
            raise ClusterAnswered(f"{message}{trace}", code, response.status_code)
        case _:
            raise ClusterAnswered(
                f"HTTP {response.status_code} without a reason{trace}", "bad_answer", response.status_code
            )


def _pieces(response: httpx2.Response) -> Iterator[str]:
    """Read server-sent events up to the end mark; an error event ends the stream as an error."""
    for line in response.iter_lines():
        if line == "data: [DONE]":
            return
        if not line.startswith("data: "):
            continue
        match _json(line.removeprefix("data: ")):
            case {"error": {"message": str(message), "code": str(code)}}:
                raise ClusterAnswered(f"{message} (trace {_trace(response)})", code, response.status_code)
            case {"choices": [{"delta": dict(delta)}, *_]}:
                yield _said(delta)
            case _:
                pass  # The usage, which comes without choices.
    raise LaneMisbehaved("cluster", f"the answer broke off (trace {_trace(response)})")


def _said(message: dict[str, Any]) -> str:
    calls = (call.get("function", {}).get("arguments") or "" for call in message.get("tool_calls") or ())
    return "".join((message.get("content") or "", message.get("refusal") or "", *calls))


def _trace(response: httpx2.Response) -> str:
    return str(response.headers.get("x-lane-trace-id", ""))


def _json(body: bytes | str) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
