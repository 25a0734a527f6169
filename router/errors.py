"""What can go wrong on the way of a request, and what the caller is told.

    RouterError
    ├── BadRequest                the request is at fault
    │   ├── UnsupportedField      a field this gateway refuses or does not know
    │   ├── ContextTooLong        the prompt does not fit the model
    │   └── SchemaRefused         a response schema no lane can enforce
    ├── NotAuthenticated          no key, a wrong one, or one whose time is over
    ├── NotPermitted              the key is good, but not for this
    ├── PolicyDenied              the boundary lets no lane answer
    ├── UnknownModel              neither a lane nor a model of the bundle
    ├── UnknownTrace              no evidence under that ID (or not yours)
    ├── ApprovalUnknown           no approval under that ID (or not yours)
    ├── TicketUnknown             no request waits under that ID (or not yours)
    ├── TicketSettled             a person has spoken already
    ├── TicketExpired             nobody spoke in time
    ├── BundleInvalid             the bundle does not check
    ├── NotProved                 nothing can be claimed of every question to the boundary
    ├── EvidenceUnavailable       evidence can't be made durable
    ├── StateUnavailable          the owner of the state can't be asked
    ├── ScanUnavailable           the deep scan can't be asked: what it would have read stays
    ├── DoorRefused               the door found the permit or the body wanting
    ├── ToolError                 a server-side tool was not called, or its answer can't be used
    │   ├── ToolUnknown           no tool of the bundle has that name
    │   ├── ToolArgumentsInvalid  the arguments break the tool's contract
    │   ├── ToolResultInvalid     its result does
    │   ├── ToolDenied            the boundary does not let it be called with these arguments
    │   ├── ApprovalNeeded        it changes something, and no person's approval came along
    │   ├── ApprovalMismatch      the approval was for another call
    │   ├── ApprovalPending       it was asked for, and nobody has said yes or no yet
    │   ├── ApprovalDenied        a person said no
    │   ├── ApprovalExpired       its time is over
    │   ├── ApprovalUsed          it was used: it is good for one call
    │   ├── ToolChanged           its definition is not the one that was approved
    │   ├── ToolLoop              a loop of model and tools reached one of its bounds
    │   ├── ToolTimeout           it did not answer in time
    │   └── ToolFailed            it could not be reached, or broke
    ├── RetrievalUnavailable      the context that the plan asks for can't be looked up
    ├── HandedToPerson            the ladder came to people: the request waits in their queue
    └── LaneFailed                an attempt ended without an answer; `cause` picks the next rung
        ├── LaneTimeout           no connection, first token, next token or end in time
        ├── LaneUnreachable       connection refused, reset, DNS, TLS
        ├── LaneOverloaded        the lane is full
        │   ├── LaneStarting      its model had no replica, and the first one is on its way
        │   └── LaneSaturated     its engines are full, and no place comes free in time
        ├── LaneRateLimited       the provider said 429
        │   └── LaneQuotaExhausted  what was paid for is used up: waiting does not help
        ├── LaneMisbehaved        malformed or cut answer
        │   └── LaneErrored       an error of the lane's own, which may pass: 5xx
        ├── FoundBeforeLeaving    the deep scan saw more than the label says; `findings` are for the next decision
        ├── BudgetExhausted       the tenant's day has too little left for it
        ├── LaneClosed            a condition of the boundary's could not be met (a redaction that did not hold)
        ├── LaneRefused           the model refused and the route goes on
        ├── AnswerWithheld        a look at the answer kept it back; `check` names which
        └── ContractViolated      the answer breaks its output contract

`outcome_of` is the one table from an error to HTTP status, OpenAI code and exit code.
"""

from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from router.contract import Cause, Finding


class RouterError(Exception):
    """Root of every failure that a caller may see. The message says what is wrong, where, and what to do."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    exit_code: ClassVar[int] = 1


class BadRequest(RouterError):
    """The request can't be understood or is not allowed in this form. `param` names the field."""

    status = 400
    code = "invalid_request"
    exit_code = 2

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


class UnsupportedField(BadRequest):
    """A field that this gateway refuses: silence would leave the caller believing it took effect."""

    code = "unsupported_parameter"


class ContextTooLong(BadRequest):
    """Prompt and answer together exceed the model's context."""

    code = "context_length_exceeded"


