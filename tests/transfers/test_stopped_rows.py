"""Rows of a query that is stopped while they are read, with drivers that can and that cannot cancel it."""

from __future__ import annotations

import sqlite3
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.exceptions import EnvokeSyncError
from airflow_provider_envoke.transfers import _query
from airflow_provider_envoke.transfers._query import QueryRows
from tests.support.drivers import Connection, Cursor, Hook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROW = {"email": "p0@example.com", "city": "Laval"}


def rows_of(hook: Any) -> QueryRows:
    return QueryRows(hook, "warehouse", ["SELECT 1"])


@pytest.fixture
def blocked() -> Iterator[Connection]:
    """A connection whose query blocks, and cannot be cancelled."""
    released = threading.Event()
    yield Connection(Cursor([ROW], on_execute=lambda _: released.wait(60)))
    released.set()


def test_a_query_that_is_cancelled_before_it_starts_opens_no_connection() -> None:
    hook = Hook(Connection(Cursor([ROW])))
    rows = rows_of(hook)

    rows.cancel()

    with pytest.raises(EnvokeSyncError, match="stopped"):
        list(rows)
    assert hook.opened_by == []


def test_a_query_that_cannot_be_cancelled_is_left_behind_after_a_bounded_time(
    blocked: Connection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    check_message: Callable[[str, str], None],
) -> None:
    monkeypatch.setattr(_query, "STOP_S", 0.3)
    rows = rows_of(Hook(blocked))
    blocked.the_cursor._on_execute = _also(rows.cancel, blocked.the_cursor._on_execute)

    with pytest.raises(EnvokeSyncError, match="stopped") as caught:
        list(rows)

    check_message("query: stopped", str(caught.value))
    (*_, last) = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    check_message("log: query may still be running", last)


def test_a_connection_that_is_opened_after_the_stop_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_query, "STOP_S", 0.1)
    connection, released, closed = Connection(Cursor([ROW])), threading.Event(), threading.Event()
    connection.close = closed.set  # type: ignore[method-assign]

    def get_conn() -> Any:
        rows.cancel()
        released.wait(60)
        return connection

    rows = rows_of(SimpleNamespace(get_conn=get_conn))
    with pytest.raises(EnvokeSyncError, match="stopped"):
        list(rows)
    released.set()

    assert closed.wait(60)
    assert connection.the_cursor.executed == []


class Cancellable(Connection):
    """A connection whose query blocks until it is cancelled for the second time, and then fails."""

    def __init__(self) -> None:
        self.cancelled = 0
        self.ended = threading.Event()
        super().__init__(Cursor([ROW], on_execute=self.block))

    def block(self, _: str) -> None:
        if self.ended.wait(60):
            raise sqlite3.OperationalError("interrupted by p0@example.com")

    def cancel(self) -> None:
        self.cancelled += 1
        if self.cancelled == 1:
            raise RuntimeError("nothing to cancel yet")
        self.ended.set()


def test_a_cancelled_querys_error_reads_as_stopped_and_a_cancellation_that_comes_too_early_is_repeated() -> None:
    connection = Cancellable()
    rows = rows_of(Hook(connection))
    connection.the_cursor._on_execute = _also(rows.cancel, connection.block)

    with pytest.raises(EnvokeSyncError, match="stopped before its end") as caught:
        list(rows)

    assert "OperationalError" not in str(caught.value)
    assert connection.cancelled >= 2
    assert connection.closed_by == "envoke-query"


def test_an_error_at_the_moment_of_the_stop_reads_as_stopped_too() -> None:
    def fail(_: str) -> None:
        rows.cancel()
        raise sqlite3.OperationalError("interrupted")

    rows = rows_of(Hook(Connection(Cursor([ROW], on_execute=fail))))

    with pytest.raises(EnvokeSyncError, match="stopped before its end"):
        list(rows)


def _also(first: Callable[[], object], then: Callable[[str], object]) -> Callable[[str], object]:
    def both(statement: str) -> None:
        first()
        then(statement)

    return both
