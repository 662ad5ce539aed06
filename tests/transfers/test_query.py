"""The rows of a query, as a thread reads them from a connection of any driver."""

from __future__ import annotations

import contextvars
import gc
import sqlite3
import threading
from collections import namedtuple
from contextlib import nullcontext
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.exceptions import EnvokeDataError, EnvokeError, EnvokeSyncError
from airflow_provider_envoke.transfers._query import BLOCKS_AHEAD, QueryRows
from tests.support.drivers import Connection, Cursor, Hook

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROW = {"email": "p0@example.com", "city": "Laval"}
NAMES = list(ROW)


def rows_of(hook: Any, *statements: str, parameters: Any = None) -> QueryRows:
    return QueryRows(hook, "warehouse", statements or ["SELECT 1"], parameters)


def sqlite_row() -> Any:
    database = sqlite3.connect(":memory:")
    database.row_factory = sqlite3.Row
    row = database.execute("SELECT ? AS email, ? AS city", list(ROW.values())).fetchone()
    database.close()
    return row


@pytest.mark.parametrize(
    "row",
    [tuple(ROW.values()), list(ROW.values()), dict(ROW), sqlite_row(), namedtuple("Row", NAMES)(*ROW.values())],
    ids=lambda row: type(row).__name__,
)
def test_rows_of_every_type_become_dicts(row: Any) -> None:
    connection = Connection(Cursor([row]))

    assert list(rows_of(Hook(connection))) == [ROW]


