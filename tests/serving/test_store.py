import asyncio
import sqlite3
from pathlib import Path

import pytest

from router.contract import Accepted, Finished
from router.errors import EvidenceUnavailable
from serving.store import EvidenceStore, read_evidence

TRACE = "ab" * 16
ACCEPTED = Accepted(
    org="local",
    user=None,
    channel="api",
    requested_model="auto",
    request_sha256="0" * 64,
    message_count=1,
    character_count=5,
)
FINISHED = Finished(status=200, ended="answered", seconds=1.5)


def test_what_is_durable_is_read_back_folded(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path / "evidence.sqlite")

    store.append(TRACE, ACCEPTED)
    store.append(TRACE, FINISHED)
    asyncio.run(store.durable(TRACE))

    record = read_evidence(tmp_path / "evidence.sqlite", TRACE)
    store.close()
    assert record is not None
    assert (record.accepted, record.finished) == (ACCEPTED, FINISHED)
    assert record.writers == (store.writer,)


def test_two_writers_of_one_file_do_not_disturb_each_other(tmp_path: Path) -> None:
    stores = [EvidenceStore(tmp_path / "evidence.sqlite") for _ in range(2)]

    for number in range(100):
        stores[number % 2].append(f"{number:032x}", ACCEPTED)
    for store in stores:
        asyncio.run(store.durable(TRACE))
        store.close()

    found = [read_evidence(tmp_path / "evidence.sqlite", f"{number:032x}") for number in range(100)]
    assert all(record is not None and record.accepted == ACCEPTED for record in found)


def test_a_hundred_waiting_requests_are_all_told(tmp_path: Path) -> None:
    store = EvidenceStore(tmp_path / "evidence.sqlite")

    async def one(number: int) -> None:
        store.append(f"{number:032x}", ACCEPTED)
        await store.durable(f"{number:032x}")

    async def all_of_them() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(100):
                group.create_task(one(number))

    asyncio.run(all_of_them())
    store.close()
    with sqlite3.connect(tmp_path / "evidence.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM entries").fetchone() == (100,)
    connection.close()


def test_a_disk_that_refuses_withholds_the_answer_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "evidence.sqlite"
    store = EvidenceStore(path)
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("ALTER TABLE entries RENAME TO hidden")

    store.append(TRACE, ACCEPTED)
    with pytest.raises(EvidenceUnavailable):
        asyncio.run(store.durable(TRACE))

    connection.execute("ALTER TABLE hidden RENAME TO entries")
    connection.close()
    store.append(TRACE, FINISHED)
    asyncio.run(store.durable(TRACE))
    store.close()
    record = read_evidence(path, TRACE)
    assert record is not None
    assert (record.accepted, record.finished) == (ACCEPTED, FINISHED)


def test_a_file_of_a_later_version_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "evidence.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()

    with pytest.raises(EvidenceUnavailable, match="schema 99"):
        EvidenceStore(path)


def test_no_file_and_no_trace_are_both_no_evidence(tmp_path: Path) -> None:
    assert read_evidence(tmp_path / "none.sqlite", TRACE) is None
    store = EvidenceStore(tmp_path / "evidence.sqlite")
    store.close()
    assert read_evidence(tmp_path / "evidence.sqlite", TRACE) is None
