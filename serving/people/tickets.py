"""Which requests wait for people, what is kept to go on with them, and what came of them? Each ends once, whoever is quicker.

What was asked rests sealed until the ticket is done or its time is over, what was answered for a day after that. Where the plan lets the
text be kept of what a person had to see, both rest sealed for as many days as it says; never longer than it says, by hash or text.
"""

import sqlite3
from typing import Final

from router.errors import TicketSettled, TicketUnknown
from serving.people.book import Book
from serving.people.expiries import Expiries
from serving.people.moments import Moment, Now
from serving.people.parked import Parked, Result, Standing, Ticket, TicketState
from serving.people.seal import Seal

RESULT_KEPT_SECONDS: Final = 24 * 3600.0
LEASE_SECONDS: Final = 300.0
"""How long one replica has to go on with a request before another may take it up. Longer than any request may take."""
_DAY_SECONDS: Final = 24 * 3600.0
_LONG_OVER: Final = (
    f"until_wall + {_DAY_SECONDS} * CASE WHEN json_extract(standing, '$.keep.text')"
    " THEN 1 ELSE coalesce(json_extract(standing, '$.keep.days'), 30) END < ?"
)
"""Then a ticket is forgotten by its ID too: so many days after its end; one whose text was kept for so long a day later."""
_OVER: Final = "until_wall <= ? OR (until_monotonic <= ? AND boot = ?)"
_LISTED_AT_MOST: Final = 500
_PARKED: Final = "parked request"
_RESULT: Final = "result"


