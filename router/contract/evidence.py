"""What happened to a request? Append-only events, and the record that they fold into."""

from typing import Annotated, Final, Literal

from pydantic import Field

from router.contract.atoms import CONTRACT_VERSION, Cause, Channel, Frozen, RiskTier, Sha256, TraceId
from router.contract.decision import Decision, Depth, PolicyFired
from router.contract.labels import Label

ArgumentsBy = Literal["pattern", "reading", "model"]
ARGUMENTS_SAID: Final = "arguments_said"
"""The contract by whose name it is recorded whether what a model read out of a request stands in the request."""


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
    stage: Literal["retrieval", "tool", "rung"]
    name: str
    because: str


class Retrieved(Frozen):
    """An index was asked for context: how deep, how many chunks came and became part of the prompt, and how long it took."""

    kind: Literal["retrieved"] = "retrieved"
    index: str
    depth: Depth
    chunks: int
    used: int
    seconds: float


class ContextUsed(Frozen):
    """A retrieved chunk that became part of the prompt."""

    kind: Literal["context_used"] = "context_used"
    chunk_id: str
    chunk_sha256: Sha256
    index: str = ""
    doc: str = ""
    score: float = 0.0
    label: Label = Label()


class ToolCalled(Frozen):
    """A server-side tool call: its arguments and result by hash, how it ended (`ok`, or an error's code), and by whose approval.

    `arguments_by`: found in the request's text by pattern, read out of it by a model, or the model's own where it called the tool itself.
    None: written before that was kept, or a call that went on after an approval.
    """

    kind: Literal["tool_called"] = "tool_called"
    name: str
    arguments_sha256: Sha256
    result_sha256: Sha256 | None
    ended: str
    side_effect: Literal["read", "write", "irreversible"] = "read"
    source: str = ""
    approval: str | None = None
    label: Label = Label()
    cost_usd: float = 0.0
    seconds: float = 0.0
    arguments_by: ArgumentsBy | None = None


class ApprovalAsked(Frozen):
    """A person's yes is needed for exactly these arguments of this tool."""

    kind: Literal["approval_asked"] = "approval_asked"
    approval: str
    tool: str
    arguments_sha256: Sha256
    expires_at: float


class ApprovalSettled(Frozen):
    """An approval was granted, denied, used or expired: by which key, and why."""

    kind: Literal["approval_settled"] = "approval_settled"
    approval: str
    outcome: Literal["granted", "denied", "used", "expired"]
    by: str | None = None
    because: str | None = None


class Escalated(Frozen):
    """A request or its answer was put before a person: in which queue, under which ticket, and why."""

    kind: Literal["escalated"] = "escalated"
    ticket: str
    queue: str
    because: str


class PersonAnswered(Frozen):
    """A person settled what was escalated: answered it, edited the answer, let it pass or declined."""

    kind: Literal["person_answered"] = "person_answered"
    ticket: str
    by: str
    outcome: Literal["answered", "edited", "passed", "declined"]
    answer_sha256: Sha256 | None = None


class EscalationExpired(Frozen):
    """Nobody answered what was escalated before its time was over."""

    kind: Literal["escalation_expired"] = "escalation_expired"
    ticket: str


class Waited(Frozen):
    """The request waited: in a lane's queue, for a retry, or for what a provider asked for."""

    kind: Literal["waited"] = "waited"
    lane: str
    seconds: float
    because: str


class Resumed(Frozen):
    """A stream that broke off was gone on with by another attempt, after so many characters."""

    kind: Literal["resumed"] = "resumed"
    attempt: int
    lane: str
    characters: int
    partial_sha256: Sha256


class Released(Frozen):
    """When the first piece of an answer went out to the caller, and by which rule: milliseconds after the request came in.

    `lane_ms`: when the lane's own first token had come. `streamed`: the caller asked for a stream; without, an answer goes out whole.
    """

    kind: Literal["released"] = "released"
    attempt: int
    lane: str
    risk_tier: RiskTier
    release: Literal["live", "window", "hold"]
    window_tokens: int | None = None
    streamed: bool
    lane_ms: float
    first_content_ms: float


class Checked(Frozen):
    """An answer was looked at before it went out, and what came of it."""

    kind: Literal["checked"] = "checked"
    attempt: int
    check: str
    outcome: Literal["passed", "amended", "withheld"]
    because: str | None = None


class BudgetSettled(Frozen):
    """What this request took of its tenant's budget: US dollars, tokens, tool calls, chunks, and lanes' time."""

    kind: Literal["budget_settled"] = "budget_settled"
    org: str
    cost_usd: float
    input_tokens: int
    output_tokens: int
    tool_calls: int
    context_chunks: int
    latency_seconds: float = 0.0


class AttemptStarted(Frozen):
    """A lane was asked: for the answer, or for the arguments of a tool (`arguments_of`)."""

    kind: Literal["attempt_started"] = "attempt_started"
    attempt: int
    lane: str
    model: str
    on: Cause
    arguments_of: str | None = None


class AttemptEnded(Frozen):
    """How an attempt ended: `stop`, `length`, `tool_calls`, `refusal`, a cause of failure, or `cancelled`.

    `cached_tokens`: those of the input that the lane says it had cached; `cost_usd` counts them at their own price.
    """

    kind: Literal["attempt_ended"] = "attempt_ended"
    attempt: int
    lane: str
    model: str
    ended: str
    because: str | None = None
    model_version: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: float | None = None
    first_token_seconds: float | None = None
    seconds: float
    arguments_of: str | None = None


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
    """The answer was held against its output contract. `repair`: it was the second try, asked for with the errors of the first."""

    kind: Literal["validated"] = "validated"
    attempt: int
    contract: str
    valid: bool
    errors: tuple[str, ...] = ()
    repair: bool = False


class Finished(Frozen):
    """The one terminal event of a request."""

    kind: Literal["finished"] = "finished"
    status: int
    ended: Literal[
        "answered",
        "decided",
        "refused",
        "approval",
        "clarify",
        "escalated",
        "denied",
        "failed",
        "cancelled",
        "bad_request",
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
    | Retrieved
    | ContextUsed
    | ToolCalled
    | ApprovalAsked
    | ApprovalSettled
    | Escalated
    | PersonAnswered
    | EscalationExpired
    | Waited
    | AttemptStarted
    | AttemptEnded
    | Resumed
    | Released
    | Redacted
    | Egress
    | Validated
    | Checked
    | BudgetSettled
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
    retrievals: tuple[Retrieved, ...] = ()
    context: tuple[ContextUsed, ...] = ()
    tool_calls: tuple[ToolCalled, ...] = ()
    approvals: tuple[ApprovalAsked | ApprovalSettled, ...] = ()
    escalations: tuple[Escalated | PersonAnswered | EscalationExpired, ...] = ()
    waits: tuple[Waited, ...] = ()
    attempts: tuple[AttemptEnded, ...] = ()
    unfinished_attempts: tuple[AttemptStarted, ...] = ()
    resumptions: tuple[Resumed, ...] = ()
    releases: tuple[Released, ...] = ()
    redactions: tuple[Redacted, ...] = ()
    egress: tuple[Egress, ...] = ()
    validations: tuple[Validated, ...] = ()
    checks: tuple[Checked, ...] = ()
    spent: tuple[BudgetSettled, ...] = ()
    finished: Finished | None = None
    policies: tuple[PolicyFired, ...] = ()
    writers: tuple[str, ...] = ()
    started_at: float
    ended_at: float | None = None
