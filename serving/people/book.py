"""Where does what waits for people rest? In `state.sqlite`, flushed before it is answered; what is removed is overwritten."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS approvals (
    id TEXT PRIMARY KEY, org TEXT NOT NULL, binding TEXT NOT NULL, terms TEXT NOT NULL, sealed BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'granted', 'denied', 'used', 'expired')),
    asked_at REAL NOT NULL, until_wall REAL NOT NULL, until_monotonic REAL NOT NULL, boot TEXT NOT NULL,
    settled_by TEXT, because TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS approvals_of_org ON approvals (org, state, asked_at);
CREATE TABLE IF NOT EXISTS expiries (id TEXT PRIMARY KEY, lease_until REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tickets (
    id TEXT PRIMARY KEY, org TEXT NOT NULL, standing TEXT NOT NULL, sealed BLOB NOT NULL, result BLOB NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'expired')),
    asked_at REAL NOT NULL, until_wall REAL NOT NULL, until_monotonic REAL NOT NULL, boot TEXT NOT NULL,
    lease_until REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS tickets_of_org ON tickets (org, state, asked_at);
"""


class Book:
    """One connection to the file, and its transactions."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, timeout=10.0, isolation_level=None)
        self.connection.row_factory = sqlite3.Row
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            self.connection.execute(f"PRAGMA {pragma}")
        self.connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it, or nothing; nobody else writes meanwhile."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")
