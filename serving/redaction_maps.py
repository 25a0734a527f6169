"""Where do a conversation's placeholders rest? In `state.sqlite`, encrypted, bound to their tenant and session, and not for long.

The key is a file of its own in the home folder: whoever has the database alone has nothing. A map that can't be opened (another key, an
altered row, its time over) is not taken for an empty one: answers of the conversation hold values that only its map could find again.
"""

import asyncio
import secrets
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from router.errors import StateUnavailable
from router.redact import Placeholders, PlaceholderTaken

KEY_BYTES: Final = 32
KEPT_SECONDS: Final = 24 * 3600.0
"""How long a map outlives its conversation's last turn."""
_ASK_SECONDS: Final = 2.0
_NONCE_BYTES: Final = 12
_PURPOSE: Final = b"private-lane redaction map 1"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS redaction_maps (
    org TEXT NOT NULL, session TEXT NOT NULL, sealed BLOB NOT NULL, expires_at REAL NOT NULL,
    PRIMARY KEY (org, session)
) STRICT;
CREATE INDEX IF NOT EXISTS redaction_maps_by_expiry ON redaction_maps (expires_at);
"""


class MapUnreadable(Exception):
    """A session had a map, and it can't be opened: it has expired, its key is missing or another, or the row was altered."""


class RedactionMaps:
    """The maps of conversations, on disk. A placeholder once given stands for its value until the map expires."""

    def __init__(self, path: Path, key_file: Path, now: Callable[[], float]) -> None:
        """Open the file; `now` in Unix seconds. A missing key is no failure here: without redacting lanes none is needed."""
        self._key_file, self._now = key_file, now
        self._connection = sqlite3.connect(path, timeout=10.0, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("PRAGMA secure_delete=ON")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def recall(self, org: str, session: str) -> Placeholders:
        """Return a session's placeholders; none for a session that never had any. Raises `MapUnreadable`."""
        row = self._connection.execute(
            "SELECT sealed, expires_at FROM redaction_maps WHERE org = ? AND session = ?", (org, session)
        ).fetchone()
        if row is None:
            return Placeholders()
        sealed, expires_at = row
        if expires_at <= self._now():
            raise MapUnreadable("the session's redaction map has expired")
        return self._opened(sealed, org, session)

    def keep(self, org: str, session: str, placeholders: Placeholders) -> None:
        """Join placeholders into a session's map, in one transaction; each use makes it last longer.

        Raises `PlaceholderTaken` when another request of the session gave one of them away meanwhile, and `MapUnreadable`.
        """
        with self._transaction():
            joined = self.recall(org, session).joined(placeholders)
            self._connection.execute(
                "INSERT INTO redaction_maps VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET sealed = excluded.sealed, expires_at = excluded.expires_at",
                (org, session, self._sealed(joined, org, session), self._now() + KEPT_SECONDS),
            )

    def purge(self) -> int:
        """Remove what has expired; return how many maps that were. That a session had one is remembered: see the module."""
        expired = "redaction_maps WHERE expires_at <= ? AND sealed != x''"
        now = self._now()
        if self._connection.execute(f"SELECT 1 FROM {expired} LIMIT 1", (now,)).fetchone() is None:  # noqa: S608
            return 0
        emptied = "UPDATE redaction_maps SET sealed = x'' WHERE expires_at <= ? AND sealed != x''"
        with closing(self._connection.execute(emptied, (now,))) as cursor:
            return cursor.rowcount

    def _sealed(self, placeholders: Placeholders, org: str, session: str) -> bytes:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._cipher().encrypt(nonce, placeholders.to_json(), _bound_to(org, session))

    def _opened(self, sealed: bytes, org: str, session: str) -> Placeholders:
        try:
            nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
            return Placeholders.from_json(self._cipher().decrypt(nonce, ciphertext, _bound_to(org, session)))
        except (InvalidTag, ValueError) as error:
            raise MapUnreadable("a redaction map can't be opened with this key") from error

    def _cipher(self) -> AESGCM:
        try:
            key = self._key_file.read_bytes()
        except OSError as error:
            raise MapUnreadable(f"{self._key_file} can't be read; `lane up` makes one") from error
        if len(key) != KEY_BYTES:
            raise MapUnreadable(f"{self._key_file} holds no key of {KEY_BYTES} bytes")
        return AESGCM(key)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise


def _bound_to(org: str, session: str) -> bytes:
    """The associated data: a row moved to another tenant or session does not open there."""
    return b"\0".join((_PURPOSE, str(len(org.encode())).encode(), org.encode(), session.encode()))


class KeptMaps:
    """An ingress replica's way to the maps: implements `router.ports.RedactionMaps` by asking the keeper."""

    def __init__(self, keeper: Any) -> None:
        """Take the keeper's Ray Serve handle."""
        self._keeper = keeper

    async def recall(self, org: str, session: str) -> Placeholders:
        """Return a session's placeholders. Raises `StateUnavailable`."""
        return Placeholders.from_json(await _asked(self._keeper.recall_placeholders.remote(org, session)))

    async def keep(self, org: str, session: str, placeholders: Placeholders) -> None:
        """Add to a session's placeholders. Raises `PlaceholderTaken` or `StateUnavailable`."""
        if not await _asked(self._keeper.keep_placeholders.remote(org, session, placeholders.to_json())):
            raise PlaceholderTaken("another request of the session gave a placeholder away")


async def _asked(answer: Awaitable[Any]) -> Any:
    """Wait for the keeper. Any failure, a map that can't be opened among them, means that the map can't be had."""
    try:
        async with asyncio.timeout(_ASK_SECONDS):
            return await answer
    except Exception as error:
        raise StateUnavailable(f"the redaction map can't be had ({type(error).__name__})") from error
