"""Which bundle is in force, since when, and by whose word? The last entry of an append-only, hash-chained table says it.

INVARIANT: the switch is the entry. There is no pointer beside it that a crash could leave behind: one transaction that SQLite has on the
disk (`synchronous=EXTRA`) is old before and new after.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from router.contract import Frozen, Sha256
from serving.change.approval import Approval, PublicKey, holds
from serving.change.errors import ChangeUnderWay, HistoryBroken

GENESIS: Final = "0" * 64
"""What the first entry follows."""
_BUSY_SECONDS: Final = 5.0
_ROWS: Final = "SELECT sequence, hash, entry FROM changes"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS changes (sequence INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, entry TEXT NOT NULL) STRICT;
CREATE TRIGGER IF NOT EXISTS changes_are_never_changed BEFORE UPDATE ON changes
    BEGIN SELECT RAISE(ABORT, 'the history is append-only'); END;
CREATE TRIGGER IF NOT EXISTS changes_are_never_shortened BEFORE DELETE ON changes
    BEGIN SELECT RAISE(ABORT, 'the history is append-only'); END;
"""


class Checks(Frozen):
    """What the bundle was held against before it came into force, all of it with success: its own properties and tests, counted."""

    properties: int
    tests: int


class Change(Frozen):
    """A bundle came into force. `replaced` is the one before (None: there was none), `trusted` whose signature could have counted.

    `widens` and `tightens` say in sentences what may leave now and could not before, and the other way round. `by` is the account that
    ran the command, on whose authority nothing rests: that is what `approvals` are for.
    """

    kind: Literal["apply", "rollback"]
    bundle_hash: Sha256
    replaced: Sha256 | None
    approvals: tuple[Approval, ...]
    approvals_needed: int
    trusted: dict[str, PublicKey]
    widens: tuple[str, ...]
    tightens: tuple[str, ...]
    checks: Checks
    by: str


class Entry(Frozen):
    """One line of the history. `previous` is the hash of the line before it, `at` Unix seconds by this machine's clock."""

    sequence: int
    previous: Sha256
    at: float
    change: Change

    @property
    def hash(self) -> str:
        """The entry's name: SHA-256 of its JSON. Note the last one elsewhere, and a cut history shows."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


def append(file: Path, change: Change, at: float) -> Entry:
    """Switch: returns once the entry is on the disk. Raises `ChangeUnderWay` when what it replaces is not in force (any more)."""
    with _trouble(file), closing(_create(file)) as database:
        database.execute("BEGIN IMMEDIATE")
        last = _last(database)
        if (last.change.bundle_hash if last else None) != change.replaced:
            database.execute("ROLLBACK")
            raise ChangeUnderWay(
                "another bundle came into force meanwhile; look at `lane bundle history` and try again"
            )
        sequence, previous = (last.sequence + 1, last.hash) if last else (0, GENESIS)
        entry = Entry(sequence=sequence, previous=previous, at=at, change=change)
        database.execute("INSERT INTO changes VALUES (?, ?, ?)", (sequence, entry.hash, entry.model_dump_json()))
        database.execute("COMMIT")
        return entry


def in_force(file: Path) -> Entry | None:
    """Return the last entry; None where no bundle was ever applied. Raises `HistoryBroken`. Well under a millisecond."""
    if not file.exists():
        return None
    with _trouble(file), closing(_open(file)) as database:
        return _last(database)


def read_history(file: Path) -> list[Entry]:
    """Return all entries in order, each held against its hash, the one before and its signatures. Raises `HistoryBroken`."""
    if not file.exists():
        return []
    with _trouble(file), closing(_open(file)) as database:
        rows = database.execute(f"{_ROWS} ORDER BY sequence").fetchall() if _has_entries(database) else []
    entries: list[Entry] = []
    replaced: str | None = None
    for number, (sequence, entry_hash, text) in enumerate(rows):
        entry = _entry(sequence, entry_hash, text)
        previous = entries[-1].hash if entries else GENESIS
        if (sequence, entry.sequence, entry.previous, entry.change.replaced) != (number, number, previous, replaced):
            raise HistoryBroken(f"{file}: the chain breaks at entry {number}")
        if not all(_signed(entry.change, approval) for approval in entry.change.approvals):
            raise HistoryBroken(f"{file}: entry {number} rests on a signature that does not hold")
        entries.append(entry)
        replaced = entry.change.bundle_hash
    return entries


def _signed(change: Change, approval: Approval) -> bool:
    signature = approval.signature
    return signature.bundle_hash == change.bundle_hash and holds(signature)


def _last(database: sqlite3.Connection) -> Entry | None:
    row = database.execute(f"{_ROWS} ORDER BY sequence DESC LIMIT 1").fetchone() if _has_entries(database) else None
    return _entry(*row) if row else None


def _has_entries(database: sqlite3.Connection) -> bool:
    """Tell whether the table is there: a crash may have come between the file's making and its first entry."""
    return database.execute("SELECT 1 FROM sqlite_master WHERE name = 'changes'").fetchone() is not None


def _entry(sequence: int, entry_hash: str, text: str) -> Entry:
    try:
        entry = Entry.model_validate_json(text)
    except ValidationError as error:
        raise HistoryBroken(f"entry {sequence} of the bundles' history can't be read") from error
    if entry.hash != entry_hash:
        raise HistoryBroken(f"entry {sequence} of the bundles' history is not what its hash says")
    return entry


def _create(file: Path) -> sqlite3.Connection:
    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o644))
    database = _open(file)
    # No WAL: another account (the door's, on a node) must be able to read this file without writing beside it.
    database.execute("PRAGMA journal_mode = DELETE")
    database.execute("PRAGMA synchronous = EXTRA")
    database.executescript(_SCHEMA)
    return database


def _open(file: Path) -> sqlite3.Connection:
    # Read and write where that is allowed: after a crash, whoever comes next rolls back what the crash left.
    mode = "rw" if os.access(file, os.W_OK) else "ro"
    return sqlite3.connect(
        f"{file.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=_BUSY_SECONDS
    )


@contextmanager
def _trouble(file: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise HistoryBroken(f"{file}: the history of bundles can't be used: {error}") from error
