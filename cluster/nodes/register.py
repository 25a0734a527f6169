"""Who may join, and who has? The head's SQLite file: join tokens by the hash of their secret, and the nodes that were let in.

Letting a node in is one transaction: the token's use is counted and the node's name and addresses are taken together, or neither is. So
a token for one node lets in one, however many ask at once.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hmac import compare_digest
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cluster.nodes.errors import NodeTaken, TokenExpired, TokenUnknown, TokenUsedUp
from cluster.nodes.tokens import JoinToken, secret_hash

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS token (
    id TEXT PRIMARY KEY, secret_sha256 BLOB NOT NULL, expires_at REAL NOT NULL, uses_left INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS node (name TEXT PRIMARY KEY, certificate_sha256 TEXT NOT NULL, joined_at REAL NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS address (address TEXT PRIMARY KEY, node TEXT NOT NULL REFERENCES node ON DELETE CASCADE) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Joined:
    """A node that was let in."""

    name: str
    joined_at: float
    certificate_sha256: str


class Register:
    """The file, opened for each use: several processes of the head work with it."""

    def __init__(self, file: Path, clock: Callable[[], float]) -> None:
        """`clock` gives seconds since the epoch."""
        self._file, self._clock = file, clock

    def remember_token(self, token: JoinToken, ttl_seconds: float, uses: int) -> None:
        """Let `token` be used so many times within its time; forget those that are over."""
        now = self._clock()
        with self._transaction() as database:
            database.execute("DELETE FROM token WHERE expires_at < ?", (now - _KEPT_SECONDS,))
            row = (token.id, secret_hash(token.secret), now + ttl_seconds, uses)
            database.execute("INSERT INTO token VALUES (?, ?, ?, ?)", row)

    def check_token(self, token_id: str, secret: str) -> None:
        """Raise `TokenUnknown`, `TokenExpired` or `TokenUsedUp` where the token lets nobody in now. Uses nothing up."""
        with self._transaction() as database:
            self._good(database, token_id, secret)

    def let_in(
        self, token_id: str, secret: str, name: str, addresses: Sequence[str], certify: Callable[[], tuple[str, bytes]]
    ) -> bytes:
        """Use the token for a node and return its certificate, which `certify` makes with its fingerprint.

        Raises what `check_token` does, and `NodeTaken`; then nothing was used up.
        """
        with self._transaction() as database:
            self._good(database, token_id, secret)
            _refuse_taken(database, name, addresses)
            fingerprint, certificate = certify()
            database.execute("UPDATE token SET uses_left = uses_left - 1 WHERE id = ?", (token_id,))
            database.execute("INSERT INTO node VALUES (?, ?, ?)", (name, fingerprint, self._clock()))
            owned = [(address, name) for address in addresses if not _is_loopback(address)]
            database.executemany("INSERT INTO address VALUES (?, ?)", owned)
        return certificate

    def enter(self, name: str, addresses: Sequence[str], fingerprint: str) -> None:
        """Write down a node that needs no token: the head itself. Raises `NodeTaken`."""
        with self._transaction() as database:
            _refuse_taken(database, name, addresses)
            database.execute("INSERT INTO node VALUES (?, ?, ?)", (name, fingerprint, self._clock()))
            owned = [(address, name) for address in addresses if not _is_loopback(address)]
            database.executemany("INSERT INTO address VALUES (?, ?)", owned)

    def renew(self, name: str, fingerprint: str) -> None:
        """Write down a node's other certificate."""
        with self._transaction() as database:
            database.execute("UPDATE node SET certificate_sha256 = ? WHERE name = ?", (fingerprint, name))

    def forget(self, name: str) -> bool:
        """Free a node's name and addresses; False where there was none."""
        with self._transaction() as database:
            return database.execute("DELETE FROM node WHERE name = ?", (name,)).rowcount > 0

    def joined(self) -> tuple[Joined, ...]:
        """Return the nodes that were let in, by name."""
        with self._transaction() as database:
            rows = database.execute("SELECT name, joined_at, certificate_sha256 FROM node ORDER BY name").fetchall()
        return tuple(Joined(*row) for row in rows)

    def _good(self, database: sqlite3.Connection, token_id: str, secret: str) -> None:
        found = database.execute(
            "SELECT secret_sha256, expires_at, uses_left FROM token WHERE id = ?", (token_id,)
        ).fetchone()
        kept, expires_at, uses_left = found or (b"", 0.0, 0)
        if not compare_digest(kept, secret_hash(secret)):
            raise TokenUnknown("the head knows no such join token; make one there: `lane cluster token`")
        if self._clock() >= expires_at:
            raise TokenExpired("the join token's time is over; make one on the head: `lane cluster token`")
        if uses_left < 1:
            raise TokenUsedUp("the join token was used up; make one on the head: `lane cluster token`")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._file, timeout=10, isolation_level=None)) as database:
            database.executescript(f"PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; {_TABLES}")
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
            except BaseException:
                database.execute("ROLLBACK")
                raise
            database.execute("COMMIT")


_KEPT_SECONDS: Final = 7 * 86_400.0
"""So long a token that is over is told from one that never was."""


def _refuse_taken(database: sqlite3.Connection, name: str, addresses: Sequence[str]) -> None:
    if database.execute("SELECT 1 FROM node WHERE name = ?", (name,)).fetchone():
        raise NodeTaken(f"{name} has joined already; `lane cluster leave {name}` on the head frees the name")
    for address in addresses:
        if owner := database.execute("SELECT node FROM address WHERE address = ?", (address,)).fetchone():
            raise NodeTaken(f"{address} is {owner[0]}'s; `lane cluster leave {owner[0]}` on the head frees it")


def _is_loopback(address: str) -> bool:
    return address == "localhost" or ip_address(address).is_loopback