class TicketBook:
    """The tickets on disk. `now` tells both clocks."""

    def __init__(self, book: Book, seal: Seal, now: Now) -> None:
        self._book, self._seal, self._now = book, seal, now
        self.expiries = Expiries(book, now, "tickets")

    def park(self, name: str, org: str, standing: Standing, parked: Parked, seconds: float) -> Ticket:
        """Keep a request until a person has spoken, for so many seconds. Raises `StateUnavailable` without a key to seal with."""
        now = self._now()
        until = now.after(min(seconds, standing.keep.days * _DAY_SECONDS))
        sealed = self._seal.shut(parked.model_dump_json(), _PARKED, org, name)
        with self._book.transaction():
            self._book.connection.execute(
                "INSERT INTO tickets VALUES (?, ?, ?, ?, x'', 'waiting', ?, ?, ?, ?, 0)",
                (
                    name,
                    org,
                    standing.model_dump_json(),
                    sealed,
                    now.wall,
                    until.wall,
                    until.monotonic,
                    until.boot,
                ),
            )
        return self.look(org, name)

    def look(self, org: str, name: str) -> Ticket:
        """Return a tenant's ticket. Raises `TicketUnknown`, for another tenant's as for one that never was."""
        return self._read(self._row(org, name))

    def parked(self, org: str, name: str) -> Parked:
        """Return what is kept of a request that still waits, or whose text is kept. Raises `TicketUnknown`, `TicketSettled`."""
        row = self._row(org, name)
        ticket = self._read(row)
        if ticket.state not in ("waiting", "running") and not (ticket.state == "done" and row["sealed"]):
            raise TicketSettled(f"request {name} no longer waits: {ticket.state}")
        return Parked.model_validate_json(self._seal.opened(row["sealed"], _PARKED, org, name))

    def result(self, org: str, name: str) -> Result | None:
        """Return what came of a request; None: nothing yet, or it is no longer kept. Raises `TicketUnknown`."""
        row = self._row(org, name)
        if self._read(row).state != "done":
            return None
        return Result.model_validate_json(self._seal.opened(row["result"], _RESULT, org, name))

    def listed(self, org: str, *, waiting: bool) -> tuple[Ticket, ...]:
        """Return a tenant's tickets, the newest first; `waiting`: only those that wait."""
        rows = self._book.connection.execute(
            "SELECT * FROM tickets WHERE org = ? AND (state = 'waiting' OR NOT ?) ORDER BY asked_at DESC LIMIT ?",
            (org, waiting, _LISTED_AT_MOST),
        )
        found = [self._read(row) for row in rows]
        return tuple(one for one in found if one.state == "waiting" or not waiting)

    def claim(self, org: str, name: str) -> Parked | None:
        """Take a waiting request up to go on with it: of any number that try at once, one gets it, the others None.

        Who got it and never finished (its process died) loses it after `LEASE_SECONDS`. Raises `TicketUnknown`.
        """
        now = self._now()
        with self._book.transaction():
            row = self._row(org, name)
            state = self._read(row).state
            if state not in ("waiting", "running") or row["lease_until"] > now.wall:
                return None
            parked = Parked.model_validate_json(self._seal.opened(row["sealed"], _PARKED, org, name))
            # What was taken up in time may end after its time.
            until = now.after(LEASE_SECONDS)
            self._book.connection.execute(
                "UPDATE tickets SET state = 'running', lease_until = ?, until_wall = max(until_wall, ?),"
                " until_monotonic = max(until_monotonic, ?) WHERE id = ?",
                (until.wall, until.wall, until.monotonic, name),
            )
            return parked

    def finish(self, org: str, name: str, standing: Standing, result: Result) -> Ticket:
        """Keep what came of a request, once. Raises `TicketSettled` when something came of it before, or its time is over."""
        now = self._now()
        kept = _text_kept(standing)
        days_seconds = standing.keep.days * _DAY_SECONDS
        until = now.after(days_seconds if kept else min(RESULT_KEPT_SECONDS, days_seconds))
        sealed = self._seal.shut(result.model_dump_json(), _RESULT, org, name)
        with self._book.transaction():
            ticket = self._read(self._row(org, name))
            if ticket.state not in ("waiting", "running"):
                raise TicketSettled(f"request {name} no longer waits: {ticket.state}")
            self._book.connection.execute(
                "UPDATE tickets SET state = 'done', standing = ?, sealed = CASE WHEN ? THEN sealed ELSE x'' END, result = ?,"
                " until_wall = ?, until_monotonic = ?, boot = ? WHERE id = ?",
                (standing.model_dump_json(), kept, sealed, until.wall, until.monotonic, until.boot, name),
            )
            return self._read(self._row(org, name))

    def purge(self) -> int:
        """Remove what was kept of tickets whose time is over, and forget those that are long over; return how many."""
        now = self._now()
        over = self._book.connection.execute(
            "SELECT id, state, json_extract(standing, '$.waits_for') AS waits_for FROM tickets"  # noqa: S608 - of constants
            f" WHERE (state != 'expired' AND ({_OVER})) OR {_LONG_OVER} LIMIT ?",
            (now.wall, now.monotonic, now.boot, now.wall, _LISTED_AT_MOST),
        ).fetchall()
        if not over:
            return 0
        with self._book.transaction():
            for row in over:
                # That an approval has expired is recorded with the approval itself.
                if row["state"] in ("waiting", "running") and row["waits_for"] == "person":
                    self.expiries.note(row["id"])
                self._book.connection.execute(
                    "UPDATE tickets SET state = 'expired', sealed = x'', result = x'' WHERE id = ?", (row["id"],)
                )
            self._book.connection.execute(f"DELETE FROM tickets WHERE {_LONG_OVER}", (now.wall,))  # noqa: S608 - of constants
        return len(over)

    def take_expired(self) -> tuple[Ticket, ...]:
        """Return requests that no person answered in time, whose expiry nobody has recorded yet, for the one who asks to record it."""
        self.purge()
        return tuple(self._read(row) for row in self.expiries.take())

    def _row(self, org: str, name: str) -> sqlite3.Row:
        found = self._book.connection.execute("SELECT * FROM tickets WHERE org = ? AND id = ?", (org, name))
        row: sqlite3.Row | None = found.fetchone()
        if row is None:
            raise TicketUnknown("no request waits under this ID for this key's tenant")
        return row

    def _read(self, row: sqlite3.Row) -> Ticket:
        until = Moment(row["until_wall"], row["until_monotonic"], row["boot"])
        state: TicketState = "expired" if until.is_over(self._now()) else row["state"]
        standing = Standing.model_validate_json(row["standing"])
        return Ticket(
            id=row["id"],
            org=row["org"],
            standing=standing,
            state=state,
            asked_at=row["asked_at"],
            expires_at=row["until_wall"],
        )


def _text_kept(standing: Standing) -> bool:
    """Whether the text outlives the ticket: only of what a person had to see. Nobody reads again what waited for an approval."""
    return standing.keep.text and standing.waits_for == "person"
