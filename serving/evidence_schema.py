"""How does the evidence's file become what this version writes, while an older version may still write it? Step by step, forward only.

A file says how far it has come (`PRAGMA user_version`) and, since schema 2, for each step which programs can go on writing after it. A step
that an older program can live with (another table, an index, a column with a default) is made while that one writes. One that it can't
is made only when nobody else has the file open.

`python -m serving.evidence_schema FILE` says what opening the file with this version would do to it.
"""

import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from router.contract import Frozen
from router.errors import EvidenceUnavailable


@dataclass(frozen=True, slots=True)
class Step:
    """From the schema before to schema `version`. Programs that know schema `writers_from` can still write afterwards."""

    version: int
    writers_from: int
    statements: tuple[str, ...]


_ENTRIES: Final = """
CREATE TABLE IF NOT EXISTS entries (
    id INTEGER PRIMARY KEY,
    trace_id TEXT NOT NULL,
    writer TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    at REAL NOT NULL,
    event TEXT NOT NULL,
    UNIQUE (writer, sequence)
) STRICT
"""
_STEPS_MADE: Final = """
CREATE TABLE IF NOT EXISTS schema_steps (
    version INTEGER PRIMARY KEY,
    writers_from INTEGER NOT NULL,
    at REAL NOT NULL
) STRICT
"""
STEPS: Final = (
    Step(1, 1, (_ENTRIES, "CREATE INDEX IF NOT EXISTS entries_of_trace ON entries (trace_id)")),
    Step(2, 1, (_STEPS_MADE,)),
)
_FIRST_NOTED: Final = 2
"""The schema from which on a file says of each step who can still write it."""


class Outlook(Frozen):
    """What opening a file would do: the schema that it has (0: there is none yet), the one this program writes, and what stands against it.

    `alone`: a step is to be made that older programs can't live with.
    """

    file: int
    program: int
    alone: bool
    refused: str | None = None


def outlook(path: Path, steps: Sequence[Step] = STEPS) -> Outlook:
    """Say what `migrate` would do to a file, without writing to it."""
    program = steps[-1].version
    if not path.exists():
        return Outlook(file=0, program=program, alone=False)
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        version = _version(connection)
        ahead = [step for step in steps if step.version > version]
        return Outlook(
            file=version,
            program=program,
            alone=any(step.writers_from > version > 0 for step in ahead),
            refused=_too_new(path, connection, program),
        )


def migrate(path: Path, connection: sqlite3.Connection, steps: Sequence[Step] = STEPS) -> None:
    """Bring an open file to this program's schema, all steps in one transaction. A file of a later one stays as it is.

    Raises `EvidenceUnavailable` for a later schema that this program can't write, and where a step needs the file for itself.
    """
    program = steps[-1].version
    if (refused := _too_new(path, connection, program)) is not None:
        raise EvidenceUnavailable(refused)
    version = _version(connection)
    if version >= program:
        return
    if any(step.writers_from > version > 0 for step in steps if step.version > version):
        _check_alone(path, connection)
    with _transaction(connection):
        version = _version(connection)  # Another process may have come first.
        for step in steps:
            if step.version > version:
                for statement in step.statements:
                    connection.execute(statement)
                if step.version >= _FIRST_NOTED:
                    connection.execute(
                        "INSERT INTO schema_steps VALUES (?, ?, ?)", (step.version, step.writers_from, time.time())
                    )
                connection.execute(f"PRAGMA user_version = {step.version:d}")


def _too_new(path: Path, connection: sqlite3.Connection, program: int) -> str | None:
    """Say why this program can't write a file of a later schema, or None."""
    version = _version(connection)
    if version <= program:
        return None
    noted = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_steps'").fetchone() is not None
    [needed] = connection.execute("SELECT max(writers_from) FROM schema_steps").fetchone() if noted else (version,)
    if needed is not None and needed <= program:
        return None
    return f"{path}: evidence of schema {version}; this version writes {program}: upgrade"


def _check_alone(path: Path, connection: sqlite3.Connection) -> None:
    """Raise `EvidenceUnavailable` while another program has the file open: SQLite leaves WAL mode only for the last connection."""
    try:
        [mode] = connection.execute("PRAGMA journal_mode = DELETE").fetchone()
    except sqlite3.OperationalError:
        mode = "wal"
    if mode != "delete":
        raise EvidenceUnavailable(
            f"{path}: the next schema can't be written by the program that has this file open; end that one first (no blue and green)"
        )
    connection.execute("PRAGMA journal_mode = WAL")


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


if __name__ == "__main__":
    sys.stdout.write(outlook(Path(sys.argv[1])).model_dump_json() + "\n")
