"""What does this HTTP request ask for? An OpenAI chat body and documented headers become a RouteRequest, or a clear 400.

A field that would be dropped in silence is refused: the caller would believe that it took effect.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar, get_args

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from router.contract import Channel, Label, Limits, Mode, ResponseFormat, RouteRequest, Sampling, ToolSpec
from router.enforce import refuse_unenforceable
from router.errors import BadRequest, UnsupportedField
from router.validate import check_schema
from serving.api.messages import parse_messages

MOST_BODY_BYTES: Final = 16 * 1024 * 1024
Model = TypeVar("Model", bound=BaseModel)
_HEADER_PREFIX: Final = "x-lane-"
_HEADERS: Final = frozenset(
    _HEADER_PREFIX + name for name in ("session", "channel", "mode", "allowed-tools", "labels", "deadline-seconds")
)
_HARMLESS: Final = {"store": (False,), "service_tier": ("auto", "default"), "parallel_tool_calls": (True,), "n": (1,)}
"""Fields of OpenAI's that may be sent with these values, which ask for nothing."""


class _StreamOptions(BaseModel):
    model_config = ConfigDict(extra="forbid")
    include_usage: bool = False
    include_obfuscation: bool = False


class _ChatBody(BaseModel):
    """The fields of `POST /v1/chat/completions` that this gateway honours."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    model: str
    messages: list[dict[str, Any]] = Field(min_length=1)
    stream: bool = False
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    stop: str | list[str] | None = None
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    ignore_eos: bool | None = None
    response_format: dict[str, Any] | None = None
    tools: list[dict[str, Any]] = Field(default_factory=list, max_length=128)
    tool_choice: str | dict[str, Any] | None = None
    user: str | None = Field(default=None, max_length=256)
    metadata: dict[str, str] = Field(default_factory=dict, max_length=16)


@dataclass(frozen=True, slots=True)
class ChatAsk:
    """A parsed call: the request, and how the answer is to be sent."""

    request: RouteRequest
    include_usage: bool

    @property
    def stream(self) -> bool:
        """Whether the answer is sent piece by piece."""
        return self.request.stream


def parse_chat(body: bytes, headers: Mapping[str, str], org: str) -> ChatAsk:
    """Parse a body and headers into what is asked. `org` comes from the API key.

    Headers: `x-lane-session`, `x-lane-channel`, `x-lane-mode`, `x-lane-allowed-tools`, `x-lane-labels`, `x-lane-deadline-seconds`.
    Raises `BadRequest` (or `UnsupportedField`) naming the field.
    """
    refuse_unknown_headers(headers)
    chat = _chat_body(body)
    options = chat.stream_options or _StreamOptions()
    request = checked(
        RouteRequest,
        messages=parse_messages(chat.messages),
        session=headers.get("x-lane-session"),
        org=org,
        user=chat.user,
        metadata=chat.metadata,
        channel=_one_of("x-lane-channel", headers.get("x-lane-channel", "api"), get_args(Channel)),
        mode=_one_of("x-lane-mode", headers.get("x-lane-mode"), (*get_args(Mode), None)),
        allowed_tools=_names(headers.get("x-lane-allowed-tools", "")),
        client_tools=tuple(_tool(index, tool) for index, tool in enumerate(chat.tools)),
        tool_choice=_tool_choice(chat.tool_choice),
        labels=parse_labels(headers.get("x-lane-labels", "")),
        model=chat.model,
        response_format=_response_format(chat.response_format),
        sampling=_sampling(chat),
        limits=_limits(chat, headers.get("x-lane-deadline-seconds")),
        stream=chat.stream,
    )
    return ChatAsk(request, include_usage=options.include_usage)


def refuse_unknown_headers(headers: Mapping[str, str]) -> None:
    """Raise `UnsupportedField` for a header of ours that would be dropped in silence."""
    unknown = sorted(
        name for name in map(str.lower, headers) if name.startswith(_HEADER_PREFIX) and name not in _HEADERS
    )
    if unknown:
        raise UnsupportedField(f"{unknown[0]}: not a header that this gateway honours; leave it out", unknown[0])


def json_object(body: bytes) -> dict[str, Any]:
    """Return the fields that a body sets. Raises `BadRequest`."""
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the body is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise BadRequest("the body must be a JSON object")
    return {name: value for name, value in fields.items() if value is not None}


def _chat_body(body: bytes) -> _ChatBody:
    asked = json_object(body)
    for name, harmless in _HARMLESS.items():
        if name in asked and asked.pop(name) not in harmless:
            raise UnsupportedField(f"{name}: only {' or '.join(str(value) for value in harmless)} is served here", name)
    unknown = [name for name in asked if name not in _ChatBody.model_fields]
    if unknown:
        raise UnsupportedField(f"{unknown[0]}: not a field that this gateway honours; leave it out", unknown[0])
    return checked(_ChatBody, **asked)


def checked(model: type[Model], /, **fields: Any) -> Model:
    """Validate, and turn the first complaint into a 400 that names the field (never its value)."""
    try:
        return model(**fields)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = ".".join(str(step) for step in first["loc"]) or None
        raise BadRequest(f"{field}: {first['msg']}", field) from error


def _one_of(header: str, value: str | None, allowed: tuple[str | None, ...]) -> Any:
    if value not in allowed:
        raise BadRequest(f"{header}: one of {', '.join(str(one) for one in allowed if one)}", header)
    return value


def _names(listed: str) -> tuple[str, ...]:
    return tuple(name for part in listed.split(",") if (name := part.strip()))


def parse_labels(header: str) -> Label:
    """Parse `level=confidential; categories=pii,health; jurisdictions=EU`. Each part may be left out; none can lower anything."""
    parts: dict[str, Any] = {}
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if not name:
            continue
        if name not in Label.model_fields:
            raise BadRequest(
                f"x-lane-labels: unknown part {name!r}; known are level, categories, jurisdictions", "x-lane-labels"
            )
        parts[name] = value.strip() if name == "level" else _names(value)
    return checked(Label, **parts)


def _sampling(chat: _ChatBody) -> Sampling:
    stops = (chat.stop,) if isinstance(chat.stop, str) else tuple(chat.stop or ())
    return checked(
        Sampling,
        temperature=chat.temperature,
        top_p=chat.top_p,
        seed=chat.seed,
        stop=stops,
        presence_penalty=chat.presence_penalty,
        frequency_penalty=chat.frequency_penalty,
        logprobs=bool(chat.logprobs),
        top_logprobs=chat.top_logprobs or 0,
        ignore_eos=bool(chat.ignore_eos),
    )


def _limits(chat: _ChatBody, deadline: str | None) -> Limits:
    return checked(
        Limits, max_tokens=chat.max_completion_tokens or chat.max_tokens, deadline_seconds=seconds_of(deadline)
    )


def seconds_of(deadline: str | None) -> float | None:
    """Read `x-lane-deadline-seconds`. Raises `BadRequest`."""
    try:
        return None if deadline is None else float(deadline)
    except ValueError as error:
        raise BadRequest("x-lane-deadline-seconds: a number of seconds", "x-lane-deadline-seconds") from error


def _response_format(given: dict[str, Any] | None) -> ResponseFormat:
    match given:
        case None | {"type": "text"}:
            return ResponseFormat()
        case {"type": "json_object"}:
            return ResponseFormat(type="json_object")
        case {"type": "json_schema", "json_schema": {"schema": dict(schema)} as named}:
            text = orjson.dumps(schema).decode()
            check_schema(text)
            # `strict: false` asks for what can be had; left out, the caller is told now rather than by a 422 after the answer.
            if named.get("strict") is not False:
                refuse_unenforceable(text)
            return ResponseFormat(type="json_schema", name=str(named.get("name", "response")), json_schema=text)
        case _:
            raise BadRequest(
                "response_format: `text`, `json_object`, or `json_schema` with `json_schema.schema`", "response_format"
            )


def _tool(index: int, given: dict[str, Any]) -> ToolSpec:
    match given:
        case {"type": "function", "function": {"name": str(name)} as function}:
            parameters = orjson.dumps(function.get("parameters") or {}).decode()
            check_schema(parameters)
            return ToolSpec(name=name, description=str(function.get("description", "")), parameters_json=parameters)
        case _:
            raise BadRequest(f"tools[{index}]: a function with a name", f"tools[{index}]")


def _tool_choice(given: str | dict[str, Any] | None) -> str | None:
    """`auto`, `none`, `required`, or a function's name."""
    match given:
        case None | "auto" | "none" | "required":
            return given
        case {"type": "function", "function": {"name": str(name)}}:
            return name
        case _:
            raise BadRequest("tool_choice: auto, none, required, or a function by name", "tool_choice")
