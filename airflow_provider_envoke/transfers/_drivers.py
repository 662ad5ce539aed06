"""
What database drivers do differently: cursors that do not fetch the whole result into memory, and how a running
query is cancelled.

No driver is imported: a connection's type says which driver it is from, and whatever is unknown is used as DB-API
2.0 defines it.
"""

from __future__ import annotations

import sys
import uuid
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

#: How many rows are fetched at once.
FETCH_ROWS = 1_000

CANCEL_S = 3.0

POSTGRESQL = frozenset({"psycopg2", "psycopg"})
_MYSQL_BUFFERED = frozenset({"MySQLdb", "pymysql"})
MYSQL = _MYSQL_BUFFERED | {"mysql", "mariadb"}

# MySQL's cursors that fetch the whole result -> those that do not.
_UNBUFFERED = {"Cursor": "SSCursor", "DictCursor": "SSDictCursor"}


def drivers_of(thing: Any) -> set[str]:
    """Return the packages that the classes of a connection or an error are from."""
    return {kind.__module__.partition(".")[0] for kind in type(thing).__mro__}


def open_cursors(connection: Any) -> list[Any]:
    """
    Return cursors of a connection, of the kind that the hook has chosen, such as a dict cursor.

    The last one is for the query. The first one, which may be the same, is for the statements before it: of a
    database such as DuckDB, each cursor has its own session.
    """
    drivers = drivers_of(connection)
    if drivers & POSTGRESQL:
        # A named cursor is one of the server's. It lives in a transaction, unless it is made to outlive it.
        query = connection.cursor(name="envoke_sync", withhold=bool(connection.autocommit))
        return [connection.cursor(), query]
    if drivers & _MYSQL_BUFFERED:
        cursor = connection.cursor(_unbuffered(connection.cursorclass))
    else:
        cursor = connection.cursor()
    with suppress(Exception):  # python-oracledb and pyodbc make fewer round trips; not every cursor has it
        cursor.arraysize = FETCH_ROWS
    return [cursor]


def canceller(hook: Any, connection: Any, cursor: Any) -> Callable[[], object] | None:
    """
    Return what cancels the query of a cursor, or ``None`` if its driver has no way to do that.

    It may be called from another thread, and several times, but not while the cursor or the connection is closed.
    It may raise anything.
    """
    if hasattr(hook, "insert_job") and hasattr(hook, "cancel_job"):
        return _cancel_jobs_of(hook)
    for owner, name in (
        (cursor, "cancel"),  # pyodbc, Trino, Databricks
        (cursor, "interrupt"),  # DuckDB, whose cursors are connections
        (connection, "cancel_safe"),  # psycopg 3
        (connection, "cancel"),  # psycopg2, python-oracledb
        (connection, "interrupt"),  # SQLite
    ):
        method = getattr(owner, name, None)
        if callable(method):
            return partial(method, timeout=CANCEL_S) if name == "cancel_safe" else method
    statement = _cancelling_statement(connection)
    return partial(_execute, hook, statement) if statement else None


def _unbuffered(kind: Any) -> Any:
    """Return the class of MySQL cursors that does not fetch the whole result, with rows of the same type."""
    name = _UNBUFFERED.get(kind.__name__, "")
    return getattr(sys.modules.get(kind.__module__), name, kind)


def _cancelling_statement(connection: Any) -> str:
    """Return the statement that cancels a connection's query when another connection executes it."""
    drivers = drivers_of(connection)
    if drivers & MYSQL:
        thread_id = getattr(connection, "thread_id", None)
        return f"KILL QUERY {int(thread_id() if callable(thread_id) else connection.connection_id)}"
    if "snowflake" in drivers and connection.session_id is not None:
        return f"SELECT SYSTEM$CANCEL_ALL_QUERIES({int(connection.session_id)})"
    return ""


def _execute(hook: Any, statement: str) -> None:
    with closing(hook.get_conn()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(statement)


def _cancel_jobs_of(hook: Any) -> Callable[[], None]:
    """Give the jobs of a BigQuery hook ids that are known while they run; return what cancels the last one."""
    insert_job = hook.insert_job
    last: dict[str, Any] = {}

    def insert(**arguments: Any) -> Any:
        job_id = arguments.setdefault("job_id", f"envoke_{uuid.uuid4().hex}")
        last.update(job_id=job_id, project_id=arguments.get("project_id"), location=arguments.get("location"))
        return insert_job(**arguments)

    def cancel() -> None:
        if last:
            hook.cancel_job(**last)

    hook.insert_job = insert
    return cancel
