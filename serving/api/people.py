"""Where do people approve and answer, and where does a caller ask what came of it? `/v1/approvals`, `/v1/escalations`, `/v1/requests/ID`.

Everything here is one tenant's: what is another's is as unknown as what never was. What is above a key's clearance is not listed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import orjson
from fastapi import FastAPI, Request
from starlette.responses import Response

from router.approvals import unusable
from router.bundle.files import Scope
from router.contract import LEVELS, Label
from router.errors import RouterError, StateUnavailable
from serving.api.auth import Caller, Keyring
from serving.gateway import Gateway
from serving.people.desk import PeopleDesk
from serving.people.parked import Parked, Result, Ticket
from serving.people.results import failed

log = logging.getLogger(__name__)

_JSON: Final = "application/json"


class WentOn(Protocol):
    """Under which trace a request went on, and what came of it."""

    @property
    def trace_id(self) -> str:
        """The trace."""
        ...

    @property
    def result(self) -> Result:
        """What came of it."""
        ...


@dataclass(frozen=True, slots=True)
class People:
    """The way to the people; `go_on` goes on with a request once they have said yes (`serving.people.go_on.GoOn`)."""

    desk: PeopleDesk
    go_on: Callable[[Ticket, Parked], Awaitable[WentOn]]
    _going_on: set[asyncio.Task[None]] = field(default_factory=set)

    def go_on_soon(self, org: str, ticket: str) -> None:
        """Go on with a request in the background, unless somebody does already: whoever asked may have gone long ago."""
        task = asyncio.get_running_loop().create_task(self.gone_on(org, ticket))
        self._going_on.add(task)
        task.add_done_callback(self._going_on.discard)

    async def gone_on(self, org: str, name: str) -> None:
        """Go on with a request whose approval is settled, if nobody else does. What breaks here is taken up again when it is asked for."""
        try:
            ticket, _ = await self.desk.ticket(org, name)
            approval = ticket.standing.approval
            if ticket.state not in ("waiting", "running") or approval is None:
                return
            settled = await self.desk.look(org, approval)
            if settled.state == "waiting" or (parked := await self.desk.claim(org, name)) is None:
                return
            if (error := unusable(settled)) is not None:
                await self.desk.sweep()
                await self.desk.finish(ticket, None, failed(error, ticket.standing.trace_id))
                return
            went_on = await self.go_on(ticket, parked)
            await self.desk.finish(ticket, went_on.trace_id, went_on.result)
        except RouterError as error:
            log.warning("request %s was not gone on with: %s", name, error)


class Serves(Protocol):
    """What these addresses need of a version in service."""

    @property
    def gateway(self) -> Gateway:
        """The way of a request."""
        ...

    @property
    def keys(self) -> Keyring:
        """The keys that open it."""
        ...

    @property
    def people(self) -> People | None:
        """The way to the people."""
        ...


@dataclass(frozen=True, slots=True)
class Visit:
    """A key that came to one of these addresses, and what it may be shown."""

    caller: Caller
    people: People
    gateway: Gateway

    @classmethod
    def of(cls, version: Serves, http: Request, scope: Scope) -> "Visit":
        """Let a key in. Raises `NotAuthenticated`, `NotPermitted`, and `StateUnavailable` where nothing waits for anybody."""
        caller = version.keys.caller(http.headers.get("authorization"))
        caller.need(scope)
        if version.people is None:
            raise StateUnavailable("nothing can wait for people here")
        return cls(caller, version.people, version.gateway)

    def clears(self, label: Label) -> bool:
        """Whether what has this label may be shown to this key."""
        return LEVELS.index(label.level) <= LEVELS.index(self.caller.key.clearance)


def answered(body: Any, status: int = 200, **headers: str) -> Response:
    """Return JSON that no cache keeps."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(orjson.dumps(body), status, media_type=_JSON, headers={"cache-control": "no-store", **named})


def handed_on(result: Result, ticket: Ticket) -> Response:
    """Return what came of a request, as it would have been answered at once."""
    trace_id = ticket.standing.went_on_as or ticket.standing.trace_id
    headers = {"cache-control": "no-store", "x-lane-trace-id": trace_id}
    return Response(result.body, result.status, media_type=_JSON, headers=headers)


def wants_all(http: Request) -> bool:
    """Whether a list is to hold what is settled as well (`?all=true`)."""
    return http.query_params.get("all") == "true"


def mount_people(app: FastAPI, version: Callable[[], Serves]) -> None:
    """Add these addresses to an application."""
    from serving.api.approvals import ApprovalsApi
    from serving.api.escalations import EscalationsApi
    from serving.api.requests import RequestsApi

    approvals, escalations, requests = ApprovalsApi(version), EscalationsApi(version), RequestsApi(version)
    app.add_api_route("/v1/approvals", approvals.listed, methods=["GET"])
    app.add_api_route("/v1/approvals/{name}", approvals.shown, methods=["GET"])
    app.add_api_route("/v1/approvals/{name}", approvals.settled, methods=["POST"])
    app.add_api_route("/v1/escalations", escalations.listed, methods=["GET"])
    app.add_api_route("/v1/escalations/{name}", escalations.shown, methods=["GET"])
    app.add_api_route("/v1/escalations/{name}", escalations.settled, methods=["POST"])
    app.add_api_route("/v1/requests/{name}", requests.status, methods=["GET"])
