"""How does an ingress replica put something before people, and learn what they said? By the keeper, and on record each time.

Implements `router.ports.Approvals`. Whatever the keeper does not confirm has not happened: `StateUnavailable`, and nothing goes on.
"""

import asyncio
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from router.approvals import Approval, Binding, Terms, binding_of
from router.contract import (
    ApprovalAsked,
    ApprovalSettled,
    Escalated,
    EscalationExpired,
    EvidenceEvent,
    Keep,
    Label,
    PersonAnswered,
    RiskTier,
)
from router.errors import ApprovalExpired, ApprovalNeeded, RouterError, StateUnavailable
from router.ports import EvidenceLog
from router.tools import ToolUse
from serving.people.approvals import Outcome
from serving.people.parked import Parked, PersonSaid, Result, Standing, Ticket
from serving.people.wire import (
    ANSWER,
    Approvals,
    AskApproval,
    ConsumeApproval,
    Expired,
    Finish,
    Listing,
    LookApproval,
    OneTicket,
    Park,
    PeopleAsk,
    Refused,
    SettleApproval,
    TakeExpired,
    Tickets,
    ToldExpired,
)

log = logging.getLogger(__name__)

_ASK_SECONDS: Final = 2.0
_SWEEP_SECONDS: Final = 5.0
_AFTER_THE_YES_SECONDS: Final = 300.0
"""How much longer than its approval a request is kept: a yes in the last second is still acted upon."""


@dataclass(frozen=True, slots=True)
class About:
    """Whose request it is that waits, and what is known of it: for the people who see it, and for the evidence.

    `keep`: what may be kept of it.
    """

    org: str
    trace_id: str
    asked_by: str
    label: Label
    risk_tier: RiskTier
    because: str
    keep: Keep = field(default_factory=Keep)


