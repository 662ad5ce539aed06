"""Queries that are stopped while they run: nothing runs on in the database, and nothing was sent."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from airflow_provider_envoke.exceptions import EnvokeSyncError
from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator
from tests.support.processes import wait_for
from tests.support.tasks import context
from tests.support.threads import WAIT_S, once
from tests.support.warehouses import MARIADB_KINDS, mariadb_processes, named

if TYPE_CHECKING:
    from airflow_provider_envoke.sandbox.thread import Sandbox
    from tests.warehouses.conftest import Database

ENDLESS_DUCKDB = """
    SELECT 'p0@example.com' AS email, sum(a.number * b.number) AS city
    FROM (SELECT 1 AS number FROM range(1000000)) a, (SELECT 1 AS number FROM range(1000000)) b, range(1000000)
"""

pytestmark = pytest.mark.timeout(120)


def operator(sql: str) -> SqlToEnvokeOperator:
    return SqlToEnvokeOperator(task_id="t", sql_conn_id="warehouse", sql=sql)


@pytest.mark.parametrize("database", named(*MARIADB_KINDS), indirect=True, ids=MARIADB_KINDS)
def test_a_killed_task_ends_its_query_of_mariadb(database: Database, sandbox: Sandbox) -> None:
    task, run = operator("SELECT 'p0@example.com' AS email, SLEEP(300) AS city"), context()

    with (
        once("the query to run", lambda: bool(mariadb_processes("Query")), task.on_kill),
        pytest.raises(EnvokeSyncError, match="stopped before its end"),
    ):
        task.execute(run)

    wait_for("the query to end", lambda: not mariadb_processes("Query"), WAIT_S)
    assert run["ti"].pushed["return_value"]["rows"] == 0
    assert sandbox.requests == []


@pytest.mark.parametrize("database", named("DuckDB", "Oracle"), indirect=True, ids=["DuckDB", "Oracle"])
def test_a_killed_task_interrupts_its_query_in_this_process(database: Database, sandbox: Sandbox) -> None:
    task, run = operator(ENDLESS_DUCKDB), context()

    def threads() -> set[str]:
        return {thread.name for thread in threading.enumerate()}

    with (
        once("the query to run", lambda: "envoke-query" in threads(), task.on_kill),
        pytest.raises(EnvokeSyncError, match="stopped before its end"),
    ):
        task.execute(run)

    wait_for("the query to end", lambda: "envoke-query" not in threads(), WAIT_S)
    assert run["ti"].pushed["return_value"]["rows"] == 0
    assert sandbox.requests == []
