"""What stands against a request that waits for people, or that goes to them?"""

from router.errors.root import RouterError


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


class HandedToPerson(RouterError):
    """Not a failure: the rung is a person, so the request waits in that queue under a ticket. The caller gets 202 and its address."""

    status = 202
    code = "waits_for_person"
    exit_code = 0

    def __init__(self, lane: str, because: str) -> None:
        super().__init__(f"lane {lane}: {because}")
        self.lane = lane
        self.because = because
