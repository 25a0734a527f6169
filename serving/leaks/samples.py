"""Which few of many are kept? The k of each stratum that drew the smallest random numbers: at every moment a simple random sample of it.

A stratum is what was done (left, or stayed because of what was found), in which week, whose, by which lane, at which tier, with which
categories. All of it is counted, few are kept, sealed; a sample that a later one drives out leaves nothing behind. One SQLite file for
each writer's account: the door's holds what left, the ingress's what stayed.
"""

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from router.contract import Frozen, RiskTier
from router.errors import RouterError
from serving.leaks.sealed import seal
from serving.leaks.setting import LeakSample

Population = Literal["left", "stayed"]
_DAY_SECONDS: Final = 86_400
_BUSY_SECONDS: Final = 5.0
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS strata (
    id INTEGER PRIMARY KEY, stratum TEXT NOT NULL UNIQUE, seen INTEGER NOT NULL DEFAULT 0, too_large INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS samples (
    id TEXT PRIMARY KEY, stratum INTEGER NOT NULL REFERENCES strata, drawn REAL NOT NULL,
    at REAL NOT NULL, trace_id TEXT NOT NULL, sealed BLOB
) STRICT;
CREATE INDEX IF NOT EXISTS samples_of_a_stratum ON samples (stratum, drawn);
CREATE INDEX IF NOT EXISTS samples_by_age ON samples (at) WHERE sealed IS NOT NULL;
"""


class SamplesUnusable(RouterError):
    """The file of samples can't be read or written."""

    code = "samples_unusable"


class Stratum(Frozen):
    """What is alike: `population`, the ISO week (UTC), tenant, lane, tier, and the categories that kept it in (none for what left)."""

    population: Population
    week: str
    org: str
    lane: str
    risk_tier: RiskTier
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """One that was kept. `sealed` is None once it was too old to keep."""

    id: str
    stratum: Stratum
    at: float
    trace_id: str
    sealed: bytes | None

    @property
    def about(self) -> str:
        """What it was sealed with: it opens as this sample of this stratum alone."""
        return about(self.id, self.stratum)


@dataclass(frozen=True, slots=True)
class Counted:
    """A stratum, how many there were, how many more were too large to keep, and those that are kept, in the order they are to be judged."""

    stratum: Stratum
    seen: int
    too_large: int
    samples: tuple[Sample, ...]


def week_of(at: float) -> str:
    """Return the ISO week of a time (Unix seconds), as 2026-W48."""
    year, week, _ = datetime.fromtimestamp(at, UTC).isocalendar()
    return f"{year}-W{week:02}"


def about(sample: str, stratum: Stratum) -> str:
    """Return what a sample's seal is bound to."""
    return f"{sample}\n{stratum.model_dump_json()}"


class Samples:
    """One file of samples. Calls block on the disk: make them off the event loop. `draw` gives random numbers in [0, 1)."""

    def __init__(self, file: Path, draw: Callable[[], float]) -> None:
        """Open or create the file, for its owner alone. Raises `SamplesUnusable`."""
        self._draw = draw
        with _trouble(file):
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
            self._database = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=_BUSY_SECONDS)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA secure_delete = ON")
            self._database.executescript(_SCHEMA)
        self._file = file

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def offer(self, stratum: Stratum, content: bytes, trace_id: str, at: float, setting: LeakSample) -> bool:
        """Count one, and keep it sealed if it is among the stratum's `per_stratum` smallest draws. Raises `SamplesUnusable`."""
        with self._transaction():
            number = self._count(stratum, too_large=len(content) > setting.bytes_at_most)
            kept = len(content) <= setting.bytes_at_most and self._keep(number, stratum, content, trace_id, at, setting)
            self._expire(at, setting)
        return kept

    def _count(self, stratum: Stratum, *, too_large: bool) -> int:
        (number,) = self._database.execute(
            "INSERT INTO strata (stratum, seen, too_large) VALUES (?, ?, ?) ON CONFLICT (stratum)"
            " DO UPDATE SET seen = seen + excluded.seen, too_large = too_large + excluded.too_large RETURNING id",
            (stratum.model_dump_json(), int(not too_large), int(too_large)),
        ).fetchone()
        return int(number)

    def _keep(
        self, number: int, stratum: Stratum, content: bytes, trace_id: str, at: float, setting: LeakSample
    ) -> bool:
        drawn = self._draw()
        held = self._database.execute(
            "SELECT id, drawn FROM samples WHERE stratum = ? ORDER BY drawn", (number,)
        ).fetchall()
        if len(held) >= setting.per_stratum and drawn >= held[setting.per_stratum - 1][1]:
            return False
        # INVARIANT: the kept ones have the smallest draws of all that were counted; only so are they a fair sample.
        for driven_out, _ in held[setting.per_stratum - 1 :]:
            self._database.execute("DELETE FROM samples WHERE id = ?", (driven_out,))
        sample = secrets.token_hex(8)
        sealed = seal(content, setting.public_key, about(sample, stratum))
        self._database.execute(
            "INSERT INTO samples VALUES (?, ?, ?, ?, ?, ?)", (sample, number, drawn, at, trace_id, sealed)
        )
        return True

    def _expire(self, at: float, setting: LeakSample) -> None:
        """Forget the content of what is too old, and of the oldest of too many. That it was drawn, and its verdict, stay."""
        self._database.execute(
            "UPDATE samples SET sealed = NULL WHERE sealed IS NOT NULL AND at < ?", (at - setting.days * _DAY_SECONDS,)
        )
        (held,) = self._database.execute("SELECT count(*) FROM samples WHERE sealed IS NOT NULL").fetchone()
        if held > setting.samples_at_most:
            self._database.execute(
                "UPDATE samples SET sealed = NULL WHERE id IN"
                " (SELECT id FROM samples WHERE sealed IS NOT NULL ORDER BY at LIMIT ?)",
                (held - setting.samples_at_most,),
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _trouble(self._file):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            finally:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")


def read_samples(file: Path) -> list[Counted]:
    """Return every stratum of a file with what is kept of it; none where there is no file. Raises `SamplesUnusable`."""
    if not file.exists():
        return []
    with _trouble(file):
        database = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS)
        try:
            strata = database.execute("SELECT id, stratum, seen, too_large FROM strata ORDER BY id").fetchall()
            rows = database.execute(
                "SELECT stratum, id, at, trace_id, sealed FROM samples ORDER BY stratum, drawn"
            ).fetchall()
        finally:
            database.close()
    return [_counted(number, text, seen, too_large, rows) for number, text, seen, too_large in strata]


def empty(file: Path) -> int:
    """Remove every sample and every count of a file, their bytes too; return how many samples there were. Raises `SamplesUnusable`."""
    if not file.exists():
        return 0
    with _trouble(file):
        database = sqlite3.connect(file, isolation_level=None, timeout=_BUSY_SECONDS)
        try:
            database.execute("PRAGMA secure_delete = ON")
            removed = database.execute("DELETE FROM samples").rowcount
            database.execute("DELETE FROM strata")
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            database.close()
    return removed


def _counted(
    number: int, text: str, seen: int, too_large: int, rows: list[tuple[int, str, float, str, bytes | None]]
) -> Counted:
    stratum = Stratum.model_validate_json(text)
    samples = tuple(Sample(name, stratum, at, trace, sealed) for of, name, at, trace, sealed in rows if of == number)
    return Counted(stratum, seen, too_large, samples)


@contextmanager
def _trouble(file: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise SamplesUnusable(f"{file}: {error}") from error
