"""A request that waits can be gone on with, once; a person's first word counts; nothing of it is kept longer than needed."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.contract import Keep, Label, Message, RouteRequest, TextPart
from router.errors import StateUnavailable, TicketSettled, TicketUnknown
from serving.people.book import Book
from serving.people.parked import Parked, Result, Standing
from serving.people.seal import KEY_BYTES, Seal
from serving.people.tickets import LEASE_SECONDS, RESULT_KEPT_SECONDS, TicketBook
from tests.serving.people.clocks import Clocks

STANDING = Standing(
    waits_for="person",
    trace_id="a" * 32,
    asked_by="app",
    label=Label(),
    risk_tier="high",
    because="the tier asks for a person",
    queue="claims",
)
REQUEST = RouteRequest(org="acme", messages=(Message(role="user", content=(TextPart(text="Is my claim covered?"),)),))
PARKED = Parked(request=REQUEST, draft="Yes.")
RESULT = Result(status=200, body='{"id":"chatcmpl-1"}')


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def book(tmp_path: Path, clocks: Clocks) -> Iterator[TicketBook]:
    (tmp_path / "people.key").write_bytes(b"k" * KEY_BYTES)
    made = TicketBook(Book(tmp_path / "state.sqlite"), Seal(tmp_path / "people.key"), clocks)
    made.park("req_1", "acme", STANDING, PARKED, 3600)
    yield made
    made._book.close()


def test_what_is_needed_to_go_on_is_kept_and_rests_sealed(book: TicketBook, tmp_path: Path) -> None:
    assert book.look("acme", "req_1").state == "waiting"
    assert book.parked("acme", "req_1") == PARKED
    assert not [file for file in tmp_path.iterdir() if b"claim covered" in file.read_bytes()]


def test_another_tenant_s_is_as_unknown_as_one_that_never_was(book: TicketBook) -> None:
    said = []
    for org, name in (("other", "req_1"), ("acme", "req_2")):
        for ask in (book.look, book.parked, book.result, book.claim):
            with pytest.raises(TicketUnknown) as refused:
                ask(org, name)
            said.append(str(refused.value))

    assert len(set(said)) == 1


def test_one_of_many_goes_on_with_it(book: TicketBook) -> None:
    assert book.claim("acme", "req_1") == PARKED
    assert book.claim("acme", "req_1") is None
    assert book.look("acme", "req_1").state == "running"


def test_who_died_over_it_loses_it_after_a_time(book: TicketBook, clocks: Clocks) -> None:
    clocks.advance(3599)
    assert book.claim("acme", "req_1") == PARKED

    clocks.advance(LEASE_SECONDS - 1)
    assert book.claim("acme", "req_1") is None
    book.park("req_2", "acme", STANDING, PARKED, 3600)
    book.claim("acme", "req_2")
    clocks.advance(LEASE_SECONDS)

    assert book.look("acme", "req_1").state == "expired"
    assert book.claim("acme", "req_2") == PARKED


def test_what_came_of_it_is_kept_for_a_day_and_what_was_asked_no_longer(
    book: TicketBook, tmp_path: Path, clocks: Clocks
) -> None:
    book.finish("acme", "req_1", STANDING.model_copy(update={"said": "answered"}), RESULT)

    assert book.result("acme", "req_1") == RESULT
    assert book.look("acme", "req_1").standing.said == "answered"
    with sqlite3.connect(tmp_path / "state.sqlite") as other:
        assert other.execute("SELECT sealed FROM tickets").fetchall() == [(b"",)]

    clocks.advance(RESULT_KEPT_SECONDS)
    assert book.result("acme", "req_1") is None
    assert book.purge() == 1
    with sqlite3.connect(tmp_path / "state.sqlite") as other:
        assert other.execute("SELECT sealed, result FROM tickets").fetchall() == [(b"", b"")]


def test_the_first_word_counts(book: TicketBook) -> None:
    book.finish("acme", "req_1", STANDING, RESULT)

    with pytest.raises(TicketSettled):
        book.finish("acme", "req_1", STANDING, Result(status=403, body="{}"))
    with pytest.raises(TicketSettled):
        book.parked("acme", "req_1")
    assert book.claim("acme", "req_1") is None
    assert book.result("acme", "req_1") == RESULT


@pytest.mark.parametrize(("wall", "monotonic"), [(3600.0, 0.0), (-3600.0, 3600.0)], ids=["wall", "clock set back"])
def test_nobody_answers_what_has_expired(book: TicketBook, clocks: Clocks, wall: float, monotonic: float) -> None:
    clocks.wall, clocks.monotonic = clocks.wall + wall, clocks.monotonic + monotonic

    assert book.look("acme", "req_1").state == "expired"
    assert book.claim("acme", "req_1") is None
    with pytest.raises(TicketSettled):
        book.finish("acme", "req_1", STANDING, RESULT)
    assert (book.purge(), book.purge()) == (1, 0)


def test_a_restart_of_the_machine_ends_no_request_that_waits_for_a_person(book: TicketBook, clocks: Clocks) -> None:
    clocks.boot, clocks.monotonic, clocks.wall = "second", 10.0, clocks.wall + 60

    assert book.parked("acme", "req_1") == PARKED
    assert book.purge() == 0


def test_those_that_wait_are_listed(book: TicketBook, clocks: Clocks) -> None:
    clocks.advance(1)
    book.park("req_2", "acme", STANDING, PARKED, 3600)
    book.finish("acme", "req_1", STANDING, RESULT)

    assert [one.id for one in book.listed("acme", waiting=True)] == ["req_2"]
    assert [one.id for one in book.listed("acme", waiting=False)] == ["req_2", "req_1"]
    assert book.listed("other", waiting=False) == ()


def test_a_row_that_was_altered_or_moved_does_not_open(book: TicketBook, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "state.sqlite") as other:
        other.execute("UPDATE tickets SET org = 'other'")

    with pytest.raises(StateUnavailable):
        book.parked("other", "req_1")


DAY = 24 * 3600
KEPT = STANDING.model_copy(update={"keep": Keep(text=True, days=7)})


def test_where_the_plan_lets_its_text_be_kept_it_is_for_its_days_and_no_longer(
    book: TicketBook, clocks: Clocks, tmp_path: Path
) -> None:
    book.park("req_2", "acme", KEPT, PARKED, 3600)
    book.finish("acme", "req_2", KEPT, RESULT)

    clocks.advance(7 * DAY - 1)
    book.purge()
    assert (book.parked("acme", "req_2"), book.result("acme", "req_2")) == (PARKED, RESULT)
    assert not [file for file in tmp_path.iterdir() if b"claim covered" in file.read_bytes()]

    clocks.advance(2)
    book.purge()
    with pytest.raises(TicketSettled):
        book.parked("acme", "req_2")
    assert book.result("acme", "req_2") is None
    clocks.advance(DAY)
    book.purge()
    with pytest.raises(TicketUnknown):
        book.look("acme", "req_2")


def test_text_is_kept_of_what_a_person_saw_alone(book: TicketBook) -> None:
    approved = KEPT.model_copy(update={"waits_for": "approval"})
    book.park("req_2", "acme", approved, PARKED, 3600)

    book.finish("acme", "req_2", approved, RESULT)

    with pytest.raises(TicketSettled):
        book.parked("acme", "req_2")


def test_nothing_waits_or_is_remembered_longer_than_the_plan_says(book: TicketBook, clocks: Clocks) -> None:
    short = STANDING.model_copy(update={"keep": Keep(days=1)})

    ticket = book.park("req_2", "acme", short, PARKED, 30 * DAY)
    assert ticket.expires_at == ticket.asked_at + DAY
    clocks.advance(2 * DAY + 1)
    book.purge()

    with pytest.raises(TicketUnknown):
        book.look("acme", "req_2")
    assert book.look("acme", "req_1").state == "expired"
