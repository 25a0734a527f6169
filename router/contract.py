"""What goes into a decision, what comes out of it, and what is kept of it: RouteRequest, Decision, Evidence.

Every type here is frozen, refuses unknown fields and prints the same JSON for the same value. The JSON Schemas under
`docs/contract/` are written from these types by `make contract`; CI checks that they agree.
"""

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

CONTRACT_VERSION: Final = "1"

Level = Literal["public", "internal", "confidential", "restricted"]
LEVELS: Final[tuple[Level, ...]] = ("public", "internal", "confidential", "restricted")
RiskTier = Literal["low", "elevated", "high", "restricted"]
RISK_TIERS: Final[tuple[RiskTier, ...]] = ("low", "elevated", "high", "restricted")
Concern = Literal["clear", "suspected", "flagged"]
"""How much a request looks like an attack, or like help to do harm: an alarm's score, in bands that the bundle sets."""
CONCERNS: Final[tuple[Concern, ...]] = ("clear", "suspected", "flagged")
Channel = Literal["web", "app", "api"]
Task = Literal["generate", "embed"]
Mode = Literal["chat", "batch"]
Cause = Literal[
    "start", "boundary", "timeout", "connection", "overload", "rate_limit", "schema_failure", "refusal", "stream_cut"
]
"""Why a rung is tried: `start` opens a ladder, `boundary` follows a rung that policy closed, the rest follow a failure."""
Effect = Literal["permit", "forbid", "default_deny", "route", "tier"]
Action = Literal["answer", "refuse", "approval", "clarify"]

TraceId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,127}$")]


class Frozen(BaseModel):
    """A value of the contract: immutable, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


# ------------------------------------------------------------------ labels


class Label(Frozen):
    """How sensitive a text is, what kinds of data it holds, and whose law it is under. A join semilattice: labels only rise."""

    level: Level = "public"
    categories: tuple[str, ...] = ()
    jurisdictions: tuple[str, ...] = ()

    @field_validator("categories", "jurisdictions")
    @classmethod
    def _as_a_sorted_set(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(set(value)))


class Finding(Frozen):
    """One thing a detector saw, where it saw it, and how sure it is. The text itself is never kept.

    `message` is the index of the message, `start` and `end` are character offsets in that message's text as it was sent.
    """

    entity: str
    category: str
    message: int = 0
    start: int
    end: int
    score: float = Field(ge=0, le=1)
    detector: str


# ------------------------------------------------------------------ the request


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
    """One turn. `label` is what is already known of it, from ingestion or an earlier turn; it can only raise."""

    role: Literal["system", "user", "assistant", "tool"]
    content: tuple[Part, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    label: Label = Label()

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
    client_tools: tuple[ToolSpec, ...] = ()
    tool_choice: str | None = None
    labels: Label = Label()
    model: str = "auto"
    response_format: ResponseFormat = ResponseFormat()
    sampling: Sampling = Sampling()
    limits: Limits = Limits()
    stream: bool = False
    task: Task = "generate"


# ------------------------------------------------------------------ the decision


class RetrievalPlan(Frozen):
    """Which context to fetch: the index, how many chunks, and whether they are reranked."""

    index: str
    top_k: int = Field(ge=1, le=200)
    reranker: Literal["on", "off"] = "off"


class ToolPlan(Frozen):
    """A server-side tool this answer may (or must) use, and whether a person must approve it first."""

    name: str
    required: bool = False
    needs_approval: bool = False


class OutputContract(Frozen):
    """What the answer must look like. `schema` names one of the bundle's contracts, or `request` for the caller's own."""

    type: Literal["text", "json"] = "text"
    schema_name: str | None = Field(default=None, alias="schema")
    citations: bool = False

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True, hide_input_in_errors=True
    )


class Redacts(Frozen):
    """What a rung takes out of the prompt before it sends it: data of these categories. `label` is that of the rest, scanned again."""

    categories: tuple[str, ...]
    label: Label


class Rung(Frozen):
    """One step of the ladder: the lane, its model, the causes that lead to it, and what it takes out first."""

    lane: str
    model: str
    on: tuple[Cause, ...]
    redacts: Redacts | None = None


class ClosedRung(Frozen):
    """A rung that was wanted and may not be used, and why. It never comes back in this plan."""

    lane: str
    model: str
    because: str
    policies: tuple[str, ...] = ()


class PolicyFired(Frozen):
    """A rule that spoke: its ID, what it did, and the reason it carries."""

    id: str
    effect: Effect
    because: str


class Budgets(Frozen):
    """What this answer may cost at most."""

    latency_seconds: float = 120.0
    first_token_seconds: float = 30.0
    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 512
    tool_calls: int = 0
    context_chunks: int = 0


class Alarm(Frozen):
    """How much a text looks like something unwanted, and whether that is enough to act upon."""

    score: float = Field(default=0.0, ge=0, le=1)
    flag: bool = False


class Topic(Frozen):
    """What the request is about. Topic raises the tier, never the label: a question about severance holds nobody's data.

    `attack`: it tries to turn the model against its instructions (jailbreak, injection). `harm`: it asks for help to do harm.
    """

    intent: str
    confidence: float = Field(ge=0, le=1)
    domain: str
    mode: Mode
    out_of_scope: bool = False
    state_changing: bool = False
    regulated: tuple[str, ...] = ()
    attack: Alarm = Alarm()
    harm: Alarm = Alarm()
    difficulty: float | None = None


SpanBecause = Literal["found", "late", "declared", "inherited", "unread", "unknown"]
"""Why a part of a prompt is above public: a detector saw it, or a later look did; tenant, route, caller or ingestion said so; the
session held it; nobody could read it; the session's owner could not be asked."""


