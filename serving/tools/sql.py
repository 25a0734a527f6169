"""May a statement only read, one at a time, and not for ever? PostgreSQL is made to hold it to that, not the statement's text.

It runs as a subquery (so it is one statement, and changes no data itself), in a read-only transaction with a time limit of the server's,
under a role that the server says can change nothing: a function it calls has no more rights than that.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from router.bundle.files.tool_sources import SqlSource
from router.errors import ToolError, ToolFailed, ToolTimeout
from router.exact import canonical_json
from serving.tools.plain import plain

_CONNECT_SECONDS: Final = 5
_MAY_CHANGE: Final = """
SELECT r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls
    OR EXISTS (
        SELECT FROM pg_roles AS strong
        WHERE strong.rolname IN ('pg_write_all_data', 'pg_write_server_files', 'pg_read_server_files',
                                 'pg_execute_server_program', 'pg_signal_backend', 'pg_maintain')
          AND pg_has_role(r.oid, strong.oid, 'member')
    )
    OR EXISTS (
        SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
          AND has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
    ) AS may
FROM pg_roles AS r WHERE r.rolname = current_user
"""


async def select(tool: str, source: SqlSource, dsn: str, arguments: Mapping[str, Any], seconds: float) -> str:
    """Return `{"rows": [...], "truncated": bool}` as JSON. Raises `ToolTimeout` and `ToolFailed`; neither quotes data."""
    try:
        async with asyncio.timeout(seconds):
            rows = await _rows(tool, source, dsn, arguments, seconds)
    except (TimeoutError, psycopg.errors.QueryCanceled) as error:
        raise ToolTimeout(tool, f"the database did not answer within {seconds:g} s") from error
    except ToolError:
        raise
    except psycopg.Error as error:
        # The server's words may hold data; its five letters name what happened.
        raise ToolFailed(tool, f"the database refused it ({error.sqlstate or type(error).__name__})") from error
    return canonical_json({"rows": rows[: source.rows], "truncated": len(rows) > source.rows})


async def _rows(
    tool: str, source: SqlSource, dsn: str, arguments: Mapping[str, Any], seconds: float
) -> list[dict[str, Any]]:
    async with await psycopg.AsyncConnection.connect(
        dsn, autocommit=True, row_factory=dict_row, connect_timeout=_CONNECT_SECONDS, application_name="private-lane"
    ) as connection:
        await connection.set_read_only(True)
        async with connection.cursor() as cursor:
            await _check_role(tool, cursor)
            await cursor.execute("BEGIN READ ONLY")
            await cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{max(1, int(seconds * 1000))}"])
            # `prepare` sends it by the extended protocol, which takes one statement and no more.
            await cursor.execute(limited(source), dict(arguments), prepare=True)
            rows = await cursor.fetchall()
            await cursor.execute("ROLLBACK")
    return [{name: plain(value) for name, value in row.items()} for row in rows]


async def _check_role(tool: str, cursor: psycopg.AsyncCursor[dict[str, Any]]) -> None:
    """Raise `ToolFailed` for a role that can change anything: a read-only transaction alone does not keep a superuser from much."""
    await cursor.execute(_MAY_CHANGE)
    row = await cursor.fetchone()
    if row is None or row["may"] is not False:
        raise ToolFailed(tool, "its database role can change data: give it one that may only read")


def limited(source: SqlSource) -> bytes:
    """Return the statement as it is sent: a subquery, one row more than is wanted, so that a cut shows."""
    statement = source.statement.strip().rstrip(";")
    return f"SELECT * FROM (\n{statement}\n) AS lane_rows LIMIT {source.rows + 1}".encode()  # noqa: S608 - the bundle's own text
