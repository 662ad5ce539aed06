"""Databases that fail while a run is under way: what was done is kept and reported."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_envoke.exceptions import EnvokeSyncError
from airflow_provider_envoke.transfers.sql_to_envoke import QueryRows, SqlToEnvokeOperator
from tests.support.tasks import context

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_envoke.sandbox.thread import Sandbox

SQL = "SELECT email, city FROM envoke_customers"
UNCONFIRMED = 8  # rows whose requests can be under way at once


def fill(sandbox: Sandbox, rows: int) -> None:
    sandbox.reset({"id": number, "email": f"p{number}@example.com"} for number in range(1, rows + 1))


def check_report(run: dict[str, Any], sandbox: Sandbox, rows: int) -> None:
    """Check that the report has each row that was read, and that Envoke has each row that it counts as updated."""
    report = run["ti"].pushed["return_value"]
    written = sum(contact["city"] == "Alma" for contact in sandbox.contacts)
    assert (report["rows"], report["stopped"]) == (rows, "EnvokeSyncError")
    assert report["updated"] + report["reasons"].get("stopped", 0) == rows
    assert 0 < report["updated"] <= written <= report["updated"] + UNCONFIRMED
    assert "@example.com" not in json.dumps(report)


@pytest.mark.timeout(60)
def test_a_query_that_fails_halfway_keeps_what_was_written(
    sandbox: Sandbox, warehouse: Callable[..., None], check_message: Callable[[str, str], None]
) -> None:
    fill(sandbox, 2_500)
    warehouse([(f"p{number}@example.com", "Alma", number) for number in range(1, 2_501)])
    fails = "CASE WHEN plan = 2400 THEN abs(-9223372036854775807 - 1) ELSE city END AS city"
    task = SqlToEnvokeOperator(task_id="t", sql_conn_id="warehouse", sql=f"SELECT email, {fails} FROM customers")
    run = context()

    with pytest.raises(EnvokeSyncError, match="OperationalError: integer overflow") as caught:
        task.execute(run)

    check_message("query: error after 2000 rows", str(caught.value))
    check_report(run, sandbox, 2_000)


@pytest.mark.timeout(60)
def test_a_terminated_backend_of_postgresql_keeps_what_was_written(
    sandbox: Sandbox, postgres: Any, monkeypatch: pytest.MonkeyPatch, check_message: Callable[[str, str], None]
) -> None:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    fill(sandbox, 3_000)
    numbers = "generate_series(1, 3000) AS number"
    postgres.execute(f"INSERT INTO envoke_customers SELECT 'p'||number||'@example.com', 'Alma' FROM {numbers}")
    connection = BaseHook.get_hook("warehouse").get_conn()
    monkeypatch.setattr(PostgresHook, "get_conn", lambda _: connection)
    task, run = SqlToEnvokeOperator(task_id="t", sql_conn_id="warehouse", sql=SQL), context()
    rows = QueryRows(BaseHook.get_hook("warehouse"), "warehouse", SQL)

    def read() -> Any:
        for number, row in enumerate(rows):
            if number == 500:
                postgres.execute("SELECT pg_terminate_backend(%s, 10000)", [connection.info.backend_pid])
            yield row

    with pytest.raises(EnvokeSyncError, match="connection") as caught:
        task.sync(run, read())

    check_message("query: error after 1000 rows", str(caught.value))
    check_report(run, sandbox, 1_000)
    assert connection.closed
