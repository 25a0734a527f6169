"""The evidence's file goes from schema to schema while an older program writes it, or not while that one can't live with the step."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from router.contract import Accepted
from router.errors import EvidenceUnavailable
from serving.evidence_schema import STEPS, Outlook, Step, migrate, outlook
from serving.store import EvidenceStore, read_evidence

TRACE, OTHER = "ab" * 16, "cd" * 16
ACCEPTED = Accepted(
    org="local",
    user=None,
    channel="api",
    requested_model="",
    request_sha256="0" * 64,
    message_count=1,
    character_count=5,
)
GENTLE = (*STEPS, Step(3, 1, ("ALTER TABLE entries ADD COLUMN site TEXT NOT NULL DEFAULT 'here'",)))
HARSH = (*STEPS, Step(3, 3, ("ALTER TABLE entries RENAME COLUMN event TO body",)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "evidence.sqlite"


def open_file(file: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(file, timeout=1.0)
    connection.execute("PRAGMA journal_mode=WAL")
    return connection


def of_schema_1(file: Path) -> None:
    """A file as the first release left it."""
    with closing(open_file(file)) as connection:
        for statement in STEPS[0].statements:
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 1")
        connection.execute(
            "INSERT INTO entries VALUES (1, ?, 'w', 0, 1.0, ?)", (OTHER, ACCEPTED.model_dump_json(by_alias=True))
        )
        connection.commit()


def test_a_file_of_the_first_schema_is_brought_to_this_one_and_what_it_held_is_still_read(file: Path) -> None:
    of_schema_1(file)
    assert outlook(file) == Outlook(file=1, program=2, alone=False)

    store = EvidenceStore(file)
    store.append(TRACE, ACCEPTED)
    asyncio.run(store.durable(TRACE))
    store.close()

    assert outlook(file).file == STEPS[-1].version
    for trace in (TRACE, OTHER):
        record = read_evidence(file, trace)
        assert record is not None
        assert record.accepted == ACCEPTED


def test_an_older_program_goes_on_writing_after_a_step_that_it_can_live_with_and_can_start_again(file: Path) -> None:
    blue = EvidenceStore(file)
    blue.append(TRACE, ACCEPTED)
    asyncio.run(blue.durable(TRACE))

    with closing(open_file(file)) as green:
        migrate(file, green, GENTLE)
    blue.append(OTHER, ACCEPTED)
    asyncio.run(blue.durable(OTHER))
    blue.close()
    again = EvidenceStore(file)
    again.close()

    assert read_evidence(file, OTHER) is not None
    assert outlook(file, GENTLE).file == 3


def test_a_step_that_an_older_program_can_t_live_with_is_refused_while_it_runs(file: Path) -> None:
    blue = EvidenceStore(file)
    blue.append(TRACE, ACCEPTED)
    asyncio.run(blue.durable(TRACE))
    assert outlook(file, HARSH).alone

    with closing(open_file(file)) as green:
        with pytest.raises(EvidenceUnavailable, match="end that one first"):
            migrate(file, green, HARSH)
        blue.append(OTHER, ACCEPTED)
        asyncio.run(blue.durable(OTHER))
        blue.close()
        migrate(file, green, HARSH)

    assert outlook(file, HARSH).file == 3
    with pytest.raises(EvidenceUnavailable, match="this version writes 2: upgrade"):
        EvidenceStore(file)


def test_a_step_that_fails_leaves_the_file_as_it_was(file: Path) -> None:
    EvidenceStore(file).close()
    broken = (*STEPS, Step(3, 1, ("CREATE TABLE more (id INTEGER) STRICT", "CREATE TABLE more (id INTEGER) STRICT")))

    with closing(open_file(file)) as connection, pytest.raises(sqlite3.OperationalError):
        migrate(file, connection, broken)

    assert outlook(file) == Outlook(file=2, program=2, alone=False)
    with closing(open_file(file)) as connection:
        assert connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'more'").fetchone() is None


def test_a_file_that_is_not_there_is_made_whole(file: Path) -> None:
    assert outlook(file) == Outlook(file=0, program=2, alone=False)

    EvidenceStore(file).close()

    assert outlook(file).file == 2
