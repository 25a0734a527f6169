import asyncio
import json
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from router.bundle.files.tool_sources import SqlSource
from router.errors import ToolFailed, ToolTimeout
from serving.tools.sql import limited, select

psycopg = pytest.importorskip("psycopg")


def source(statement: str, rows: int = 100) -> SqlSource:
    return SqlSource(dsn_env="DESK_DSN", statement=statement, rows=rows)


def test_a_statement_is_sent_as_a_subquery_with_a_limit() -> None:
    assert limited(source("SELECT 1;", rows=5)) == b"SELECT * FROM (\nSELECT 1\n) AS lane_rows LIMIT 6"


def _binaries() -> Path | None:
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return folders[0] if folders else None


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A real PostgreSQL on loopback, under a user that is not root; its address without a user."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed here (apt-get install postgresql)")
    user: dict[str, Any] = {}
    if os.getuid() == 0:
        try:
            nobody = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("PostgreSQL does not run as root, and there is no user `postgres` here")
        user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    # Beside pytest's own folders, which other users may not enter.
    folder = Path(tempfile.mkdtemp(prefix="lane-postgres-"))
    if user:
        os.chown(folder, user["user"], user["group"])
    data = folder / "data"
    quiet: dict[str, Any] = {"capture_output": True, "cwd": folder, "timeout": 120} | user
    subprocess.run([binaries / "initdb", "-D", data, "-U", "owner", "--auth=trust", "--no-sync"], check=True, **quiet)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
    start = [binaries / "pg_ctl", "-D", data, "-w", "-t", "60", "-l", folder / "log", "-o", options, "start"]
    subprocess.run(
        start, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder, timeout=90, **user
    )
    address = f"host=127.0.0.1 port={port} dbname=postgres"
    try:
        with psycopg.connect(f"{address} user=owner", autocommit=True) as owner:
            owner.execute("CREATE TABLE tickets (id text PRIMARY KEY, opened date, paid numeric(10,2))")
            owner.execute(
                "INSERT INTO tickets SELECT 'TCK-' || n, date '2026-01-01' + n, n / 3.0 FROM generate_series(1, 50) n"
            )
            owner.execute("CREATE ROLE reader LOGIN")
            owner.execute("GRANT SELECT ON tickets TO reader")
            owner.execute("CREATE ROLE writer LOGIN")
            owner.execute("GRANT SELECT, INSERT ON tickets TO writer")
        yield address
    finally:
        subprocess.run([binaries / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"], check=False, **quiet)
        shutil.rmtree(folder)


def ask(
    server: str, statement: str, role: str = "reader", rows: int = 100, seconds: float = 20.0, **arguments: Any
) -> Any:
    one = source(statement, rows)
    return json.loads(asyncio.run(select("t", one, f"{server} user={role}", arguments, seconds)))


@pytest.mark.slow
def test_a_real_database_answers(server: str) -> None:
    found = ask(server, "SELECT id, opened, paid FROM tickets WHERE id = %(ticket)s", ticket="TCK-42")

    assert found == {"rows": [{"id": "TCK-42", "opened": "2026-02-12", "paid": "14.00"}], "truncated": False}


@pytest.mark.slow
def test_rows_are_limited_and_a_cut_shows(server: str) -> None:
    found = ask(server, "SELECT id FROM tickets ORDER BY id", rows=3)

    assert (len(found["rows"]), found["truncated"]) == (3, True)


@pytest.mark.slow
def test_an_argument_is_never_part_of_the_statement(server: str) -> None:
    found = ask(server, "SELECT id FROM tickets WHERE id = %(ticket)s", ticket="' OR true --")

    assert found["rows"] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO tickets VALUES ('TCK-0') RETURNING id",
        "SELECT 1) AS a; DROP TABLE tickets; SELECT (1",
        "WITH gone AS (DELETE FROM tickets RETURNING id) SELECT id FROM gone",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT no_such_column FROM tickets",
    ],
)
def test_what_is_no_single_reading_statement_is_refused(server: str, statement: str) -> None:
    with pytest.raises(ToolFailed):
        ask(server, statement)

    assert len(ask(server, "SELECT id FROM tickets")["rows"]) == 50


@pytest.mark.slow
@pytest.mark.parametrize("role", ["writer", "owner"])
def test_a_role_that_could_change_anything_is_not_used(server: str, role: str) -> None:
    with pytest.raises(ToolFailed, match="role"):
        ask(server, "SELECT id FROM tickets", role=role)


@pytest.mark.slow
def test_a_statement_without_end_is_ended(server: str) -> None:
    with pytest.raises(ToolTimeout):
        ask(server, "SELECT pg_sleep(30)::text AS slept", seconds=1.0)


@pytest.mark.slow
def test_no_database_is_a_failure(server: str) -> None:
    with pytest.raises(ToolFailed):
        ask("host=127.0.0.1 port=1 dbname=none", "SELECT 1 AS one")
