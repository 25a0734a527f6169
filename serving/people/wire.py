"""What is asked of the owner of approvals and tickets, and what it answers: values, because errors don't cross process lines well."""

from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter

from router.approvals import Approval, Binding, Terms
from router.contract import Frozen
from router.errors import (
    ApprovalDenied,
    ApprovalExpired,
    ApprovalMismatch,
    ApprovalPending,
    ApprovalUnknown,
    ApprovalUsed,
    NotPermitted,
    RouterError,
    StateUnavailable,
    TicketSettled,
    TicketUnknown,
)
from serving.people.parked import Parked, Result, Standing, Ticket


class AskApproval(Frozen):
    """Keep this question."""

    kind: Literal["ask_approval"] = "ask_approval"
    id: str
    binding: Binding
    arguments: str
    terms: Terms


class LookApproval(Frozen):
    """How does this approval stand? `shown`: with its arguments."""

    kind: Literal["look_approval"] = "look_approval"
    org: str
    id: str
    shown: bool = False


class Listing(Frozen):
    """Which are there?"""

    kind: Literal["list_approvals", "list_tickets"]
    org: str
    waiting: bool


class SettleApproval(Frozen):
    """A key says yes or no."""

    kind: Literal["settle_approval"] = "settle_approval"
    org: str
    id: str
    outcome: Literal["granted", "denied"]
    by: str
    because: str | None


class ConsumeApproval(Frozen):
    """Use this yes up for this call."""

    kind: Literal["consume_approval"] = "consume_approval"
    id: str
    binding: Binding


class TakeExpired(Frozen):
    """Which approvals and escalations have expired without anybody's having recorded it? Whoever asks records it."""

    kind: Literal["take_expired"] = "take_expired"


class ToldExpired(Frozen):
    """The expiry of these is on record."""

    kind: Literal["told_expired"] = "told_expired"
    approvals: tuple[str, ...]
    tickets: tuple[str, ...]


class Park(Frozen):
    """Keep this request until a person has spoken."""

    kind: Literal["park"] = "park"
    id: str
    org: str
    standing: Standing
    parked: Parked
    seconds: float = Field(gt=0)


class OneTicket(Frozen):
    """How does this request stand, what is kept of it, and may this replica go on with it (`claim`)?"""

    kind: Literal["look_ticket", "open_parked", "claim"]
    org: str
    id: str


class Finish(Frozen):
    """Keep what came of it."""

    kind: Literal["finish"] = "finish"
    org: str
    id: str
    standing: Standing
    result: Result


class Approvals(Frozen):
    """Approvals: one, or a list."""

    kind: Literal["approvals"] = "approvals"
    approvals: tuple[Approval, ...]


class Tickets(Frozen):
    """Tickets: one, or a list; with one, what came of it and what is kept of it, as far as it was asked for and is there."""

    kind: Literal["tickets"] = "tickets"
    tickets: tuple[Ticket, ...]
    result: Result | None = None
    parked: Parked | None = None


class Expired(Frozen):
    """What expired and is not on record yet."""

    kind: Literal["expired"] = "expired"
    approvals: tuple[Approval, ...] = ()
    tickets: tuple[Ticket, ...] = ()


class Refused(Frozen):
    """No: the error's code, and its words."""

    kind: Literal["refused"] = "refused"
    code: str
    because: str
    tool: str | None = None

    @classmethod
    def of(cls, error: RouterError) -> "Refused":
        """Return an error as a value."""
        return cls(code=error.code, because=getattr(error, "because", str(error)), tool=getattr(error, "tool", None))

    def error(self) -> RouterError:
        """Return the error again. One that nobody knows here means that the state can't be had."""
        if (about_tool := _OF_A_TOOL.get(self.code)) is not None:
            return about_tool(self.tool or "", self.because)
        kind = _PLAIN.get(self.code, StateUnavailable)
        return kind(self.because)


_OF_A_TOOL: Final = {
    kind.code: kind for kind in (ApprovalDenied, ApprovalExpired, ApprovalMismatch, ApprovalPending, ApprovalUsed)
}
_PLAIN: Final[dict[str, type[RouterError]]] = {
    kind.code: kind for kind in (ApprovalUnknown, NotPermitted, StateUnavailable, TicketSettled, TicketUnknown)
}
PeopleAsk = Annotated[
    AskApproval
    | LookApproval
    | Listing
    | SettleApproval
    | ConsumeApproval
    | TakeExpired
    | ToldExpired
    | Park
    | OneTicket
    | Finish,
    Field(discriminator="kind"),
]
PeopleAnswer = Annotated[Approvals | Tickets | Expired | Refused, Field(discriminator="kind")]
ASK: Final[TypeAdapter[PeopleAsk]] = TypeAdapter(PeopleAsk)
ANSWER: Final[TypeAdapter[PeopleAnswer]] = TypeAdapter(PeopleAnswer)
