"""What does the keeper answer about approvals and about requests that wait? Each ask is one transaction of its own."""

from pathlib import Path

from router.approvals import Approval
from router.errors import RouterError
from serving.people.approvals import ApprovalBook
from serving.people.book import Book
from serving.people.moments import Now
from serving.people.seal import Seal
from serving.people.tickets import TicketBook
from serving.people.wire import (
    Approvals,
    AskApproval,
    ConsumeApproval,
    Expired,
    Finish,
    Listing,
    LookApproval,
    OneTicket,
    Park,
    PeopleAnswer,
    PeopleAsk,
    Refused,
    SettleApproval,
    TakeExpired,
    Tickets,
    ToldExpired,
)


class PeopleOwner:
    """The one owner, held by the keeper."""

    def __init__(self, path: Path, key_file: Path, now: Now) -> None:
        """Open `state.sqlite`; `key_file` is read when something is sealed or opened."""
        self._book, seal = Book(path), Seal(key_file)
        self._approvals = ApprovalBook(self._book, seal, now)
        self._tickets = TicketBook(self._book, seal, now)

    def close(self) -> None:
        """Close the file."""
        self._book.close()

    def purge(self) -> None:
        """Remove what is kept of whatever has expired."""
        self._approvals.purge()
        self._tickets.purge()

    def answer(self, ask: PeopleAsk) -> PeopleAnswer:
        """Answer one ask; what is refused is an answer as well."""
        try:
            return self._answer(ask)
        except RouterError as error:
            return Refused.of(error)

    def _answer(self, ask: PeopleAsk) -> PeopleAnswer:
        match ask:
            case AskApproval():
                return _one(self._approvals.ask(ask.id, ask.binding, ask.arguments, ask.terms))
            case LookApproval():
                return _one(self._approvals.look(ask.org, ask.id, with_arguments=ask.shown))
            case Listing():
                return self._listed(ask)
            case SettleApproval():
                return _one(self._approvals.settle(ask.org, ask.id, ask.outcome, ask.by, ask.because))
            case ConsumeApproval():
                return _one(self._approvals.consume(ask.id, ask.binding))
            case TakeExpired():
                return Expired(approvals=self._approvals.take_expired(), tickets=self._tickets.take_expired())
            case ToldExpired():
                self._approvals.expiries.told(ask.approvals)
                self._tickets.expiries.told(ask.tickets)
                return Expired()
            case Park():
                return Tickets(tickets=(self._tickets.park(ask.id, ask.org, ask.standing, ask.parked, ask.seconds),))
            case OneTicket():
                return self._one_ticket(ask)
            case Finish():
                return Tickets(tickets=(self._tickets.finish(ask.org, ask.id, ask.standing, ask.result),))

    def _listed(self, ask: Listing) -> PeopleAnswer:
        match ask.kind:
            case "list_approvals":
                return Approvals(approvals=self._approvals.listed(ask.org, waiting=ask.waiting))
            case "list_tickets":
                return Tickets(tickets=self._tickets.listed(ask.org, waiting=ask.waiting))

    def _one_ticket(self, ask: OneTicket) -> Tickets:
        book = self._tickets
        match ask.kind:
            case "look_ticket":
                return Tickets(tickets=(book.look(ask.org, ask.id),), result=book.result(ask.org, ask.id))
            case "open_parked":
                return Tickets(tickets=(book.look(ask.org, ask.id),), parked=book.parked(ask.org, ask.id))
            case "claim":
                parked = book.claim(ask.org, ask.id)
                return Tickets(tickets=(book.look(ask.org, ask.id),), parked=parked)


def _one(approval: Approval) -> Approvals:
    return Approvals(approvals=(approval,))
