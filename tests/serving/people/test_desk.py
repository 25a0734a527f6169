"""What people say is on record before anything is done by it; what the keeper does not confirm has not happened."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from router.approvals import Terms, binding_of
from router.contract import (
    ApprovalAsked,
    ApprovalSettled,
    Escalated,
    EscalationExpired,
    Label,
    Message,
    PersonAnswered,
    RouteRequest,
)
from router.errors import (
    ApprovalExpired,
    ApprovalMismatch,
    ApprovalUnknown,
    ApprovalUsed,
    StateUnavailable,
    TicketSettled,
)
from router.testing import MemoryEvidence
from serving.people.desk import About, PeopleDesk
from serving.people.parked import Parked, PendingCall, Result
from serving.people.wire import Expired, TakeExpired
from tests.serving.people.clocks import Clocks
from tests.serving.people.kit import Owner

pytestmark = pytest.mark.anyio
TRACE = "a" * 32
ARGUMENTS = '{"order":"A-17"}'
CALL = PendingCall(tool="refund", call_id="call_1", arguments=ARGUMENTS)
REFUND = binding_of("acme", TRACE, "refund", ARGUMENTS)
TERMS = Terms(asked_by="app", label=Label(), risk_tier="high")
PARKED = Parked(request=RouteRequest(org="acme", messages=(Message(role="user"),)), call=CALL)
ABOUT = About("acme", TRACE, "app", Label(), "high", "the tool changes something")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def owner(tmp_path: Path, clocks: Clocks) -> Iterator[Owner]:
    made = Owner(tmp_path, clocks)
    yield made
    made.close()


async def test_an_approval_s_whole_life_is_on_record_without_its_arguments(owner: Owner) -> None:
    log = MemoryEvidence()
    desk = PeopleDesk(owner, log)

    ticket = await desk.ask_approval(ABOUT, PARKED, REFUND, TERMS)
    approval = ticket.standing.approval
    assert approval is not None
    await desk.settle("acme", approval, "granted", "boss", "fine")
    await desk.consume(approval, REFUND)

    events = [event for trace, event in log.events if trace == TRACE]
    assert [type(event) for event in events] == [ApprovalAsked, ApprovalSettled, ApprovalSettled]
    assert [(one.outcome, one.by) for one in events if isinstance(one, ApprovalSettled)] == [
        ("granted", "boss"),
        ("used", "boss"),
    ]
    assert "A-17" not in repr(events)


async def test_the_approver_is_shown_exactly_what_is_bound(owner: Owner) -> None:
    desk = PeopleDesk(owner, MemoryEvidence())
    asked = await desk.ask(REFUND, ARGUMENTS, TERMS)

    shown = await desk.look("acme", asked.id, shown=True)

    assert binding_of("acme", TRACE, "refund", shown.arguments or "") == REFUND


async def test_each_refusal_keeps_its_own_name_across_the_process_line(owner: Owner, clocks: Clocks) -> None:
    log = MemoryEvidence()
    desk = PeopleDesk(owner, log)
    asked = await desk.ask(REFUND, ARGUMENTS, TERMS)
    await desk.settle("acme", asked.id, "granted", "boss")

    with pytest.raises(ApprovalMismatch) as mismatch:
        await desk.consume(asked.id, REFUND.model_copy(update={"arguments_sha256": "0" * 64}))
    with pytest.raises(ApprovalUnknown):
        await desk.consume("apr_0", REFUND)
    await desk.consume(asked.id, REFUND)
    with pytest.raises(ApprovalUsed):
        await desk.consume(asked.id, REFUND)
    late = await desk.ask(REFUND, ARGUMENTS, TERMS)
    clocks.advance(TERMS.seconds)
    with pytest.raises(ApprovalExpired):
        await desk.consume(late.id, REFUND)

    assert mismatch.value.tool == "refund"
    assert log.events[-1] == (TRACE, ApprovalSettled(approval=late.id, outcome="expired"))


async def test_an_expiry_is_on_record_once_though_nobody_asks_for_it(owner: Owner, clocks: Clocks) -> None:
    log, other = MemoryEvidence(), MemoryEvidence()
    desk, beside = PeopleDesk(owner, log), PeopleDesk(owner, other)
    asked = await desk.ask(REFUND, ARGUMENTS, TERMS)
    clocks.advance(TERMS.seconds + 1)

    await desk.sweep()
    await beside.sweep()
    with pytest.raises(ApprovalExpired):
        await beside.consume(asked.id, REFUND)

    assert log.events[1:] == [(TRACE, ApprovalSettled(approval=asked.id, outcome="expired"))]
    assert other.events == []


async def test_that_nobody_answered_an_escalation_is_on_record_once(owner: Owner, clocks: Clocks) -> None:
    log, other = MemoryEvidence(), MemoryEvidence()
    desk, beside = PeopleDesk(owner, log), PeopleDesk(owner, other)
    answered = await desk.escalate(ABOUT, PARKED, "claims", 60)
    await desk.say(answered, "declined", "ana", None, Result(status=403, body="{}"))
    await desk.ask_approval(ABOUT, PARKED, REFUND, TERMS)
    left = await desk.escalate(ABOUT, PARKED, "claims", 60)
    clocks.advance(61)

    await desk.sweep()
    await beside.sweep()
    await desk.sweep()

    assert [event for _, event in log.events if isinstance(event, EscalationExpired)] == [
        EscalationExpired(ticket=left.id)
    ]
    assert other.events == []


async def test_what_its_recorder_died_over_is_recorded_by_the_next(owner: Owner, clocks: Clocks) -> None:
    log = MemoryEvidence()
    left = await PeopleDesk(owner, log).escalate(ABOUT, PARKED, "claims", 60)
    clocks.advance(61)
    assert (await owner.people.remote(TakeExpired().model_dump_json())) != Expired().model_dump_json()
    desk = PeopleDesk(owner, log)

    await desk.sweep()
    assert EscalationExpired(ticket=left.id) not in [event for _, event in log.events]
    clocks.advance(61)
    await desk.sweep()

    assert log.events[-1] == (TRACE, EscalationExpired(ticket=left.id))


async def test_an_escalation_is_on_record_and_so_is_who_settled_it(owner: Owner) -> None:
    log = MemoryEvidence()
    desk = PeopleDesk(owner, log)

    ticket = await desk.escalate(ABOUT, PARKED, "claims", 3600)
    await desk.say(ticket, "answered", "ana", "c" * 64, Result(status=200, body="{}"))

    assert log.events == [
        (TRACE, Escalated(ticket=ticket.id, queue="claims", because=ABOUT.because)),
        (TRACE, PersonAnswered(ticket=ticket.id, by="ana", outcome="answered", answer_sha256="c" * 64)),
    ]
    with pytest.raises(TicketSettled):
        await desk.say(ticket, "declined", "bo", None, Result(status=403, body="{}"))
    assert (await desk.ticket("acme", ticket.id))[1] == Result(status=200, body="{}")


async def test_without_the_keeper_nothing_is_asked_said_or_used(owner: Owner) -> None:
    log = MemoryEvidence()
    desk = PeopleDesk(owner, log)
    asked = await desk.ask(REFUND, ARGUMENTS, TERMS)
    await desk.settle("acme", asked.id, "granted", "boss")
    owner.gone = True
    before = list(log.events)

    for attempt in (
        desk.consume(asked.id, REFUND),
        desk.ask(REFUND, ARGUMENTS, TERMS),
        desk.escalate(ABOUT, PARKED, "claims", 60),
    ):
        with pytest.raises(StateUnavailable):
            await attempt

    assert log.events == before