class SchemaRefused(BadRequest):
    """The response schema is no JSON Schema, or one that no lane can enforce."""

    code = "invalid_json_schema"


class NotAuthenticated(RouterError):
    """No API key, or one the bundle's tenants don't hold."""

    status = 401
    code = "invalid_api_key"
    exit_code = 2


class NotPermitted(RouterError):
    """The key is known, and neither its scopes nor its clearance reach what was asked."""

    status = 403
    code = "not_permitted"


class PolicyDenied(RouterError):
    """Every lane that could answer is closed to this request's label. `policies` holds the IDs that said so."""

    status = 403
    code = "policy_denied"

    def __init__(self, message: str, policies: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.policies = policies


class UnknownModel(RouterError):
    """The request names neither `auto`, a lane, nor a model."""

    status = 404
    code = "model_not_found"
    exit_code = 2


class UnknownTrace(RouterError):
    """No evidence is kept under this trace ID for this tenant."""

    status = 404
    code = "trace_not_found"


class ApprovalUnknown(RouterError):
    """No approval is kept under this ID for this tenant."""

    status = 404
    code = "approval_not_found"


class TicketUnknown(RouterError):
    """No request waits, or waited, under this ID for this tenant."""

    status = 404
    code = "request_not_found"


class TicketSettled(RouterError):
    """Something came of this request already: the first word counts."""

    status = 409
    code = "request_settled"


class TicketExpired(RouterError):
    """Nobody spoke in time, or what came of it is no longer kept."""

    status = 410
    code = "request_expired"


class BundleInvalid(RouterError):
    """The bundle does not check; the message lists every finding with file, line and mend."""

    code = "bundle_invalid"


class NotProved(RouterError):
    """Not every question to the boundary could be looked at, or what was seen can't be trusted: nothing is claimed."""

    code = "not_proved"


class EvidenceUnavailable(RouterError):
    """Evidence could not be made durable, so no answer may be completed."""

    status = 503
    code = "evidence_unavailable"


class StateUnavailable(RouterError):
    """What must be remembered (a session's label) could not be, so the request does not go on."""

    status = 503
    code = "state_unavailable"


class ScanUnavailable(RouterError):
    """The deep scan did not answer (not up, dead, too slow, asked too much). Never taken for "nothing found": the text stays."""

    status = 503
    code = "scan_unavailable"


class DoorRefused(RouterError):
    """The door would not let the body out. Never retried on another hosted lane as if it were an outage.

    `policies` holds the IDs that said so, where a policy did.
    """

    status = 403
    code = "egress_refused"

    def __init__(self, message: str, policies: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.policies = policies


class PermitOutdated(DoorRefused):
    """Another bundle came into force after the permit was given: the request is decided again under that one, and may ask once more."""

    code = "permit_outdated"


class ToolError(RouterError):
    """A server-side tool was not called, or what it answered can't be used. `because` never quotes arguments or results."""

    status = 502
    code = "tool_error"

    def __init__(self, tool: str, because: str) -> None:
        super().__init__(f"tool {tool}: {because}")
        self.tool = tool
        self.because = because

    @override
    def __reduce__(self) -> tuple[type["ToolError"], tuple[str, str]]:
        """Rebuild from the fields: the error crosses process lines."""
        return type(self), (self.tool, self.because)


class ToolUnknown(ToolError):
    """The bundle has no tool of this name, or none for this tenant."""

    status = 404
    code = "tool_not_found"
    exit_code = 2


class ToolArgumentsInvalid(ToolError):
    """The arguments break the tool's contract: it was not called. `errors` says what breaks where, without the values."""

    status = 422
    code = "tool_arguments_invalid"
    exit_code = 2

    def __init__(self, tool: str, errors: tuple[str, ...]) -> None:
        super().__init__(tool, f"its arguments break its contract: {'; '.join(errors)}")
        self.errors = errors

    @override
    def __reduce__(self) -> tuple[type["ToolArgumentsInvalid"], tuple[str, tuple[str, ...]]]:  # type: ignore[override]
        """Rebuild from the fields: the error crosses process lines."""
        return type(self), (self.tool, self.errors)


class ToolResultInvalid(ToolError):
    """The tool's result breaks its contract: none of it becomes part of a prompt. `errors` says what breaks where, without the values."""

    code = "tool_result_invalid"

    def __init__(self, tool: str, errors: tuple[str, ...]) -> None:
        super().__init__(tool, f"its result breaks its contract: {'; '.join(errors)}")
        self.errors = errors

    @override
    def __reduce__(self) -> tuple[type["ToolResultInvalid"], tuple[str, tuple[str, ...]]]:  # type: ignore[override]
        """Rebuild from the fields: the error crosses process lines."""
        return type(self), (self.tool, self.errors)


class ToolDenied(ToolError):
    """The boundary does not let this tool be called with what its arguments may hold. `policies` holds the IDs that said so."""

    status = 403
    code = "tool_denied"

    def __init__(self, tool: str, because: str, policies: tuple[str, ...] = ()) -> None:
        super().__init__(tool, because)
        self.policies = policies

    @override
    def __reduce__(self) -> tuple[type["ToolDenied"], tuple[str, str, tuple[str, ...]]]:  # type: ignore[override]
        """Rebuild from the fields: the error crosses process lines."""
        return type(self), (self.tool, self.because, self.policies)


class ApprovalNeeded(ToolError):
    """The tool changes something, and no approval of a person came with the call. `arguments` is the canonical text that needs one."""

    status = 403
    code = "approval_needed"

    def __init__(self, tool: str, because: str, arguments: str | None = None) -> None:
        super().__init__(tool, because)
        self.arguments = arguments

    @override
    def __reduce__(self) -> tuple[type["ApprovalNeeded"], tuple[str, str, str | None]]:  # type: ignore[override]
        """Rebuild from the fields: the error crosses process lines."""
        return type(self), (self.tool, self.because, self.arguments)


class ApprovalMismatch(ToolError):
    """The approval is for other arguments, another tool, another request or another tenant."""

    status = 403
    code = "approval_mismatch"


class ApprovalPending(ToolError):
    """The approval was asked for, and waits for a person."""

    status = 202
    code = "approval_pending"
    exit_code = 0


class ApprovalDenied(ToolError):
    """A person said no to this call. `because` holds their words."""

    status = 403
    code = "approval_denied"


class ApprovalExpired(ToolError):
    """Nobody said yes, or nothing was done by it, in time."""

    status = 410
    code = "approval_expired"


class ApprovalUsed(ToolError):
    """The approval was used, or settled otherwise, before: it is good for one call and one word."""

    status = 409
    code = "approval_used"


class ToolChanged(ToolError):
    """The tool's source defines it differently from what was approved (`lane tools approve`): it is not called."""

    status = 503
    code = "tool_changed"


class ToolLoop(ToolError):
    """A loop of model and tools reached its bound of calls, time, tokens or repetition."""

    code = "tool_loop"


class ToolTimeout(ToolError):
    """The tool did not answer in time. What it changes may or may not have happened: its idempotency key makes a retry safe."""

    status = 504
    code = "tool_timeout"


class ToolFailed(ToolError):
    """The tool could not be reached, or it broke."""

    code = "tool_failed"


class RetrievalUnavailable(RouterError):
    """An index is not there, or does not answer in time."""

    status = 503
    code = "retrieval_unavailable"


class HandedToPerson(RouterError):
    """Not a failure: the rung is a person, so the request waits in that queue under a ticket. The caller gets 202 and its address."""

    status = 202
    code = "waits_for_person"
    exit_code = 0

    def __init__(self, lane: str, because: str) -> None:
        super().__init__(f"lane {lane}: {because}")
        self.lane = lane
        self.because = because


class LaneFailed(RouterError):
    """An attempt on a lane ended without a usable answer."""

    status = 502
    code = "lane_failed"
    cause: ClassVar[Cause] = "connection"

    def __init__(self, lane: str, because: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(f"lane {lane}: {because}")
        self.lane = lane
        self.because = because
        self.retry_after_seconds = retry_after_seconds

    @override
    def __reduce__(self) -> tuple[type["LaneFailed"], tuple[str, str, float | None]]:
        """Rebuild from the fields: the error crosses process lines."""
        return type(self), (self.lane, self.because, self.retry_after_seconds)


class LaneTimeout(LaneFailed):
    """The lane did not connect, start, go on or end in time."""

    status = 504
    code = "lane_timeout"
    cause = "timeout"


class LaneUnreachable(LaneFailed):
    """Nothing answers at the lane's address."""

    code = "lane_unreachable"
    cause = "connection"


class LaneOverloaded(LaneFailed):
    """The lane has no room; `retry_after_seconds` says when to come back."""

    status = 503
    code = "lane_overloaded"
    cause = "overload"


class LaneStarting(LaneOverloaded):
    """The lane's model was scaled to nothing; its start takes longer than this request can wait, and goes on."""

    code = "lane_starting"


class LaneSaturated(LaneOverloaded):
    """The lane's engines are full: what may leave goes on to the next rung, what may not found no place in its time."""

    status = 429
    code = "lane_saturated"


class LaneRateLimited(LaneFailed):
    """The provider's rate limit is used up; `retry_after_seconds` says when to come back, where it said so."""

    status = 429
    code = "rate_limit_exceeded"
    cause = "rate_limit"


class LaneQuotaExhausted(LaneRateLimited):
    """The provider's account has nothing left. Never asked again for this request: only a person can mend it."""

    code = "insufficient_quota"


class BudgetExhausted(LaneFailed):
    """What this step could take is more than the tenant's daily budget has left; `retry_after_seconds` is until the day's end."""

    status = 429
    code = "budget_exhausted"
    cause = "budget"


class LaneMisbehaved(LaneFailed):
    """The lane answered with an error of its own, garbage, or a cut stream."""

    code = "lane_bad_answer"
    cause = "connection"


class LaneErrored(LaneMisbehaved):
    """The lane answered with an error of its own that may pass (5xx): it may be asked once more, a moment later."""

    code = "lane_error"


class LaneClosed(LaneFailed):
    """The lane may only be used on a condition, and that could not be met: what it redacts could not be taken out, or not put back."""

    status = 503
    code = "lane_closed"
    cause = "boundary"


class FoundBeforeLeaving(LaneFailed):
    """The last look at the exact bytes found what raises their label, so nothing was sent. `findings` are for the next decision."""

    status = 403
    code = "found_before_leaving"
    cause = "boundary"

    def __init__(self, lane: str, findings: tuple[Finding, ...]) -> None:
        kinds = ", ".join(sorted({finding.category for finding in findings}))
        super().__init__(lane, f"the deep scan found {kinds} in what was about to leave")
        self.findings = findings

    @override
    def __reduce__(self) -> tuple[type["FoundBeforeLeaving"], tuple[str, tuple[Finding, ...]]]:  # type: ignore[override]
        """Rebuild from the fields: the error crosses process lines."""
        return type(self), (self.lane, self.findings)


class LaneRefused(LaneFailed):
    """The model refused, and the route has a rung for that."""

    code = "model_refused"
    cause = "refusal"


class AnswerWithheld(LaneFailed):
    """A look at the answer kept it back: it holds what may not go out. `because` never quotes it."""

    status = 502
    code = "answer_withheld"
    cause = "check"

    def __init__(self, lane: str, check: str, because: str) -> None:
        super().__init__(lane, f"the answer was withheld by the check {check}: {because}")
        self.check = check
        self.found = because

    @override
    def __reduce__(self) -> tuple[type["AnswerWithheld"], tuple[str, str, str]]:  # type: ignore[override]
        """Rebuild from the fields: the error crosses process lines."""
        return type(self), (self.lane, self.check, self.found)


class ContractViolated(LaneFailed):
    """The answer breaks the request's output contract."""

    status = 422
    code = "contract_violated"
    cause = "schema_failure"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a caller is told: HTTP status, OpenAI `error.code` and `error.type`, and the CLI's exit code."""

    status: int
    code: str
    type: str
    exit_code: int


_TYPE_OF_STATUS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


def outcome_of(error: BaseException) -> Outcome:
    """Return the one table's row for an error; whatever is not ours is an internal error and tells nothing."""
    if not isinstance(error, RouterError):
        return Outcome(500, "internal_error", "server_error", 1)
    fallback = "invalid_request_error" if error.status < 500 else "server_error"
    return Outcome(error.status, error.code, _TYPE_OF_STATUS.get(error.status, fallback), error.exit_code)
