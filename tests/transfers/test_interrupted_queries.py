"""Queries that fail or are stopped while they are read: the database runs nothing more, and nothing was sent."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowTaskTimeout, BaseHook, timeout

from airflow_provider_envoke.exceptions import EnvokeSyncError
from airflow_provider_envoke.sandbox.thread import Sandbox
from airflow_provider_envoke.transfers._query import QueryRows
from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator
from tests.support import ROOT
from tests.support.processes import wait_for
from tests.support.slow_session import SlowSession
from tests.support.tasks import context
from tests.support.threads import WAIT_S, once

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def session(postgres: Any) -> SlowSession:
    """The session of a slow query, seen from the session of the test."""
    return SlowSession(postgres)


def operator(statements: list[str]) -> SqlToEnvokeOperator:
    return SqlToEnvokeOperator(task_id="t", sql_conn_id="warehouse", sql=statements)


def check_nothing_was_done(run: dict[str, Any], sandbox: Sandbox, stopped: str) -> None:
    report = run["ti"].pushed["return_value"]
    assert (report["rows"], report["updated"], report["stopped"]) == (0, 0, stopped)
    assert sandbox.requests == []


def test_a_killed_task_cancels_its_query(sandbox: Sandbox, session: SlowSession) -> None:
    task, run = operator(session.statements), context()

    with (
        once("the query to run", session.is_running, task.on_kill),
        pytest.raises(EnvokeSyncError, match="stopped before its end"),
    ):
        task.execute(run)

    session.wait_until_gone()
    check_nothing_was_done(run, sandbox, "EnvokeSyncError")


def test_a_task_that_is_killed_before_its_query_exists_runs_none(
    sandbox: Sandbox, warehouse: Callable[..., None], tmp_path: Path
) -> None:
    warehouse([("p0@example.com", "Alma", 1)])
    task, run = operator(["DELETE FROM customers", "SELECT email, city FROM customers"]), context()

    task.on_kill()
    with pytest.raises(EnvokeSyncError, match="stopped"):
        task.execute(run)

    with closing(sqlite3.connect(tmp_path / "warehouse.sqlite")) as database:
        assert database.execute("SELECT count(*) FROM customers").fetchone() == (1,)
    check_nothing_was_done(run, sandbox, "EnvokeSyncError")


def test_a_task_that_takes_too_long_cancels_its_query(sandbox: Sandbox, session: SlowSession) -> None:
    task, run = operator(session.statements), context()
    main = threading.get_ident()

    def end_the_time() -> None:
        signal.pthread_kill(main, signal.SIGALRM)

    with (
        once("the query to run", session.is_running, end_the_time),
        pytest.raises(AirflowTaskTimeout),
        timeout(300),
    ):
        task.execute(run)

    session.wait_until_gone()
    check_nothing_was_done(run, sandbox, "AirflowTaskTimeout")


def test_a_caller_that_wants_no_more_rows_cancels_the_query(session: SlowSession) -> None:
    rows = QueryRows(
        BaseHook.get_hook("warehouse"), "warehouse", [session.statements[0], endless_after_the_first()]
    )
    iterator = iter(rows)

    next(iterator)
    assert session.is_running() or session.exists()
    iterator.close()  # type: ignore[attr-defined]

    session.wait_until_gone()


def endless_after_the_first() -> str:
    """Return a query that returns two blocks of rows, and then sleeps."""
    slow = "CASE WHEN number < 2500 THEN '' ELSE pg_sleep(300)::text END AS city"
    return f"SELECT number, {slow} FROM generate_series(1, 3000) AS number"


def test_sigterm_cancels_the_query_of_a_task_in_airflow(
    sandbox: Sandbox, session: SlowSession, airflow_db: Path
) -> None:
    command = [sys.executable, "-m", "tests.support.query_process", json.dumps(session.statements)]

    with subprocess.Popen(
        command, cwd=ROOT, env=os.environ.copy(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        try:
            wait_for("the query to run", lambda: session.is_running() or child.poll() is not None, WAIT_S)
            child.send_signal(signal.SIGTERM)
            sent_s = time.monotonic()
            printed, _ = child.communicate(timeout=WAIT_S)
        finally:
            child.kill()

    took_s = time.monotonic() - sent_s
    report = json.loads(printed.splitlines()[-1])
    session.wait_until_gone()
    assert took_s < 30
    assert (report["rows"], report["updated"]) == (0, 0)
    assert report["stopped"] in ("EnvokeSyncError", "AirflowTaskTerminated")
    assert sandbox.requests == []


def test_sqlites_query_is_cancelled_too(sandbox: Sandbox, warehouse: Callable[..., None]) -> None:
    warehouse([])
    numbers = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers) "
    task, run = operator([f"{numbers} SELECT sum(n) AS city FROM numbers"]), context()
    started = threading.Event()
    task._database_hook = _telling(task._database_hook, started)  # type: ignore[method-assign]

    def kill() -> None:
        started.wait(WAIT_S)
        task.on_kill()

    thread = threading.Thread(target=kill)
    thread.start()
    with pytest.raises(EnvokeSyncError, match="stopped before its end"):
        task.execute(run)

    thread.join()
    check_nothing_was_done(run, sandbox, "EnvokeSyncError")


def _telling(database_hook: Callable[[], Any], started: threading.Event) -> Callable[[], Any]:
    """Return a function that returns the hook, which says when its connection is opened."""

    def hook() -> Any:
        found = database_hook()
        connect = found.get_conn

        def get_conn() -> Any:
            started.set()
            return connect()

        found.get_conn = get_conn
        return found

    return hook


# Failures


def test_a_query_that_fails_halfway_sends_nothing(sandbox: Sandbox, warehouse: Callable[..., None]) -> None:
    warehouse([(f"p{number}@example.com", "Alma", number) for number in range(1, 2_501)])
    fails = "CASE WHEN plan = 2400 THEN abs(-9223372036854775807 - 1) ELSE city END AS city"
    task, run = operator([f"SELECT email, {fails} FROM customers"]), context()

    with pytest.raises(AirflowFailException, match="after 2000 rows with OperationalError: integer overflow"):
        task.execute(run)

    check_nothing_was_done(run, sandbox, "EnvokeQueryError")
    assert run["ti"].pushed["return_value"]["not_reached"] == 2_000


def test_a_session_that_the_database_ends_sends_nothing(sandbox: Sandbox, session: SlowSession) -> None:
    task, run = operator(session.statements), context()

    with (
        once("the query to run", session.is_running, session.end),
        pytest.raises(EnvokeSyncError, match="failed before its first row"),
    ):
        task.execute(run)

    check_nothing_was_done(run, sandbox, "EnvokeSyncError")


@pytest.mark.usefixtures("postgres")
def test_a_database_that_allows_no_idle_transactions_does_not_end_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [{"id": number, "email": f"p{number}@example.com"} for number in range(1, 2_501)]
    statements = [
        "SET idle_in_transaction_session_timeout = '500ms'",  # the first 1,000 requests take twice as long
        "SELECT 'p'||number||'@example.com' AS email, 'Alma' AS city FROM generate_series(1, 2500) AS number",
    ]
    with Sandbox(people, latency_s=0.01) as slow:
        monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(slow.connection))

        report = operator(statements).execute(context())

    assert (report["updated"], report["rejected"]) == (2_500, 0)
