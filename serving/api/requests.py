"""`/v1/requests/ID`: what became of a request that had to wait for people? Until something did, 202; then the answer as at once."""

from collections.abc import Callable
from typing import Any, Final

from fastapi import Request
from starlette.responses import Response

from router.errors import TicketExpired, TicketUnknown
from serving.api.people import Serves, Visit, answered, handed_on
from serving.people.desk import address_of
from serving.people.parked import Ticket

_ASK_AGAIN_SECONDS: Final = "2"


class RequestsApi:
    """The requester's side. `version` returns the one in service."""

    def __init__(self, version: Callable[[], Serves]) -> None:
        self._version = version

    async def status(self, http: Request, name: str) -> Response:
        """`GET /v1/requests/ID`: for the key that asked, and for its tenant's others whose clearance reaches the label."""
        visit = Visit.of(self._version(), http, "chat")
        ticket, result = await visit.people.desk.ticket(visit.caller.org, name)
        if visit.caller.key.id != ticket.standing.asked_by and not visit.clears(ticket.standing.label):
            raise TicketUnknown("no request waits under this ID for this key's tenant")
        if result is not None:
            return handed_on(result, ticket)
        if ticket.state not in ("waiting", "running"):
            raise TicketExpired(f"request {name}: nobody spoke in time, or what came of it is no longer kept")
        # Whoever was going on with it may have died.
        visit.people.go_on_soon(visit.caller.org, name)
        return answered(standing_of(ticket), 202, retry_after=_ASK_AGAIN_SECONDS)


def standing_of(ticket: Ticket) -> dict[str, Any]:
    """Return how a request stands, without a word of it."""
    standing = ticket.standing
    return {
        "id": ticket.id,
        "object": "lane.request",
        "state": ticket.state,
        "waits_for": standing.waits_for,
        "queue": standing.queue,
        "approval": standing.approval,
        "because": standing.because,
        "trace_id": standing.trace_id,
        "went_on_as": standing.went_on_as,
        "label": standing.label.model_dump(mode="json"),
        "risk_tier": standing.risk_tier,
        "asked_by": standing.asked_by,
        "asked_at": ticket.asked_at,
        "expires_at": ticket.expires_at,
        "keep": standing.keep.model_dump(mode="json"),
        "outcome": standing.said,
        "settled_by": standing.settled_by,
        "status_url": address_of(ticket),
    }
