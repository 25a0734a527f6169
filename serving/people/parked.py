"""What is kept of a request that waits for people, how it stands, and what came of it?"""

from typing import Literal

from router.contract import Frozen, Keep, Label, RiskTier, RouteRequest, Sha256, TraceId

TicketState = Literal["waiting", "running", "done", "expired"]
WaitsFor = Literal["approval", "person"]
PersonSaid = Literal["answered", "edited", "passed", "declined"]
"""What a person did: wrote the answer, changed a draft, let a draft pass as it is, or let nothing go out."""


class PendingCall(Frozen):
    """The tool call that waits for a yes. `arguments` is its canonical text."""

    tool: str
    call_id: str
    arguments: str


class Parked(Frozen):
    """Everything that is needed to go on: the request with all its turns so far, under the limits of the key it came with.

    `draft` is the answer that a person has to look at. `json_schema` is what an answer must meet. `call` waits for a yes.
    `resume` is whatever else who goes on with it has to know, as JSON of its own.
    """

    request: RouteRequest
    model: str = ""
    draft: str | None = None
    json_schema: str | None = None
    call: PendingCall | None = None
    resume: str | None = None


class Standing(Frozen):
    """How a waiting request stands; nothing of its text. `answer_sha256`, `settled_by`: what a person said, and which key.

    `keep`: what the plan lets be kept of it once it is done, and for how long.
    """

    waits_for: WaitsFor
    trace_id: TraceId
    asked_by: str
    label: Label
    risk_tier: RiskTier
    because: str
    queue: str | None = None
    approval: str | None = None
    went_on_as: TraceId | None = None
    said: PersonSaid | None = None
    settled_by: str | None = None
    answer_sha256: Sha256 | None = None
    keep: Keep = Keep()


class Ticket(Frozen):
    """A request that waits, waited or no longer may."""

    id: str
    org: str
    standing: Standing
    state: TicketState
    asked_at: float
    expires_at: float


class Result(Frozen):
    """What came of it, as the status address hands it on: HTTP status and JSON body."""

    status: int
    body: str