@pytest.mark.parametrize("cursor", ["dictcursor", "realdictcursor", "namedtuplecursor", None])
def test_rows_of_the_cursor_that_the_connection_names_become_dicts(
    postgres: Any, cursor: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.providers.postgres.hooks import postgres as hooks

    if getattr(hooks, "USE_PSYCOPG3", False) and cursor == "realdictcursor":
        pytest.skip("psycopg 3 has no such cursor")
    hook = hooks.PostgresHook("warehouse")
    if cursor:
        hook.connection.extra = f'{{"cursor": "{cursor}"}}'

    rows = list(
        rows_of(hook, "SELECT 'p0@example.com' AS email, number::text AS city FROM generate_series(1, 2) number")
    )

    assert rows == [{**ROW, "city": "1"}, {**ROW, "city": "2"}]


def test_a_thread_of_its_own_opens_and_closes_the_connection_with_the_callers_context() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("the caller's")
    seen: list[str] = []
    connection = Connection(Cursor([ROW], on_execute=lambda _: seen.append(variable.get())))
    hook = Hook(connection)

    list(rows_of(hook))

    assert (hook.opened_by, connection.closed_by) == (["envoke-query"], "envoke-query")
    assert seen == ["the caller's"]


def test_a_connection_that_cancels_the_query_is_opened_with_the_callers_context_too() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("the caller's")
    seen: list[tuple[str, str]] = []
    cancelled = threading.Event()

    class Cancellable(Connection):
        def cancel(self) -> None:
            seen.append((threading.current_thread().name, variable.get("")))
            cancelled.set()

    def run(_: str) -> None:
        rows.cancel()
        cancelled.wait(60)

    rows = rows_of(Hook(Cancellable(Cursor([ROW], on_execute=run))))
    with pytest.raises(EnvokeSyncError, match="stopped"):
        list(rows)

    assert ("envoke-cancel", "the caller's") in seen
    assert {value for _, value in seen} == {"the caller's"}


def test_the_connection_is_closed_before_the_last_row_is_handed_over() -> None:
    connection = Connection(Cursor([ROW] * 2_500))
    rows = iter(rows_of(Hook(connection)))

    taken = [next(rows) for _ in range(2_500)]
    end = next(rows, None)

    assert len(taken) == 2_500
    assert end is None
    assert connection.closed_by


def test_only_a_few_blocks_are_read_ahead() -> None:
    cursor = Cursor([ROW] * 100_000)
    connection = Connection(cursor)
    rows = iter(rows_of(Hook(connection)))

    next(rows)
    ahead = cursor.fetched
    rows.close()  # type: ignore[attr-defined]

    assert ahead <= (BLOCKS_AHEAD + 2) * 1_000
    assert connection.closed_by


def test_each_iteration_runs_the_query_again() -> None:
    hook = Hook(Connection(Cursor([ROW])), Connection(Cursor([ROW, ROW])))
    rows = rows_of(hook)

    assert [len(list(rows)), len(list(rows))] == [1, 2]


# Statements before the query


def test_the_statements_before_the_query_run_first_and_only_the_query_gets_the_parameters() -> None:
    cursor = Cursor([ROW])
    connection = Connection(cursor)

    rows = list(rows_of(Hook(connection), "SET a", "CALL b", "SELECT c", parameters=[1]))

    assert cursor.executed == [("SET a",), ("CALL b",), ("SELECT c", [1])]
    assert rows == [ROW]
    assert connection.committed


def test_what_the_statements_change_is_committed_also_if_there_is_only_one(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    hook = SimpleNamespace(get_conn=lambda: sqlite3.connect(path), get_autocommit=lambda _: False)

    inserted = list(rows_of(hook, "CREATE TABLE t (a)", "INSERT INTO t VALUES (1)", "SELECT a FROM t"))
    list(rows_of(hook, "INSERT INTO t VALUES (2) RETURNING a"))

    assert inserted == [{"a": 1}]
    assert list(rows_of(hook, "SELECT a FROM t")) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(("fails", "autocommit"), [(True, False), (False, True)])
def test_nothing_is_committed_after_a_failure_or_with_autocommit(
    fails: bool, autocommit: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = Connection(Cursor([ROW], names=["city", "city"] if fails else NAMES))
    hook = Hook(connection)
    monkeypatch.setattr(hook, "get_autocommit", lambda _: autocommit)

    with pytest.raises(EnvokeDataError) if fails else nullcontext():
        list(rows_of(hook))

    assert not connection.committed


def test_what_a_function_in_the_query_changes_on_postgresql_stays(postgres: Any) -> None:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    postgres.execute(
        "CREATE FUNCTION envoke_take() RETURNS SETOF text LANGUAGE sql AS "
        "$$ INSERT INTO envoke_customers (email) VALUES ('p0@example.com') RETURNING email $$"
    )

    taken = list(rows_of(PostgresHook("warehouse"), "SELECT email FROM envoke_take() AS email"))

    postgres.execute("SELECT email FROM envoke_customers")
    assert taken == [{"email": "p0@example.com"}]
    assert postgres.fetchall() == [("p0@example.com",)]


def test_on_postgresql_they_run_in_the_session_and_transaction_of_the_query(postgres: Any) -> None:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    statements = [
        "SET LOCAL statement_timeout = 4321",
        "SELECT 1",
        "SELECT current_setting('statement_timeout') AS a",
    ]

    assert list(rows_of(PostgresHook("warehouse"), *statements)) == [{"a": "4321ms"}]


# Failures


def test_a_failure_halfway_comes_after_the_rows_that_were_read(
    postgres: Any, check_message: Callable[[str, str], None]
) -> None:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    query = "SELECT 10 / (2400 - number) AS a FROM generate_series(1, 2500) AS number"
    hook = PostgresHook("warehouse")
    taken: list[Any] = []

    with pytest.raises(EnvokeSyncError, match="DivisionByZero: division by zero") as caught:
        taken.extend(rows_of(hook, query))

    check_message("query: error after 2000 rows", str(caught.value))
    assert hook.conn is not None
    assert hook.conn.closed  # type: ignore[attr-defined]
    assert caught.value.__cause__ is None


def test_a_connection_that_cannot_be_opened_is_a_failure_before_the_first_row() -> None:
    def refuse() -> Any:
        raise OSError("no route to host")

    with pytest.raises(EnvokeSyncError, match="before its first row with OSError: no route to host"):
        list(rows_of(SimpleNamespace(get_conn=refuse)))


def test_columns_with_the_same_name_are_an_error_of_the_query() -> None:
    connection = Connection(Cursor([("a", "b")], names=["city", "city"]))

    with pytest.raises(EnvokeDataError, match="city"):
        list(rows_of(Hook(connection)))
    assert connection.closed_by


class ClosesSlowly(Cursor):
    """As MySQL's unbuffered one: when it is closed, it reads all rows that are left of a query that still runs."""

    is_cancelled = False
    read_when_closed = 0

    def close(self) -> None:
        if not self.is_cancelled:
            self.read_when_closed += len(self.fetchmany(1_000_000))

    def cancel(self) -> None:
        self.is_cancelled = True


@pytest.mark.parametrize("how", ["two columns with a name", "a row of another length", "a failing driver"])
def test_a_query_that_is_not_read_to_its_end_is_cancelled_before_its_cursor_is_closed(how: str) -> None:
    names = ["city", "city"] if how == "two columns with a name" else ["email", "city"]
    row = ("a",) if how == "a row of another length" else ("a", "b")
    cursor = ClosesSlowly([row] * 100_000, names=names)
    if how == "a failing driver":
        cursor.fetchmany = partial(_fail_at_the_second, cursor, cursor.fetchmany)  # type: ignore[method-assign]

    with pytest.raises(EnvokeError):
        list(rows_of(Hook(Connection(cursor))))

    assert cursor.is_cancelled
    assert cursor.read_when_closed == 0


def _fail_at_the_second(cursor: Cursor, fetchmany: Callable[[int], Any], size: int) -> Any:
    if cursor.fetched:
        raise sqlite3.OperationalError("lost")
    return fetchmany(size)


def test_a_query_that_is_read_to_its_end_is_not_cancelled() -> None:
    cursor = ClosesSlowly([ROW] * 2_500)

    assert len(list(rows_of(Hook(Connection(cursor))))) == 2_500
    assert not cursor.is_cancelled


class CannotBeClosed(Cursor):
    def close(self) -> None:
        raise RuntimeError("Unread result found")


def test_a_cursor_that_cannot_be_closed_hides_nothing() -> None:
    connection = Connection(CannotBeClosed([ROW]))

    assert list(rows_of(Hook(connection))) == [ROW]
    assert connection.closed_by


def test_a_cursor_that_cannot_be_closed_early_hides_no_other_exception() -> None:
    connection = Connection(CannotBeClosed([ROW] * 100_000))

    with pytest.raises(ZeroDivisionError):
        max(1 / 0 for _ in rows_of(Hook(connection)))
    gc.collect()  # closes the iterator, if the exception has kept it

    assert connection.closed_by