class SpanLabel(Frozen):
    """A part of a prompt that is above public. `message` is its index, -1 what goes with the messages, null the request as a whole."""

    message: int | None
    label: Label
    because: SpanBecause


class Decision(Frozen):
    """The whole plan for one request, with its reasons. Pure: equal inputs give equal bytes.

    `action` other than `answer` is a planned end without a model call: a refusal, a person's approval, a clarifying question;
    `message` is then what the caller reads. `label` is the join over `spans`, the parts of the prompt that are above public.
    `client_tools`: whether the caller's own tools go along. `ladder[0]` is where the request goes first; it is empty exactly when
    nothing may answer.
    """

    contract_version: Literal["1"] = CONTRACT_VERSION
    action: Action = "answer"
    message: str | None = None
    route: str
    risk_tier: RiskTier
    topic: Topic
    label: Label
    attack: Concern = "clear"
    harm: Concern = "clear"
    spans: tuple[SpanLabel, ...] = ()
    findings: tuple[Finding, ...] = ()
    lane: str | None
    model: str | None
    sampling: Sampling
    retrieval: RetrievalPlan | None = None
    tools: tuple[ToolPlan, ...] = ()
    client_tools: bool = True
    output_contract: OutputContract = OutputContract()
    fallback: dict[str, str] = Field(default_factory=dict)
    ladder: tuple[Rung, ...] = ()
    closed: tuple[ClosedRung, ...] = ()
    budgets: Budgets = Budgets()
    policies: tuple[PolicyFired, ...] = ()
    bundle_hash: str
    classifier: str

    def short(self) -> "ShortDecision":
        """Return the form that people read and applications log."""
        return ShortDecision(
            route=self.route,
            risk_tier=self.risk_tier,
            model=self.lane,
            retrieval=self.retrieval,
            tools=tuple(ShortTool(name=tool.name, required=tool.required) for tool in self.tools),
            output_contract=ShortOutput(type=self.output_contract.type, schema_name=self.output_contract.schema_name),
            fallback=self.fallback,
        )


class ShortTool(Frozen):
    """A tool in the short form."""

    name: str
    required: bool


class ShortOutput(Frozen):
    """The output contract in the short form."""

    type: Literal["text", "json"]
    schema_name: str | None = Field(alias="schema")

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, serialize_by_alias=True)


class ShortDecision(Frozen):
    """A decision on one line: `model` is the lane, `fallback` names ladders of the bundle by cause."""

    route: str
    risk_tier: RiskTier
    model: str | None
    retrieval: RetrievalPlan | None
    tools: tuple[ShortTool, ...]
    output_contract: ShortOutput
    fallback: dict[str, str]


# ------------------------------------------------------------------ the evidence


class Accepted(Frozen):
    """A request came in. Text is not kept here: hashes of it are. `key` is the ID of the tenant's key that it came with."""

    kind: Literal["accepted"] = "accepted"
    org: str | None
    key: str | None = None
    user: str | None
    channel: Channel
    requested_model: str
    request_sha256: Sha256
    message_count: int
    character_count: int


