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
        │   └── ReplicaLost       a replica went while it answered; others of its lane go on
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

from router.errors.asked import (
    BadRequest,
    ContextTooLong,
    NotAuthenticated,
    NotPermitted,
    PolicyDenied,
    SchemaRefused,
    UnknownModel,
    UnknownTrace,
    UnsupportedField,
)
from router.errors.door import (
    DoorRefused,
    PermitOutdated,
)
from router.errors.kept import (
    BundleInvalid,
    EvidenceUnavailable,
    NotProved,
    RetrievalUnavailable,
    ScanUnavailable,
    StateUnavailable,
)
from router.errors.lanes import (
    AnswerWithheld,
    BudgetExhausted,
    ContractViolated,
    FoundBeforeLeaving,
    LaneClosed,
    LaneErrored,
    LaneFailed,
    LaneMisbehaved,
    LaneOverloaded,
    LaneQuotaExhausted,
    LaneRateLimited,
    LaneRefused,
    LaneSaturated,
    LaneStarting,
    LaneTimeout,
    LaneUnreachable,
    ReplicaLost,
)
from router.errors.outcome import (
    Outcome,
    outcome_of,
)
from router.errors.people import (
    ApprovalUnknown,
    HandedToPerson,
    TicketExpired,
    TicketSettled,
    TicketUnknown,
)
from router.errors.root import (
    RouterError,
)
from router.errors.tools import (
    ApprovalDenied,
    ApprovalExpired,
    ApprovalMismatch,
    ApprovalNeeded,
    ApprovalPending,
    ApprovalUsed,
    ToolArgumentsInvalid,
    ToolChanged,
    ToolDenied,
    ToolError,
    ToolFailed,
    ToolLoop,
    ToolResultInvalid,
    ToolTimeout,
    ToolUnknown,
)

__all__ = [
    "AnswerWithheld",
    "ApprovalDenied",
    "ApprovalExpired",
    "ApprovalMismatch",
    "ApprovalNeeded",
    "ApprovalPending",
    "ApprovalUnknown",
    "ApprovalUsed",
    "BadRequest",
    "BudgetExhausted",
    "BundleInvalid",
    "ContextTooLong",
    "ContractViolated",
    "DoorRefused",
    "EvidenceUnavailable",
    "FoundBeforeLeaving",
    "HandedToPerson",
    "LaneClosed",
    "LaneErrored",
    "LaneFailed",
    "LaneMisbehaved",
    "LaneOverloaded",
    "LaneQuotaExhausted",
    "LaneRateLimited",
    "LaneRefused",
    "LaneSaturated",
    "LaneStarting",
    "LaneTimeout",
    "LaneUnreachable",
    "NotAuthenticated",
    "NotPermitted",
    "NotProved",
    "Outcome",
    "PermitOutdated",
    "PolicyDenied",
    "ReplicaLost",
    "RetrievalUnavailable",
    "RouterError",
    "ScanUnavailable",
    "SchemaRefused",
    "StateUnavailable",
    "TicketExpired",
    "TicketSettled",
    "TicketUnknown",
    "ToolArgumentsInvalid",
    "ToolChanged",
    "ToolDenied",
    "ToolError",
    "ToolFailed",
    "ToolLoop",
    "ToolResultInvalid",
    "ToolTimeout",
    "ToolUnknown",
    "UnknownModel",
    "UnknownTrace",
    "UnsupportedField",
    "outcome_of",
]
