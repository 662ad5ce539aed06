"""For each driver: a cursor that does not fetch the whole result, and what cancels its query."""

from __future__ import annotations

import sqlite3
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from airflow_provider_envoke.transfers._drivers import canceller, open_cursors
from tests.support.drivers import Connection, Cursor, Hook


def of_module(module: str, base: type, **members: Any) -> type:
    """Return a class that says it is from a module of a driver."""
    return type(base.__name__, (base,), {"__module__": module, **members})


class CursorOfClass(Connection):
    """A connection of MySQL: its cursors are of a class, by default the connection's own."""

    cursorclass: Any = None

    def cursor(self, kind: Any = None) -> Any:
        return (kind or self.cursorclass)()


@pytest.fixture(params=["MySQLdb", "pymysql"])
def mysql(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module with a driver's classes of cursors."""
    module = ModuleType(f"{request.param}.cursors")
    for name in ("Cursor", "SSCursor", "DictCursor", "SSDictCursor"):
        setattr(module, name, type(name, (Cursor,), {"__module__": module.__name__}))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


@pytest.mark.parametrize(
    ("chosen", "used"),
    [("Cursor", "SSCursor"), ("DictCursor", "SSDictCursor"), ("SSCursor", "SSCursor"), ("SSDictCursor",) * 2],
)
def test_mysqls_cursors_do_not_fetch_the_whole_result_and_keep_the_type_of_rows(
    mysql: ModuleType, chosen: str, used: str
) -> None:
    kind = of_module(mysql.__name__.partition(".")[0], CursorOfClass, cursorclass=getattr(mysql, chosen))

    (cursor,) = open_cursors(kind(None))

    assert type(cursor).__name__ == used


def test_a_cursor_class_of_ones_own_is_left_as_it_is(mysql: ModuleType) -> None:
    own = of_module("my_cursors", Cursor)
    kind = of_module(mysql.__name__.partition(".")[0], CursorOfClass, cursorclass=own)

    (cursor,) = open_cursors(kind(None))

    assert type(cursor) is own


def test_the_cursor_of_any_other_driver_fetches_many_rows_in_a_round_trip() -> None:
    (cursor,) = open_cursors(Connection(Cursor()))

    assert cursor.arraysize == 1_000


class Slots(Cursor):
    __slots__ = ()

    @property
    def arraysize(self) -> int:
        return 1


def test_a_cursor_without_that_setting_is_used_as_it_is() -> None:
    (cursor,) = open_cursors(Connection(Slots()))

    assert cursor.arraysize == 1


@pytest.mark.parametrize("autocommit", [False, True])
@pytest.mark.parametrize("driver", ["psycopg2", "psycopg"])
def test_a_server_side_cursor_of_postgresql_works_whether_each_statement_commits_or_not(
    postgres: Any, driver: str, autocommit: bool
) -> None:
    from tests.support.services import POSTGRES

    module = pytest.importorskip(driver)
    connection = module.connect(host=POSTGRES["host"], port=POSTGRES["port"], user=POSTGRES["login"])
    connection.autocommit = autocommit

    preamble, query = open_cursors(connection)
    query.execute("SELECT number FROM generate_series(1, 5) AS number")
    rows = query.fetchmany(2)
    preamble.execute("SELECT name FROM pg_cursors")

    assert [row[0] for row in rows] == [1, 2]
    assert preamble.fetchall() == [("envoke_sync",)]
    connection.close()


# Cancelling


class WithCancel:
    """What keeps the calls of one of its methods."""

    def __init__(self, name: str) -> None:
        self.calls: list[dict[str, Any]] = []
        setattr(self, name, lambda **options: self.calls.append(options))


@pytest.mark.parametrize(
    ("connection", "cursor", "used", "options"),
    [
        (object(), WithCancel("cancel"), "cursor", {}),
        (WithCancel("interrupt"), WithCancel("interrupt"), "cursor", {}),
        (WithCancel("cancel_safe"), object(), "connection", {"timeout": 3.0}),
        (WithCancel("cancel"), object(), "connection", {}),
        (WithCancel("interrupt"), object(), "connection", {}),
    ],
    ids=["pyodbc", "DuckDB", "psycopg 3", "psycopg2 and python-oracledb", "SQLite"],
)
def test_the_drivers_own_way_of_cancelling_is_used(
    connection: Any, cursor: Any, used: str, options: dict[str, Any]
) -> None:
    found = canceller(Hook(), connection, cursor)

    assert found is not None
    found()
    assert {"cursor": cursor, "connection": connection}[used].calls == [options]


class OtherConnection(Connection):
    """The connection over which another one's query is cancelled."""


@pytest.mark.parametrize(
    ("module", "members", "statement"),
    [
        ("MySQLdb.connections", {"thread_id": lambda _: 7}, "KILL QUERY 7"),
        ("pymysql.connections", {"thread_id": lambda _: 7}, "KILL QUERY 7"),
        ("mysql.connector.connection_cext", {"connection_id": 7}, "KILL QUERY 7"),
        ("snowflake.connector.connection", {"session_id": 7}, "SELECT SYSTEM$CANCEL_ALL_QUERIES(7)"),
    ],
)
def test_a_driver_that_cannot_cancel_is_cancelled_over_a_second_connection(
    module: str, members: dict[str, Any], statement: str
) -> None:
    second = OtherConnection(Cursor())
    connection = of_module(module, Connection, **members)(Cursor())

    found = canceller(Hook(second), connection, connection.the_cursor)

    assert found is not None
    found()
    assert second.the_cursor.executed == [(statement,)]
    assert second.closed_by


class Jobs:
    """The part of BigQuery's hook that runs jobs and cancels them."""

    def __init__(self) -> None:
        self.inserted: list[dict[str, Any]] = []
        self.cancelled: list[dict[str, Any]] = []

    def insert_job(self, **arguments: Any) -> Any:
        self.inserted.append(arguments)
        return SimpleNamespace(job_id=arguments["job_id"])

    def cancel_job(self, **arguments: Any) -> None:
        self.cancelled.append(arguments)


def test_the_job_of_bigquery_is_cancelled_while_it_runs() -> None:
    hook = Jobs()
    found = canceller(hook, Connection(Cursor()), Cursor())
    assert found is not None

    found()
    hook.insert_job(configuration={}, project_id="p", location="EU")
    hook.insert_job(configuration={}, project_id="p", location=None)
    found()

    assert hook.inserted[0]["job_id"] != hook.inserted[1]["job_id"]
    assert hook.cancelled == [{"job_id": hook.inserted[1]["job_id"], "project_id": "p", "location": None}]


def test_a_driver_without_a_known_way_of_cancelling_has_none() -> None:
    assert canceller(Hook(), Connection(Cursor()), Cursor()) is None


def test_a_session_of_snowflake_without_an_id_is_read_all_the_same() -> None:
    connection = of_module("snowflake.connector.connection", Connection, session_id=None)(Cursor())

    assert canceller(Hook(), connection, connection.the_cursor) is None


def test_sqlites_query_is_interrupted() -> None:
    connection = sqlite3.connect(":memory:")
    found = canceller(Hook(), connection, connection.cursor())

    assert found is not None
    assert found == connection.interrupt
    connection.close()