class Decided(Frozen):
    """A decision was made. The second and later ones narrow the first; `because` says what changed."""

    kind: Literal["decided"] = "decided"
    decision: Decision
    because: str = "request"
    decide_microseconds: int


class Skipped(Frozen):
    """A planned stage did not run, and why: the plan and what happened may differ, silently never."""

    kind: Literal["skipped"] = "skipped"
    stage: Literal["retrieval", "tool"]
    name: str
    because: str


class ContextUsed(Frozen):
    """A retrieved chunk that became part of the prompt."""

    kind: Literal["context_used"] = "context_used"
    chunk_id: str
    chunk_sha256: Sha256


class ToolCalled(Frozen):
    """A server-side tool call with its arguments and result, by hash where the tier keeps no text."""

    kind: Literal["tool_called"] = "tool_called"
    name: str
    arguments_sha256: Sha256
    result_sha256: Sha256 | None
    ended: str


class AttemptStarted(Frozen):
    """A lane was asked."""

    kind: Literal["attempt_started"] = "attempt_started"
    attempt: int
    lane: str
    model: str
    on: Cause


class AttemptEnded(Frozen):
    """How an attempt ended: `stop`, `length`, `tool_calls`, `refusal`, a cause of failure, or `cancelled`."""

    kind: Literal["attempt_ended"] = "attempt_ended"
    attempt: int
    lane: str
    model: str
    ended: str
    because: str | None = None
    model_version: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_usd: float | None = None
    first_token_seconds: float | None = None
    seconds: float


class Egress(Frozen):
    """What the door reported of one send: the bytes' hash and length, where they went, and its ledger's entry."""

    kind: Literal["egress"] = "egress"
    attempt: int
    lane: str
    provider: str
    body_sha256: Sha256
    body_bytes: int
    permit_nonce: str
    ledger_entry: str
    allowed: bool
    because: str


class Redacted(Frozen):
    """A prompt was redacted before it left: how many values of which kinds, never the values. `label` is that of what was sent."""

    kind: Literal["redacted"] = "redacted"
    attempt: int
    lane: str
    categories: tuple[str, ...]
    entities: dict[str, int]
    label: Label


class Validated(Frozen):
    """The answer was held against its output contract."""

    kind: Literal["validated"] = "validated"
    attempt: int
    contract: str
    valid: bool
    errors: tuple[str, ...] = ()


class Finished(Frozen):
    """The one terminal event of a request."""

    kind: Literal["finished"] = "finished"
    status: int
    ended: Literal[
        "answered", "decided", "refused", "approval", "clarify", "denied", "failed", "cancelled", "bad_request"
    ]
    because: str | None = None
    lane: str | None = None
    model: str | None = None
    answer_sha256: Sha256 | None = None
    seconds: float


EvidenceEvent = Annotated[
    Accepted
    | Decided
    | Skipped
    | ContextUsed
    | ToolCalled
    | AttemptStarted
    | AttemptEnded
    | Redacted
    | Egress
    | Validated
    | Finished,
    Field(discriminator="kind"),
]


class EvidenceEntry(Frozen):
    """One appended event: whose it is, who wrote it, in which order, and when (Unix seconds, UTC)."""

    trace_id: TraceId
    writer: str
    sequence: int = Field(ge=0)
    at: float
    event: EvidenceEvent


class Evidence(Frozen):
    """The record of one request: the fold of its entries, in the order of their writers' sequences."""

    contract_version: Literal["1"] = CONTRACT_VERSION
    trace_id: TraceId
    accepted: Accepted | None = None
    decisions: tuple[Decided, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    context: tuple[ContextUsed, ...] = ()
    tool_calls: tuple[ToolCalled, ...] = ()
    attempts: tuple[AttemptEnded, ...] = ()
    unfinished_attempts: tuple[AttemptStarted, ...] = ()
    redactions: tuple[Redacted, ...] = ()
    egress: tuple[Egress, ...] = ()
    validations: tuple[Validated, ...] = ()
    finished: Finished | None = None
    policies: tuple[PolicyFired, ...] = ()
    writers: tuple[str, ...] = ()
    started_at: float
    ended_at: float | None = None
