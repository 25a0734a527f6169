"""Where is the evidence? In one SQLite file (WAL, `synchronous=FULL`), appended to by a thread per process, in groups.

Entries that are waiting while the disk works become one transaction: a hundred requests at once cost one flush, not a hundred.
"""

import asyncio
import logging
import os
import queue
import secrets
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

from pydantic import TypeAdapter

from router.contract import Evidence, EvidenceEntry, EvidenceEvent
from router.errors import EvidenceUnavailable
from router.evidence import fold
from serving.evidence_schema import migrate

log = logging.getLogger(__name__)

_INSERT = "INSERT INTO entries (trace_id, writer, sequence, at, event) VALUES (?, ?, ?, ?, ?)"
_MOST_UNWRITTEN = 100_000
_BUSY_SECONDS = 10.0
_Waiter = tuple[asyncio.AbstractEventLoop, "asyncio.Future[None]"]
_EVENT: TypeAdapter[EvidenceEvent] = TypeAdapter(EvidenceEvent)


class EvidenceStore:
    """The evidence log of one process: implements `router.ports.EvidenceLog`. One writer ID, one thread, one connection."""

    def __init__(self, path: Path) -> None:
        self.writer = f"{os.uname().nodename}:{os.getpid()}:{secrets.token_hex(4)}"
        self._path = path
        self._sequence = 0
        self._queue: queue.SimpleQueue[EvidenceEntry | _Waiter | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write_until_closed, name="evidence", daemon=True)
        with closing(_open(path)):
            pass  # A file that can't be opened fails the start, not the first request.
        self._thread.start()

    def append(self, trace_id: str, event: EvidenceEvent) -> None:
        """Stamp an event with writer, sequence and time, and hand it to the thread."""
        entry = EvidenceEntry.model_construct(
            trace_id=trace_id, writer=self.writer, sequence=self._sequence, at=time.time(), event=event
        )
        self._sequence += 1
        self._queue.put(entry)

    async def durable(self, trace_id: str) -> None:
        """Return once everything appended so far (this trace's events among it) is on stable storage."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._queue.put((loop, done))
        await done

    def read(self, trace_id: str) -> Evidence | None:
        """Return what is durable of a trace, folded."""
        return read_evidence(self._path, trace_id)

    def close(self) -> None:
        """Write what is left and stop the thread."""
        self._queue.put(None)
        self._thread.join(timeout=_BUSY_SECONDS)

    def _write_until_closed(self) -> None:
        unwritten: list[EvidenceEntry] = []
        closed = False
        connection = _open(self._path)
        while not closed:
            batch = [self._queue.get()]
            while not self._queue.empty():
                batch.append(self._queue.get())
            closed = None in batch
            unwritten += [item for item in batch if isinstance(item, EvidenceEntry)]
            failure = _write(connection, unwritten)
            if failure is None:
                unwritten.clear()
            elif len(unwritten) > _MOST_UNWRITTEN:
                log.error("evidence: %d entries dropped: the disk has refused them for too long", len(unwritten))
                unwritten.clear()
            for item in batch:
                if isinstance(item, tuple):
                    _settle(item, failure)
        connection.close()


def _write(connection: sqlite3.Connection, entries: list[EvidenceEntry]) -> Exception | None:
    """Write in one transaction; return what went wrong. Entries that failed are tried again with the next group."""
    try:
        with connection:
            connection.executemany(_INSERT, [_row(entry) for entry in entries])
    except (sqlite3.Error, OSError) as error:
        log.exception("evidence could not be written")
        return error
    return None


def _row(entry: EvidenceEntry) -> tuple[str, str, int, float, str]:
    return entry.trace_id, entry.writer, entry.sequence, entry.at, entry.event.model_dump_json(by_alias=True)


def _settle(waiter: _Waiter, failure: Exception | None) -> None:
    """Wake a coroutine from the writer's thread. A loop that closed meanwhile has nobody to wake."""
    loop, done = waiter

    def settle() -> None:
        if done.cancelled():
            return
        if failure is None:
            done.set_result(None)
        else:
            done.set_exception(EvidenceUnavailable(f"evidence is not durable ({failure}); the answer is withheld"))

    if not loop.is_closed():
        loop.call_soon_threadsafe(settle)


def _open(path: Path) -> sqlite3.Connection:
    """Open (and create) the file for appending, in this version's schema. Raises `EvidenceUnavailable` where that can't be."""
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    try:
        migrate(path, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def read_evidence(path: Path, trace_id: str) -> Evidence | None:
    """Read one trace's record from a file, without writing to it. None: no such file or no such trace."""
    if not path.exists():
        return None
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=_BUSY_SECONDS)) as connection:
        rows = connection.execute(
            "SELECT trace_id, writer, sequence, at, event FROM entries WHERE trace_id = ? ORDER BY id", (trace_id,)
        ).fetchall()
    return fold(
        EvidenceEntry(trace_id=trace, writer=writer, sequence=sequence, at=at, event=_EVENT.validate_json(event))
        for trace, writer, sequence, at, event in rows
    )
