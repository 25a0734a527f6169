"""`/v1/escalations`: what waits for a person's answer, all that they need to give one, and their words."""

import hashlib
from collections.abc import Callable

import orjson
from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.responses import Response

from router.contract import Message, TextPart
from router.errors import BadRequest, ContractViolated, NotPermitted, StateUnavailable, TicketSettled, TicketUnknown
from router.validate import validate_answer
from serving.api.body import MOST_WORDS_BYTES, read_body
from serving.api.parse import checked, json_object
from serving.api.people import Serves, Visit, answered, wants_all
from serving.api.requests import standing_of
from serving.people.parked import Parked, PersonSaid, Ticket
from serving.people.results import spoken
from serving.sessions import Seen, hash_of

_MOST_CHARACTERS = 200_000


class _Word(BaseModel):
    """One of the four."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, populate_by_name=True)

    answer: str | None = Field(default=None, min_length=1, max_length=_MOST_CHARACTERS)
    edit: str | None = Field(default=None, min_length=1, max_length=_MOST_CHARACTERS)
    decline: str | None = Field(default=None, min_length=1, max_length=2000)
    passed: bool | None = Field(default=None, alias="pass")

    @model_validator(mode="after")
    def _one_of_them(self) -> "_Word":
        if sum(one is not None for one in (self.answer, self.edit, self.decline, self.passed or None)) != 1:
            raise ValueError('exactly one of "answer", "edit", "decline" and "pass"')
        return self

    def said(self, draft: str | None) -> tuple[PersonSaid, str]:
        """Return what the person did, and the words that go to the requester. Raises `BadRequest` where there is no draft to speak of."""
        if self.answer is not None:
            return "answered", self.answer
        if self.decline is not None:
            return "declined", self.decline
        if draft is None:
            raise BadRequest('there is no draft to edit or to pass: send "answer" or "decline"')
        return ("edited", self.edit) if self.edit is not None else ("passed", draft)


class EscalationsApi:
    """The side of the people who answer. `version` returns the one in service."""

    def __init__(self, version: Callable[[], Serves]) -> None:
        self._version = version

    async def listed(self, http: Request) -> Response:
        """`GET /v1/escalations`: those that wait (`?all=true`: the settled ones too), as far as the key's clearance reaches."""
        visit = Visit.of(self._version(), http, "answer")
        found = await visit.people.desk.tickets(visit.caller.org, waiting=not wants_all(http))
        queue = http.query_params.get("queue")
        data = [
            standing_of(one)
            for one in found
            if one.standing.waits_for == "person"
            and visit.clears(one.standing.label)
            and queue in (None, one.standing.queue)
        ]
        return answered({"object": "list", "data": data})

    async def shown(self, http: Request, name: str) -> Response:
        """`GET /v1/escalations/ID`: one, with the conversation and, where an answer is to be looked at, its draft.

        Also one that is settled, with what was answered, where the plan lets its text be kept.
        """
        visit = Visit.of(self._version(), http, "answer")
        ticket, parked = await _found(visit, name)
        _, result = await visit.people.desk.ticket(visit.caller.org, name)
        messages = [{"role": message.role, "content": message.text} for message in parked.request.messages]
        schema = parked.json_schema
        body = {**standing_of(ticket), "messages": messages, "draft": parked.draft, "json_schema": schema}
        if result is not None:
            body["result"] = orjson.loads(result.body)
        return answered(body)

    async def settled(self, http: Request, name: str) -> Response:
        """`POST /v1/escalations/ID`: `{"answer": …}`, `{"edit": …}`, `{"pass": true}` or `{"decline": why}`. The first word counts.

        Words that would break the request's output contract are refused, like a model's.
        """
        visit = Visit.of(self._version(), http, "answer")
        word = checked(_Word, **json_object(await read_body(http, MOST_WORDS_BYTES)))
        ticket, parked = await _found(visit, name)
        if ticket.state not in ("waiting", "running"):  # Its text may still be kept.
            raise TicketSettled(f"request {name} no longer waits: {ticket.state}")
        said, text = word.said(parked.draft)
        if said != "declined":
            _check_contract(parked, text)
        await _remember(visit, ticket, parked, text)
        result = spoken(ticket.standing.trace_id, f"person:{ticket.standing.queue}", text, refused=said == "declined")
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        return answered(standing_of(await visit.people.desk.say(ticket, said, visit.caller.key.id, digest, result)))


async def _found(visit: Visit, name: str) -> tuple[Ticket, Parked]:
    """Raises `TicketUnknown`, `TicketSettled`, and `NotPermitted` for one whose label is above the key's clearance."""
    ticket, _ = await visit.people.desk.ticket(visit.caller.org, name)
    if ticket.standing.waits_for != "person":
        raise TicketUnknown("no request waits under this ID for this key's tenant")
    if not visit.clears(ticket.standing.label):
        raise NotPermitted(f"this request's label is above the key's clearance, which is {visit.caller.key.clearance}")
    return ticket, await visit.people.desk.parked(visit.caller.org, name)


def _check_contract(parked: Parked, text: str) -> None:
    """Raise `ContractViolated` for an answer that the requester's program could not read."""
    if parked.json_schema is None:
        return
    validity = validate_answer(text, parked.json_schema)
    if not validity.valid:
        raise ContractViolated("person", "the answer breaks its contract: " + "; ".join(map(str, validity.errors)))


async def _remember(visit: Visit, ticket: Ticket, parked: Parked, text: str) -> None:
    """Have the conversation know the answer, and its label, before anybody reads it. Raises `StateUnavailable`."""
    session, label = parked.request.session, ticket.standing.label
    if session is None:
        return
    planner = visit.gateway.planner
    message = Message(role="assistant", content=(TextPart(text=text),))
    seen = Seen(label=label, spans={hash_of(message, planner.salt): label}, turn=False)
    if not await planner.keeper.keep_session(ticket.org, session, seen):
        raise StateUnavailable("the session's label could not be kept; try again")