class PeopleDesk:
    """The way to the people."""

    def __init__(self, keeper: Any, evidence: EvidenceLog) -> None:
        """Take the keeper's Ray Serve handle, and the log in which every word is recorded."""
        self._keeper, self._evidence = keeper, evidence

    # What a request's run asks: `router.ports.Approvals`.

    async def ask(self, binding: Binding, arguments: str, terms: Terms) -> Approval:
        """Ask for a yes to this call; `arguments` is the canonical text, which the approver is shown."""
        name = f"apr_{secrets.token_hex(16)}"
        approval = await self._approval(AskApproval(id=name, binding=binding, arguments=arguments, terms=terms))
        await self._record(
            binding.trace_id,
            ApprovalAsked(
                approval=name,
                tool=binding.tool,
                arguments_sha256=binding.arguments_sha256,
                expires_at=approval.expires_at,
            ),
        )
        return approval

    async def look(self, org: str, approval: str, *, shown: bool = False) -> Approval:
        """Return how an approval stands; `shown`: with its arguments. Raises `ApprovalUnknown`."""
        return await self._approval(LookApproval(org=org, id=approval, shown=shown))

    async def settle(self, org: str, approval: str, outcome: Outcome, by: str, because: str | None = None) -> Approval:
        """Grant or deny. Raises `ApprovalUnknown`, `ApprovalExpired`, `ApprovalUsed`, `NotPermitted`."""
        settled = await self._approval(SettleApproval(org=org, id=approval, outcome=outcome, by=by, because=because))
        event = ApprovalSettled(approval=approval, outcome=outcome, by=by, because=because)
        await self._record(settled.binding.trace_id, event)
        return settled

    async def consume(self, approval: str, binding: Binding) -> Approval:
        """Use a yes up for exactly this call, once. The evidence of it is durable before this returns: only then may the tool run.

        Raises `ApprovalUnknown`, `ApprovalMismatch`, `ApprovalPending`, `ApprovalDenied`, `ApprovalUsed`, `ApprovalExpired`.
        """
        try:
            used = await self._approval(ConsumeApproval(id=approval, binding=binding))
        except ApprovalExpired:
            await self.sweep()
            raise
        event = ApprovalSettled(approval=approval, outcome="used", by=used.settled_by)
        await self._record(binding.trace_id, event)
        return used

    async def sweep(self) -> None:
        """Record whose time was over before anybody acted: approvals and escalations, each once, whether or not anybody asks for them."""
        over = await self._asked(TakeExpired())
        assert isinstance(over, Expired), "INVARIANT: what has expired is asked for and answered alike"
        for approval in over.approvals:
            await self._record(approval.binding.trace_id, ApprovalSettled(approval=approval.id, outcome="expired"))
        for ticket in over.tickets:
            await self._record(ticket.standing.trace_id, EscalationExpired(ticket=ticket.id))
        if over.approvals or over.tickets:
            await self._asked(ToldExpired(approvals=_ids(over.approvals), tickets=_ids(over.tickets)))

    async def sweep_forever(self) -> None:
        """Sweep every few seconds. What can't be recorded now is left to the next time, or to another replica."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            try:
                await self.sweep()
            except RouterError as error:
                log.warning("what has expired is not on record yet: %s", error)

    async def consume_for(self, use: ToolUse, arguments: str) -> None:
        """Use up the yes that a tool's call names, for exactly these canonical arguments. Raises `ApprovalNeeded`, and as `consume`."""
        if use.approval is None:
            raise ApprovalNeeded(use.tool, "a person has to approve exactly these arguments first")
        await self.consume(use.approval, binding_of(use.org, use.trace_id, use.tool, arguments))

    # What waits.

    async def ask_approval(self, about: About, parked: Parked, binding: Binding, terms: Terms) -> Ticket:
        """Ask for a yes to the call that `parked` holds, and keep the request until there is one."""
        assert parked.call is not None, "INVARIANT: an approval is of a call"
        approval = await self.ask(binding, parked.call.arguments, terms)
        return await self.wait_for(about, parked, approval)

    async def wait_for(self, about: About, parked: Parked, approval: Approval) -> Ticket:
        """Keep a request until an approval that was asked for is settled."""
        standing = _standing(about).model_copy(update={"waits_for": "approval", "approval": approval.id})
        seconds = approval.terms.seconds + _AFTER_THE_YES_SECONDS
        return await self._park(about, standing, parked, seconds)

    async def escalate(self, about: About, parked: Parked, queue: str, seconds: float) -> Ticket:
        """Put a request, or (`parked.draft`) its answer, before the people of a queue, for so many seconds."""
        ticket = await self._park(about, _standing(about).model_copy(update={"queue": queue}), parked, seconds)
        await self._record(about.trace_id, Escalated(ticket=ticket.id, queue=queue, because=about.because))
        return ticket

    async def ticket(self, org: str, name: str) -> tuple[Ticket, Result | None]:
        """Return how a request stands and, once something came of it, what. Raises `TicketUnknown`."""
        answer = await self._tickets(OneTicket(kind="look_ticket", org=org, id=name))
        return answer.tickets[0], answer.result

    async def parked(self, org: str, name: str) -> Parked:
        """Return what is kept of a request that waits. Raises `TicketUnknown`, `TicketSettled`."""
        answer = await self._tickets(OneTicket(kind="open_parked", org=org, id=name))
        assert answer.parked is not None, "INVARIANT: what is not there was refused"
        return answer.parked

    async def claim(self, org: str, name: str) -> Parked | None:
        """Take a request up to go on with it; None: another replica has it, or nothing is left to go on with."""
        return (await self._tickets(OneTicket(kind="claim", org=org, id=name))).parked

    async def finish(self, ticket: Ticket, went_on_as: str | None, result: Result) -> Ticket:
        """Keep what came of a request, and under which trace it went on, if it did. Raises `TicketSettled`."""
        standing = ticket.standing.model_copy(update={"went_on_as": went_on_as})
        return (await self._tickets(Finish(org=ticket.org, id=ticket.id, standing=standing, result=result))).tickets[0]

    async def say(self, ticket: Ticket, said: PersonSaid, by: str, answer_sha256: str | None, result: Result) -> Ticket:
        """Keep what a person said to a request; the first one counts. Raises `TicketSettled`."""
        update = {"said": said, "settled_by": by, "answer_sha256": answer_sha256}
        standing = ticket.standing.model_copy(update=update)
        ask = Finish(org=ticket.org, id=ticket.id, standing=standing, result=result)
        settled = (await self._tickets(ask)).tickets[0]
        event = PersonAnswered(ticket=ticket.id, by=by, outcome=said, answer_sha256=answer_sha256)
        await self._record(ticket.standing.trace_id, event)
        return settled

    # What is listed.

    async def approvals(self, org: str, *, waiting: bool) -> tuple[Approval, ...]:
        """Return a tenant's approvals, the newest first, without their arguments."""
        answer = await self._asked(Listing(kind="list_approvals", org=org, waiting=waiting))
        assert isinstance(answer, Approvals), "INVARIANT: an approval's ask has an approval's answer"
        return answer.approvals

    async def tickets(self, org: str, *, waiting: bool) -> tuple[Ticket, ...]:
        """Return a tenant's waiting requests, the newest first."""
        return (await self._tickets(Listing(kind="list_tickets", org=org, waiting=waiting))).tickets

    async def _park(self, about: About, standing: Standing, parked: Parked, seconds: float) -> Ticket:
        name = f"req_{secrets.token_hex(16)}"
        ask = Park(id=name, org=about.org, standing=standing, parked=parked, seconds=seconds)
        return (await self._tickets(ask)).tickets[0]

    async def _record(self, trace_id: str, event: EvidenceEvent) -> None:
        self._evidence.append(trace_id, event)
        await self._evidence.durable(trace_id)

    async def _approval(self, ask: PeopleAsk) -> Approval:
        answer = await self._asked(ask)
        assert isinstance(answer, Approvals), "INVARIANT: an approval's ask has an approval's answer"
        return answer.approvals[0]

    async def _tickets(self, ask: PeopleAsk) -> Tickets:
        answer = await self._asked(ask)
        assert isinstance(answer, Tickets), "INVARIANT: a ticket's ask has a ticket's answer"
        return answer

    async def _asked(self, ask: PeopleAsk) -> Approvals | Tickets | Expired:
        """Ask the keeper. The broad except is the point: whatever its trouble is, what it did not confirm counts as not done."""
        try:
            async with asyncio.timeout(_ASK_SECONDS):
                answer = ANSWER.validate_json(await self._keeper.people.remote(ask.model_dump_json()))
        except Exception as error:
            log.warning("the keeper does not answer: %s", type(error).__name__)
            raise StateUnavailable(f"what waits for people can't be had ({type(error).__name__}); try again") from error
        if isinstance(answer, Refused):
            raise answer.error()
        return answer


def address_of(ticket: Ticket) -> str:
    """Return where a waiting request can be asked for."""
    return f"/v1/requests/{ticket.id}"


def _ids(expired: Sequence[Approval] | Sequence[Ticket]) -> tuple[str, ...]:
    return tuple(one.id for one in expired)


def _standing(about: About) -> Standing:
    return Standing(
        waits_for="person",
        trace_id=about.trace_id,
        asked_by=about.asked_by,
        label=about.label,
        risk_tier=about.risk_tier,
        because=about.because,
        keep=about.keep,
    )
