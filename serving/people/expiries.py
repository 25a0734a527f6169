"""Which waits ended because their time was over, without anybody's having recorded it yet? Each is recorded at least once."""

import sqlite3
from collections.abc import Iterable
from typing import Final, Literal

from serving.people.book import Book
from serving.people.moments import Now

_LEASE_SECONDS: Final = 60.0
"""How long whoever takes it upon itself to record expiries has for that. Its process may die: then the next one gets them."""
_TAKEN_AT_MOST: Final = 500


class Expiries:
    """Of approvals or of tickets; their IDs lie in one table."""

    def __init__(self, book: Book, now: Now, of: Literal["approvals", "tickets"]) -> None:
        self._book, self._now, self._of = book, now, of

    def note(self, name: str) -> None:
        """Keep that the expiry of this one has to be recorded, in the transaction in which it expires."""
        self._book.connection.execute("INSERT OR IGNORE INTO expiries VALUES (?, 0)", (name,))

    def take(self) -> list[sqlite3.Row]:
        """Return the rows of those that are not recorded yet, for the one who asks to record them and then say so (`told`)."""
        now = self._now()
        with self._book.transaction():
            rows = self._book.connection.execute(
                f"SELECT {self._of}.* FROM {self._of} JOIN expiries USING (id) WHERE expiries.lease_until <= ? LIMIT ?",  # noqa: S608 - one of two
                (now.wall, _TAKEN_AT_MOST),
            ).fetchall()
            self._book.connection.executemany(
                "UPDATE expiries SET lease_until = ? WHERE id = ?",
                [(now.wall + _LEASE_SECONDS, row["id"]) for row in rows],
            )
        return rows

    def told(self, names: Iterable[str]) -> None:
        """Take in that the expiry of these is on record."""
        with self._book.transaction():
            self._book.connection.executemany("DELETE FROM expiries WHERE id = ?", [(name,) for name in names])
