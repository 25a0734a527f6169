"""What is asked? Messages, who asks and for whom, what the caller allows and wants back."""

from typing import Annotated, Literal

from pydantic import Field

from router.contract.atoms import CONTRACT_VERSION, Channel, Frozen, Level, Mode, Task
from router.contract.labels import Label


class TextPart(Frozen):
    """Text."""

    type: Literal["text"] = "text"
    text: str


class ImagePart(Frozen):
    """An image carried in the request itself (base64). Remote addresses are refused: fetching them is a way out and a way in."""

    type: Literal["image"] = "image"
    media_type: str
    data: str


Part = Annotated[TextPart | ImagePart, Field(discriminator="type")]


class ToolCall(Frozen):
    """A call that a model asked for. `arguments` is the JSON text exactly as the model wrote it."""

    id: str
    name: str
    arguments: str


class Message(Frozen):
    """One turn. `label` is what is already known of it, from ingestion or an earlier turn; it can only raise.

    `origin`: who put it there. Callers can say nothing but `caller`; `context` is retrieved text and `tool` the result of a tool of
    ours: both are read for their label, and neither says what the request is about.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: tuple[Part, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    label: Label = Label()
    origin: Literal["caller", "context", "tool"] = "caller"

    @property
    def text(self) -> str:
        """The message's text parts and tool arguments, a line each."""
        parts = [part.text for part in self.content if isinstance(part, TextPart)]
        return "\n".join([*parts, *(call.arguments for call in self.tool_calls)])

    @property
    def is_text(self) -> bool:
        """Whether all of it can be read: no image, no file."""
        return all(isinstance(part, TextPart) for part in self.content)


class ToolSpec(Frozen):
    """A tool of the client's own, passed through untouched. `parameters_json` is its JSON Schema as JSON text."""

    name: str
    description: str = ""
    parameters_json: str = "{}"


class ResponseFormat(Frozen):
    """The shape the caller asked for. `json_schema` is the JSON Schema as JSON text when `type` is `json_schema`."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    name: str = "response"
    json_schema: str | None = None


class Sampling(Frozen):
    """Decoding as the caller asked for it; None leaves the route's or the model's own.

    `ignore_eos` has the answer go on to its token limit: load tools need answers of a set length. Private lanes alone can.
    """

    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    seed: int | None = None
    stop: tuple[str, ...] = Field(default=(), max_length=4)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    logprobs: bool = False
    top_logprobs: int = Field(default=0, ge=0, le=20)
    ignore_eos: bool = False


class Limits(Frozen):
    """What the caller will spend at most: answer tokens and seconds."""

    max_tokens: int | None = Field(default=None, ge=1)
    deadline_seconds: float | None = Field(default=None, gt=0)


class RouteRequest(Frozen):
    """Everything a decision may depend on, beside the bundle and the state.

    `task`: an answer, or each message's embedding.
    `org` is the tenant and comes from the API key, never from the body; so do `allowed_lanes` (none listed: all of the tenant's).
    `clearance` is the key's too: nothing above it is looked up for this request, or shown in its answer.
    `labels` are declared by tenant, route or header and can only raise what the scan finds. `mode` None lets the classifier decide.
    """

    contract_version: Literal["1"] = CONTRACT_VERSION
    messages: tuple[Message, ...] = Field(min_length=1)
    session: str | None = Field(default=None, max_length=128)
    org: str
    user: str | None = Field(default=None, max_length=256)
    metadata: dict[str, str] = Field(default_factory=dict)
    channel: Channel = "api"
    mode: Mode | None = None
    allowed_tools: tuple[str, ...] = ()
    allowed_lanes: tuple[str, ...] = ()
    clearance: Level = "restricted"
    client_tools: tuple[ToolSpec, ...] = ()
    tool_choice: str | None = None
    labels: Label = Label()
    model: str = "auto"
    response_format: ResponseFormat = ResponseFormat()
    sampling: Sampling = Sampling()
    limits: Limits = Limits()
    stream: bool = False
    task: Task = "generate"
