"""What is spent and what is reserved of each day's budgets? One transaction a step; a reservation is on disk before it is answered.

INVARIANT: spent and reserved together never exceed a limit, as long as no step takes more than was reserved for it. One that does is
counted in full: the next one finds less. A reservation that nobody settles (its process died) is spent in full once its time is over;
whoever settles it later still puts that right.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from router.budgets import KINDS, Amounts, lacking
from router.errors import StateUnavailable
from serving.budgets.wire import Lacks, Reserve, Reserved, Settle, Settled, Taken

KEPT_SECONDS: Final = 40 * 24 * 3600.0
"""How long a day's figures are kept, and for two days those of each settled reservation."""
_SETTLED_KEPT_SECONDS: Final = 2 * 24 * 3600.0
_LAPSED_AT_ONCE: Final = 1000
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS budget_days (
    account TEXT NOT NULL, day TEXT NOT NULL, spent TEXT NOT NULL, reserved TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (account, day)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS budget_reservations (
    id TEXT PRIMARY KEY, trace_id TEXT NOT NULL, accounts TEXT NOT NULL, day TEXT NOT NULL, counted TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'lapsed', 'settled')), lapses_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS budget_reservations_by_lapse ON budget_reservations (state, lapses_at);
"""
_NOTHING: Final = Amounts()


@dataclass(frozen=True, slots=True)
class _Row:
    """A reservation as it stands. `counted`: what it counts for now, as reserved (`open`) or as spent."""

    id: str
    accounts: tuple[str, ...]
    day: str
    counted: Amounts
    state: str


class BudgetAccounts:
    """The accounts on disk. `now` in Unix seconds."""

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        self._now = now
        self._connection = sqlite3.connect(path, timeout=10.0, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def reserve(self, ask: Reserve) -> Reserved | Lacks:
        """Set aside from every account, or from none. Asked again under the same ID, answer as the first time."""
        names = [account.name for account in ask.accounts]
        with self._transaction():
            self._lapse()
            if self._reservation(ask.id) is not None:
                return Reserved(day=ask.day, taken=self._taken(names, ask.day))
            taken = self._taken(names, ask.day)
            for account, gone in zip(ask.accounts, taken, strict=True):
                if (short := lacking(account, gone.both, ask.amounts)) is not None:
                    return Lacks(
                        day=ask.day,
                        account=account.name,
                        lacks=short.kind,
                        left=short.left,
                        wanted=short.wanted,
                        taken=taken,
                    )
            after = tuple(one.model_copy(update={"reserved": one.reserved + ask.amounts}) for one in taken)
            self._write(after, ask.day)
            self._connection.execute(
                "INSERT INTO budget_reservations VALUES (?, ?, ?, ?, ?, 'open', ?)",
                (
                    ask.id,
                    ask.trace_id,
                    "\n".join(names),
                    ask.day,
                    ask.amounts.model_dump_json(),
                    self._now() + ask.lapse_seconds,
                ),
            )
            return Reserved(day=ask.day, taken=after)

    def settle(self, ask: Settle) -> Settled:
        """Put what was used in the place of what was reserved. Settled once: what comes again changes nothing."""
        # Not flushed by itself: one that a power cut takes back lapses, which counts in full.
        with self._transaction(flushed=False):
            row = self._reservation(ask.id)
            if row is None:
                return Settled(taken=())
            if row.state != "settled":
                self._spend(row, ask.used, "settled")
            return Settled(day=row.day, taken=self._taken(row.accounts, row.day))

    def taken(self, accounts: Sequence[str], day: str) -> tuple[Taken, ...]:
        """Return what is gone of these accounts on a day."""
        with self._transaction():
            self._lapse()
            return self._taken(accounts, day)

    def purge(self) -> None:
        """Count what has lapsed as spent, and forget what nobody asks for any more. Asked every second: it seldom has to write."""
        now = self._now()
        if not self._is_anything_over(now):
            return
        with self._transaction():
            self._lapse()
            self._connection.execute(
                "DELETE FROM budget_reservations WHERE state != 'open' AND lapses_at < ?",
                (now - _SETTLED_KEPT_SECONDS,),
            )
            self._connection.execute("DELETE FROM budget_days WHERE at < ?", (now - KEPT_SECONDS,))

    def _is_anything_over(self, now: float) -> bool:
        found = self._connection.execute(
            "SELECT EXISTS (SELECT 1 FROM budget_reservations WHERE state = 'open' AND lapses_at <= ?)"
            " OR EXISTS (SELECT 1 FROM budget_reservations WHERE state != 'open' AND lapses_at < ?)"
            " OR EXISTS (SELECT 1 FROM budget_days WHERE at < ?)",
            (now, now - _SETTLED_KEPT_SECONDS, now - KEPT_SECONDS),
        )
        return bool(found.fetchone()[0])

    def _lapse(self) -> None:
        """A bounded number at a time; the rest stays reserved, which counts the same."""
        lapsed = self._connection.execute(
            "SELECT id FROM budget_reservations WHERE state = 'open' AND lapses_at <= ? LIMIT ?",
            (self._now(), _LAPSED_AT_ONCE),
        ).fetchall()
        for (name,) in lapsed:
            row = self._reservation(name)
            assert row is not None, "INVARIANT: seen in this transaction"
            self._spend(row, row.counted, "lapsed")

    def _spend(self, row: _Row, used: Amounts, state: str) -> None:
        """Take out what the reservation counted for, and count `used` as spent."""
        after = []
        for one in self._taken(row.accounts, row.day):
            reserved = _less(one.reserved, row.counted if row.state == "open" else _NOTHING)
            spent = _less(one.spent, _NOTHING if row.state == "open" else row.counted) + used
            after.append(one.model_copy(update={"reserved": reserved, "spent": spent}))
        self._write(tuple(after), row.day)
        self._connection.execute(
            "UPDATE budget_reservations SET state = ?, counted = ? WHERE id = ?",
            (state, used.model_dump_json(), row.id),
        )

    def _reservation(self, name: str) -> _Row | None:
        row = self._connection.execute(
            "SELECT id, accounts, day, counted, state FROM budget_reservations WHERE id = ?", (name,)
        ).fetchone()
        if row is None:
            return None
        return _Row(row[0], tuple(row[1].split("\n")), row[2], Amounts.model_validate_json(row[3]), row[4])

    def _taken(self, accounts: Sequence[str], day: str) -> tuple[Taken, ...]:
        return _taken_in(self._connection, accounts, day)

    def _write(self, taken: tuple[Taken, ...], day: str) -> None:
        for one in taken:
            self._connection.execute(
                "INSERT INTO budget_days VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                " spent = excluded.spent, reserved = excluded.reserved, at = excluded.at",
                (one.account, day, one.spent.model_dump_json(), one.reserved.model_dump_json(), self._now()),
            )

    @contextmanager
    def _transaction(self, *, flushed: bool = True) -> Iterator[None]:
        self._connection.execute(f"PRAGMA synchronous={'FULL' if flushed else 'NORMAL'}")
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def _less(one: Amounts, other: Amounts) -> Amounts:
    return Amounts(**{kind: one.of(kind) - other.of(kind) for kind in KINDS})


def read_taken(path: Path, accounts: Sequence[str], day: str) -> tuple[Taken, ...]:
    """Return what is gone of these accounts on a day, from a file that may be in use; nothing is, where there is no file yet."""
    if not path.exists():
        return tuple(Taken(account=account) for account in accounts)
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=10.0)) as connection:
        try:
            return _taken_in(connection, accounts, day)
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return tuple(Taken(account=account) for account in accounts)
            raise StateUnavailable(f"{path} can't be read ({error})") from error


def _taken_in(connection: sqlite3.Connection, accounts: Sequence[str], day: str) -> tuple[Taken, ...]:
    found = []
    for account in accounts:
        row = connection.execute(
            "SELECT spent, reserved FROM budget_days WHERE account = ? AND day = ?", (account, day)
        ).fetchone()
        spent, reserved = (Amounts.model_validate_json(one) for one in row) if row else (_NOTHING, _NOTHING)
        found.append(Taken(account=account, spent=spent, reserved=reserved))
    return tuple(found)
