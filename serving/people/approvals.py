"""Was this call approved, by whom, and is that still good? A yes is good once, for exactly what was shown, until its time is over.

The arguments rest sealed for as long as somebody must see them: they are removed when the approval is denied, used or expired.
"""

import sqlite3
from typing import Final, Literal

from router.approvals import Approval, Binding, Terms, unusable
from router.errors import ApprovalExpired, ApprovalMismatch, ApprovalUnknown, ApprovalUsed, NotPermitted
from serving.people.book import Book
from serving.people.expiries import Expiries
from serving.people.moments import Moment, Now
from serving.people.seal import Seal

_DAY_SECONDS: Final = 24 * 3600.0
_LONG_OVER: Final = f"until_wall + {_DAY_SECONDS} * coalesce(json_extract(terms, '$.keep_days'), 30) < ?"
"""So long it is remembered that an approval was used, denied or expired: until then its ID says so, later it is unknown."""
_LISTED_AT_MOST: Final = 500
_PURPOSE: Final = "approval"
Outcome = Literal["granted", "denied"]


class ApprovalBook:
    """The approvals on disk. `now` tells both clocks."""

    def __init__(self, book: Book, seal: Seal, now: Now) -> None:
        self._book, self._seal, self._now = book, seal, now
        self.expiries = Expiries(book, now, "approvals")

    def ask(self, name: str, binding: Binding, arguments: str, terms: Terms) -> Approval:
        """Keep the question, its arguments sealed. Raises `StateUnavailable` without a key to seal with."""
        now = self._now()
        until = now.after(terms.seconds)
        sealed = self._seal.shut(arguments, _PURPOSE, binding.org, name)
        with self._book.transaction():
            self._book.connection.execute(
                "INSERT INTO approvals VALUES (?, ?, ?, ?, ?, 'waiting', ?, ?, ?, ?, NULL, NULL)",
                (
                    name,
                    binding.org,
                    binding.model_dump_json(),
                    terms.model_dump_json(),
                    sealed,
                    now.wall,
                    until.wall,
                    until.monotonic,
                    until.boot,
                ),
            )
        return self.look(binding.org, name)

    def look(self, org: str, name: str, *, with_arguments: bool = False) -> Approval:
        """Return an approval of this tenant. Raises `ApprovalUnknown`, for another tenant's as for one that never was."""
        row = self._row(org, name)
        approval = self._read(row)
        if with_arguments and approval.state in ("waiting", "granted"):
            return approval.model_copy(update={"arguments": self._seal.opened(row["sealed"], _PURPOSE, org, name)})
        return approval

    def listed(self, org: str, *, waiting: bool) -> tuple[Approval, ...]:
        """Return a tenant's approvals, the newest first; `waiting`: only those that nobody has settled."""
        rows = self._book.connection.execute(
            "SELECT * FROM approvals WHERE org = ? AND (state = 'waiting' OR NOT ?) ORDER BY asked_at DESC LIMIT ?",
            (org, waiting, _LISTED_AT_MOST),
        )
        found = [self._read(row) for row in rows]
        return tuple(one for one in found if one.state == "waiting" or not waiting)

    def settle(self, org: str, name: str, outcome: Outcome, by: str, because: str | None) -> Approval:
        """Grant or deny what waits. Said twice alike by the same key, it changes nothing.

        Raises `ApprovalUsed` where it was settled otherwise before, `ApprovalExpired`, `ApprovalUnknown`, and `NotPermitted` for
        the requester's own key where another's is asked for.
        """
        with self._book.transaction():
            approval = self._read(self._row(org, name))
            # Whoever asked may take it back: that is a no.
            if outcome == "granted" and approval.terms.approver == "another" and by == approval.terms.asked_by:
                raise NotPermitted("whoever asked may not approve it: another key's yes is needed")
            if (approval.state, approval.settled_by) == (outcome, by):
                return approval
            if approval.state == "expired":
                raise ApprovalExpired(
                    approval.binding.tool, f"approval {name} has expired: it has to be asked for again"
                )
            if approval.state != "waiting":
                raise ApprovalUsed(approval.binding.tool, f"approval {name} was settled already: {approval.state}")
            self._set(name, outcome, by, because)
            return self._read(self._row(org, name))

    def consume(self, name: str, binding: Binding) -> Approval:
        """Use a yes up, in one transaction: of any number that try at once, one gets it.

        Raises `ApprovalUnknown`, `ApprovalMismatch` where anything differs from what was shown, and what `unusable` says.
        """
        with self._book.transaction():
            approval = self._read(self._row(binding.org, name))
            if approval.binding != binding:
                raise ApprovalMismatch(
                    binding.tool, "the approval is for another call: request, tool and arguments must be those shown"
                )
            if (error := unusable(approval)) is not None:
                raise error
            self._set(name, "used", approval.settled_by, approval.because)
            return self._read(self._row(binding.org, name))

    def purge(self) -> int:
        """Remove the arguments of what has expired, and forget what is long over; return how many expired."""
        now = self._now()
        over = self._book.connection.execute(
            "SELECT id, state FROM approvals WHERE (state IN ('waiting', 'granted')"  # noqa: S608 - of constants
            f" AND (until_wall <= ? OR until_monotonic <= ? OR boot != ?)) OR {_LONG_OVER} LIMIT ?",
            (now.wall, now.monotonic, now.boot, now.wall, _LISTED_AT_MOST),
        ).fetchall()
        if not over:
            return 0
        with self._book.transaction():
            for row in over:
                if row["state"] in ("waiting", "granted"):
                    self.expiries.note(row["id"])
                self._book.connection.execute(
                    "UPDATE approvals SET state = 'expired', sealed = x'' WHERE id = ? AND state IN ('waiting', 'granted')",
                    (row["id"],),
                )
            self._book.connection.execute(f"DELETE FROM approvals WHERE {_LONG_OVER}", (now.wall,))  # noqa: S608 - of constants
        return len(over)

    def take_expired(self) -> tuple[Approval, ...]:
        """Return approvals whose expiry nobody has recorded yet, for the one who asks to record it."""
        self.purge()
        return tuple(self._read(row) for row in self.expiries.take())

    def _set(self, name: str, state: str, by: str | None, because: str | None) -> None:
        self._book.connection.execute(
            "UPDATE approvals SET state = ?, settled_by = ?, because = ?,"
            " sealed = CASE ? WHEN 'granted' THEN sealed ELSE x'' END WHERE id = ?",
            (state, by, because, state, name),
        )

    def _row(self, org: str, name: str) -> sqlite3.Row:
        found = self._book.connection.execute("SELECT * FROM approvals WHERE org = ? AND id = ?", (org, name))
        row: sqlite3.Row | None = found.fetchone()
        if row is None:
            raise ApprovalUnknown("no approval under this ID for this key's tenant")
        return row

    def _read(self, row: sqlite3.Row) -> Approval:
        """What a row says now: one whose time is over has expired, whether or not it says so yet."""
        state = row["state"]
        if state in ("waiting", "granted"):
            until, now = Moment(row["until_wall"], row["until_monotonic"], row["boot"]), self._now()
            # A restart ends every approval: the one clock that nobody can set no longer knows how old it is.
            state = "expired" if until.is_over(now) or not until.is_in_this_run(now) else state
        return Approval(
            id=row["id"],
            binding=Binding.model_validate_json(row["binding"]),
            terms=Terms.model_validate_json(row["terms"]),
            state=state,
            asked_at=row["asked_at"],
            expires_at=row["until_wall"],
            settled_by=row["settled_by"],
            because=row["because"],
        )
