"""What left the building, to where, under whose permit? Append-only, hash-chained, on stable storage before the first byte goes.

An `intent` with no `outcome` means that the door died meanwhile: the bytes may have left. No content is kept, only its hash.
The nonce that makes a permit single-use is taken in the intent's own transaction, and kept for longer than any permit is good.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from router.contract import Frozen, Label, RiskTier, Sha256, TraceId
from router.errors import DoorRefused, EvidenceUnavailable
from router.permit import Permit

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS ledger (sequence INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, entry TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS nonces (nonce TEXT PRIMARY KEY, taken_at REAL NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS nonces_by_time ON nonces (taken_at);
CREATE TRIGGER IF NOT EXISTS ledger_is_never_changed BEFORE UPDATE ON ledger
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS ledger_is_never_shortened BEFORE DELETE ON ledger
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;
CREATE TRIGGER IF NOT EXISTS nonces_stay_used BEFORE DELETE ON nonces
    WHEN OLD.taken_at >= (SELECT max(taken_at) FROM nonces) - 240
    BEGIN SELECT RAISE(ABORT, 'a nonce stays used'); END;
"""
_FROM_UNDATED_NONCES: Final = """
DROP TRIGGER nonces_stay_used;
ALTER TABLE nonces ADD COLUMN taken_at REAL NOT NULL DEFAULT 0;
UPDATE nonces SET taken_at = (SELECT json_extract(entry, '$.at') FROM ledger ORDER BY sequence DESC LIMIT 1);
"""
"""The first version kept nonces for ever and did not say since when: they count as taken by the last entry."""
CLOCK_MAY_GO_BACK_SECONDS: Final = 120
"""A clock that went back further could make a permit good again whose nonce is forgotten: until it has caught up, nothing is sent."""
NONCES_KEPT_SECONDS: Final = 240
"""Longer than a permit is good (60 s, `serving.door.guard`) and a clock may go back, together."""
GENESIS: Final = "0" * 64
"""What the first entry follows."""


class Intent(Frozen):
    """These bytes are about to be sent."""

    kind: Literal["intent"] = "intent"
    trace_id: TraceId
    attempt: int
    org: str
    lane: str
    provider: str
    address: str
    region: str
    label: Label
    risk_tier: RiskTier
    bundle_hash: str
    body_sha256: Sha256
    body_bytes: int
    permit_nonce: str


class Outcome(Frozen):
    """How a send ended: `answered`, `cancelled` (the client went away), or a failure's code. `intent` is the intent's hash."""

    kind: Literal["outcome"] = "outcome"
    intent: Sha256
    ended: str
    because: str = ""
    model_version: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


class Refused(Frozen):
    """Something asked to be sent and was not. What a refused permit says is kept only where its signature held."""

    kind: Literal["refused"] = "refused"
    because: str
    policies: tuple[str, ...] = ()
    lane: str
    body_sha256: Sha256
    permit: Permit | None = None


LedgerEvent = Annotated[Intent | Outcome | Refused, Field(discriminator="kind")]


class LedgerEntry(Frozen):
    """One line of the ledger. `previous` is the hash of the line before it, `at` Unix seconds by the door's clock."""

    sequence: int
    previous: Sha256
    at: float
    event: LedgerEvent

    @property
    def hash(self) -> str:
        """The entry's name: SHA-256 of its JSON."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class LedgerBroken(Exception):
    """An entry is not what its hash says, does not follow the one before, or is missing."""


class Ledger:
    """The door's own SQLite file. Calls block until the disk has it: make them off the event loop, one at a time."""

    def __init__(self, file: Path) -> None:
        """Open or create the file, readable by its owner alone. Raises `EvidenceUnavailable`."""
        with _disk_trouble("open"):
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
            self._database = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=2.0)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            columns = [column[1] for column in self._database.execute("PRAGMA table_info(nonces)")]
            if columns == ["nonce"]:
                self._database.executescript(f"BEGIN IMMEDIATE;{_FROM_UNDATED_NONCES}COMMIT;")
            self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def intend(self, intent: Intent, at: float) -> str:
        """Take the permit's nonce and record the intent, both or neither. Returns the entry's hash once it is on disk.

        Raises `DoorRefused` for a nonce used before, or when the clock has gone back too far to know; `EvidenceUnavailable` when the
        disk will not have it.
        """
        with self._transaction():
            self._take(intent.permit_nonce, at)
            return self._append(intent, at)

    def _take(self, nonce: str, at: float) -> None:
        """Use a nonce up, and forget those of permits that have long expired."""
        [latest] = self._database.execute("SELECT max(taken_at) FROM nonces").fetchone()
        if latest is not None and at < latest - CLOCK_MAY_GO_BACK_SECONDS:
            raise DoorRefused("the door's clock has gone back: which permits were used can't be told")
        try:
            self._database.execute("INSERT INTO nonces VALUES (?, ?)", (nonce, at))
        except sqlite3.IntegrityError:
            raise DoorRefused("the permit was used before") from None
        forgotten_before = max(at, latest if latest is not None else at) - NONCES_KEPT_SECONDS
        self._database.execute("DELETE FROM nonces WHERE taken_at < ?", (forgotten_before,))

    def record(self, event: Outcome | Refused, at: float) -> str:
        """Record what became of a send, or that there was none. Raises `EvidenceUnavailable`."""
        with self._transaction():
            return self._append(event, at)

    def _append(self, event: Intent | Outcome | Refused, at: float) -> str:
        last = self._database.execute("SELECT sequence, hash FROM ledger ORDER BY sequence DESC LIMIT 1").fetchone()
        sequence, previous = (last[0] + 1, last[1]) if last else (0, GENESIS)
        entry = LedgerEntry(sequence=sequence, previous=previous, at=at, event=event)
        self._database.execute(
            "INSERT INTO ledger VALUES (?, ?, ?)", (entry.sequence, entry.hash, entry.model_dump_json())
        )
        return entry.hash

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _disk_trouble("write"):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            finally:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")


@contextmanager
def _disk_trouble(verb: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise EvidenceUnavailable(f"the egress ledger is out of order ({verb}): {error}") from error


def read_ledger(file: Path) -> Iterator[LedgerEntry]:
    """Yield the entries in order, each checked against its hash and the one before. Raises `LedgerBroken` where the chain breaks."""
    database = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
    try:
        expected, previous = 0, GENESIS
        for sequence, entry_hash, text in database.execute(
            "SELECT sequence, hash, entry FROM ledger ORDER BY sequence"
        ):
            try:
                entry = LedgerEntry.model_validate_json(text)
            except ValidationError as error:
                raise LedgerBroken(f"entry {sequence} can't be read") from error
            if (sequence, entry.sequence, entry.previous, entry.hash) != (expected, expected, previous, entry_hash):
                raise LedgerBroken(f"the chain breaks at entry {expected}")
            yield entry
            expected, previous = expected + 1, entry_hash
    finally:
        database.close()
