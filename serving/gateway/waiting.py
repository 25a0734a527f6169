"""What becomes of a request that has to wait for people? It is kept, sealed, under a ticket, and goes on once they have spoken."""

from dataclasses import dataclass

from router.approvals import Terms, binding_of
from router.bundle import Bundle
from router.bundle.files import PeopleSpec
from router.contract import Decision, RouteRequest
from router.errors import ApprovalNeeded, HandedToPerson, StateUnavailable
from router.validate import contract_of
from serving.gateway.trace import Trace
from serving.people.desk import About, PeopleDesk, address_of
from serving.people.parked import Parked, PendingCall, Ticket


@dataclass(frozen=True, slots=True)
class Waiting:
    """The way to the people of one bundle."""

    desk: PeopleDesk
    bundle: Bundle

    async def for_approval(
        self, needed: ApprovalNeeded, request: RouteRequest, decision: Decision, trace: Trace
    ) -> Ticket:
        """Ask for a yes to the call that the tools stopped at. Raises `StateUnavailable` where it can't be asked for."""
        if needed.arguments is None:
            raise StateUnavailable(f"tool {needed.tool} needs a person's approval, and its call can't be shown to one")
        tool = self.bundle.tools[needed.tool]
        call = PendingCall(tool=needed.tool, call_id="", arguments=needed.arguments)
        terms = Terms(
            asked_by=trace.key,
            label=trace.label_of(decision),
            risk_tier=decision.risk_tier,
            approver=tool.approver,
            seconds=tool.approval_seconds,
            keep_days=trace.keep_of(decision).days,
        )
        binding = binding_of(request.org, trace.trace_id, needed.tool, needed.arguments)
        about = self._about(needed.because, request, decision, trace)
        return await self.desk.ask_approval(about, Parked(request=request, call=call), binding, terms)

    async def for_lane(self, handed: HandedToPerson, request: RouteRequest, decision: Decision, trace: Trace) -> Ticket:
        """Put a request before the people of the lane that the ladder came to."""
        return await self.for_person(handed.because, self.people_of(handed.lane), request, decision, trace)

    async def for_person(
        self,
        because: str,
        people: PeopleSpec | None,
        request: RouteRequest,
        decision: Decision,
        trace: Trace,
        draft: str | None = None,
    ) -> Ticket:
        """Put the request, or the answer that a model wrote (`draft`), before the people of a queue."""
        if people is None:
            raise StateUnavailable("a person must see this, and the bundle has no lane with `people`")
        contract = contract_of(decision, request, self.bundle)
        schema = contract.effective_schema if contract is not None else None
        parked = Parked(request=request, model=trace.model or "", draft=draft, json_schema=schema)
        about = self._about(because, request, decision, trace)
        return await self.desk.escalate(about, parked, people.queue, people.answer_within_seconds)

    def people_of(self, lane: str | None = None) -> PeopleSpec | None:
        """Return the people of a lane, or without one the bundle's first; None where it has none."""
        lanes = [self.bundle.lanes[lane]] if lane is not None else self.bundle.lanes.values()
        return next((one.people for one in lanes if one.people is not None), None)

    def _about(self, because: str, request: RouteRequest, decision: Decision, trace: Trace) -> About:
        return About(
            org=request.org,
            trace_id=trace.trace_id,
            asked_by=trace.key,
            label=trace.label_of(decision),
            risk_tier=decision.risk_tier,
            because=because,
            keep=trace.keep_of(decision),
        )


def words_of(ticket: Ticket) -> str:
    """Return what the caller reads of a request that waits."""
    whom = "a person's approval" if ticket.standing.waits_for == "approval" else "a person"
    return f"This waits for {whom}. Nothing was done yet; ask again at {address_of(ticket)}."
