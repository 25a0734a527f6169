"""A yes is good once, for exactly what was shown, by somebody who may say it, until either clock says that its time is over."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from router.approvals import Binding, Terms, binding_of
from router.contract import Label
from router.errors import (
    ApprovalDenied,
    ApprovalExpired,
    ApprovalMismatch,
    ApprovalPending,
    ApprovalUnknown,
    ApprovalUsed,
    NotPermitted,
    StateUnavailable,
)
from serving.people.approvals import ApprovalBook
from serving.people.book import Book
from serving.people.seal import KEY_BYTES, Seal
from tests.serving.people.clocks import Clocks

DAY = 24 * 3600
TRACE, OTHER_TRACE = "a" * 32, "b" * 32
ARGUMENTS = '{"amount_usd":120,"order":"A-17"}'
REFUND = binding_of("acme", TRACE, "refund", ARGUMENTS)
TERMS = Terms(asked_by="app", label=Label(level="confidential"), risk_tier="high", seconds=900)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "people.key").write_bytes(b"k" * KEY_BYTES)
    return tmp_path


def opened(home: Path, clocks: Clocks) -> ApprovalBook:
    return ApprovalBook(Book(home / "state.sqlite"), Seal(home / "people.key"), clocks)


@pytest.fixture
def book(home: Path, clocks: Clocks) -> Iterator[ApprovalBook]:
    made = opened(home, clocks)
    made.ask("apr_1", REFUND, ARGUMENTS, TERMS)
    yield made
    made._book.close()


def test_what_was_granted_may_be_done_once(book: ApprovalBook) -> None:
    book.settle("acme", "apr_1", "granted", "boss", "looks right")

    used = book.consume("apr_1", REFUND)

    assert (used.state, used.settled_by, used.because) == ("used", "boss", "looks right")
    with pytest.raises(ApprovalUsed):
        book.consume("apr_1", REFUND)


def test_nothing_is_done_before_a_person_has_spoken(book: ApprovalBook) -> None:
    with pytest.raises(ApprovalPending):
        book.consume("apr_1", REFUND)


def test_what_was_denied_is_not_done_and_the_reason_is_told(book: ApprovalBook) -> None:
    book.settle("acme", "apr_1", "denied", "boss", "too much")

    with pytest.raises(ApprovalDenied, match="too much"):
        book.consume("apr_1", REFUND)


@pytest.mark.parametrize(
    "other",
    [
        binding_of("acme", TRACE, "refund", ARGUMENTS.replace("120", "1200")),
        binding_of("acme", TRACE, "refund", ARGUMENTS.replace(":", ": ")),
        binding_of("acme", TRACE, "cancel", ARGUMENTS),
        binding_of("acme", OTHER_TRACE, "refund", ARGUMENTS),
    ],
    ids=["amount", "spelling", "tool", "request"],
)
def test_a_yes_to_one_call_is_none_to_another(book: ApprovalBook, other: Binding) -> None:
    book.settle("acme", "apr_1", "granted", "boss", None)

    with pytest.raises(ApprovalMismatch):
        book.consume("apr_1", other)
    assert book.consume("apr_1", REFUND).state == "used"


def test_another_tenant_s_approval_is_as_unknown_as_one_that_never_was(book: ApprovalBook) -> None:
    said = []
    for org, name in (("other", "apr_1"), ("acme", "apr_2")):
        with pytest.raises(ApprovalUnknown) as refused:
            book.look(org, name)
        said.append(str(refused.value))
        with pytest.raises(ApprovalUnknown):
            book.settle(org, name, "granted", "boss", None)
        with pytest.raises(ApprovalUnknown):
            book.consume(name, REFUND.model_copy(update={"org": org}))

    assert said[0] == said[1]
    assert book.listed("other", waiting=False) == ()


def test_whoever_asked_can_t_approve_it_where_another_key_s_yes_is_needed(book: ApprovalBook) -> None:
    with pytest.raises(NotPermitted):
        book.settle("acme", "apr_1", "granted", "app", None)

    book.ask("apr_2", REFUND, ARGUMENTS, TERMS.model_copy(update={"approver": "anyone"}))
    assert book.settle("acme", "apr_2", "granted", "app", None).state == "granted"


def test_the_first_word_counts_and_saying_it_twice_changes_nothing(book: ApprovalBook) -> None:
    book.settle("acme", "apr_1", "denied", "boss", None)

    assert book.settle("acme", "apr_1", "denied", "boss", None).state == "denied"
    with pytest.raises(ApprovalUsed):
        book.settle("acme", "apr_1", "granted", "boss", None)
    with pytest.raises(ApprovalUsed):
        book.settle("acme", "apr_1", "denied", "another", None)


@pytest.mark.parametrize("granted", [True, False])
@pytest.mark.parametrize(
    ("wall", "monotonic", "boot"),
    [(900.0, 1.0, "first"), (-3600.0, 900.0, "first"), (1.0, -400.0, "second")],
    ids=["wall clock", "clock set back", "machine restarted"],
)
def test_its_time_is_over_by_either_clock(
    book: ApprovalBook, clocks: Clocks, wall: float, monotonic: float, boot: str, *, granted: bool
) -> None:
    if granted:
        book.settle("acme", "apr_1", "granted", "boss", None)
    clocks.wall, clocks.monotonic, clocks.boot = clocks.wall + wall, clocks.monotonic + monotonic, boot

    with pytest.raises(ApprovalExpired):
        book.consume("apr_1", REFUND)
    with pytest.raises(ApprovalExpired):
        book.settle("acme", "apr_1", "denied", "boss", None)
    assert book.look("acme", "apr_1", with_arguments=True).arguments is None


def test_a_moment_before_its_time_is_over_it_is_still_good(book: ApprovalBook, clocks: Clocks) -> None:
    clocks.advance(899)
    book.settle("acme", "apr_1", "granted", "boss", None)

    assert book.consume("apr_1", REFUND).state == "used"


def test_the_arguments_are_shown_while_it_waits_and_rest_sealed(book: ApprovalBook, home: Path) -> None:
    assert book.look("acme", "apr_1", with_arguments=True).arguments == ARGUMENTS
    assert book.look("acme", "apr_1").arguments is None
    assert not [file for file in home.iterdir() if b"amount_usd" in file.read_bytes()]


@pytest.mark.parametrize("end", ["denied", "used", "expired"])
def test_once_it_is_over_the_arguments_are_gone(book: ApprovalBook, home: Path, clocks: Clocks, end: str) -> None:
    if end == "denied":
        book.settle("acme", "apr_1", "denied", "boss", None)
    elif end == "used":
        book.settle("acme", "apr_1", "granted", "boss", None)
        book.consume("apr_1", REFUND)
    else:
        clocks.advance(901)
        assert (book.purge(), book.purge()) == (1, 0)

    with sqlite3.connect(home / "state.sqlite") as other:
        assert other.execute("SELECT sealed, state FROM approvals").fetchall() == [(b"", end)]


def test_a_row_moved_to_another_tenant_or_name_does_not_open(book: ApprovalBook, home: Path) -> None:
    with sqlite3.connect(home / "state.sqlite") as other:
        other.execute("UPDATE approvals SET org = 'other'")

    with pytest.raises(StateUnavailable):
        book.look("other", "apr_1", with_arguments=True)


@pytest.mark.parametrize("key", [None, b"short"])
def test_without_a_key_nothing_is_asked(home: Path, clocks: Clocks, key: bytes | None) -> None:
    (home / "people.key").unlink()
    if key is not None:
        (home / "people.key").write_bytes(key)

    with pytest.raises(StateUnavailable):
        opened(home, clocks).ask("apr_1", REFUND, ARGUMENTS, TERMS)


def test_those_that_wait_are_listed_newest_first(book: ApprovalBook, clocks: Clocks) -> None:
    clocks.advance(1)
    book.ask("apr_2", REFUND, ARGUMENTS, TERMS)
    clocks.advance(1)
    book.ask("apr_3", REFUND, ARGUMENTS, TERMS)
    book.settle("acme", "apr_2", "denied", "boss", None)

    assert [one.id for one in book.listed("acme", waiting=True)] == ["apr_3", "apr_1"]
    assert [one.id for one in book.listed("acme", waiting=False)] == ["apr_3", "apr_2", "apr_1"]


def test_long_after_it_is_forgotten(book: ApprovalBook, clocks: Clocks) -> None:
    clocks.advance(900 + TERMS.keep_days * DAY - 1)
    book.purge()
    assert book.look("acme", "apr_1").state == "expired"

    clocks.advance(2)
    book.purge()

    with pytest.raises(ApprovalUnknown):
        book.look("acme", "apr_1")


def test_it_is_forgotten_as_soon_as_its_terms_say(book: ApprovalBook, clocks: Clocks) -> None:
    book.ask("apr_2", REFUND, ARGUMENTS, TERMS.model_copy(update={"keep_days": 2}))
    clocks.advance(900 + 2 * DAY + 1)

    book.purge()

    with pytest.raises(ApprovalUnknown):
        book.look("acme", "apr_2")
    assert book.look("acme", "apr_1").state == "expired"


def test_an_expiry_is_given_to_one_to_record_and_to_the_next_if_that_one_never_says_so(
    book: ApprovalBook, clocks: Clocks
) -> None:
    book.settle("acme", "apr_1", "granted", "boss", None)
    book.ask("apr_2", REFUND, ARGUMENTS, TERMS)
    book.settle("acme", "apr_2", "denied", "boss", None)
    assert book.take_expired() == ()
    clocks.advance(901)

    first = book.take_expired()
    meanwhile = book.take_expired()
    clocks.advance(61)
    again = book.take_expired()
    book.expiries.told(one.id for one in again)
    clocks.advance(61)

    assert [(one.id, one.state) for one in first] == [("apr_1", "expired")]
    assert meanwhile == ()
    assert again == first
    assert book.take_expired() == ()


def test_of_many_that_use_it_at_once_exactly_one_does(book: ApprovalBook, home: Path, clocks: Clocks) -> None:
    """Fault 32: a double click, and two ingress replicas that race; here even with connections of their own."""
    book.settle("acme", "apr_1", "granted", "boss", None)
    outcomes: list[str] = []

    def click() -> None:
        mine = opened(home, clocks)
        try:
            outcomes.append(mine.consume("apr_1", REFUND).state)
        except ApprovalUsed:
            outcomes.append("refused")
        mine._book.close()

    threads = [threading.Thread(target=click) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["refused"] * 7 + ["used"]
