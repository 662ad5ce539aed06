"""Sessions and hooks: statements before the query, arguments of the hook, kinds of cursors, lineage."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_envoke.transfers._query import QueryRows
from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator
from tests.support.contacts import contacts
from tests.support.tasks import context
from tests.support.warehouses import MARIADB_KINDS, mariadb_processes, named

if TYPE_CHECKING:
    from airflow_provider_envoke.sandbox.thread import Sandbox
    from tests.warehouses.conftest import Database

CONTACTS = contacts(1)
#: Kind -> a statement for the session, and an expression that depends on it.
SESSIONS = {
    "PostgreSQL": ("SET envoke.city = 'Alma'", "current_setting('envoke.city')"),
    "MariaDB, mysqlclient": ("SET @city = 'Alma'", "@city"),
    "MariaDB, mysql-connector-python": ("SET @city = 'Alma'", "@city"),
    "DuckDB": ("SET VARIABLE city = 'Alma'", "getvariable('city')"),
    "Snowflake": ("SET city = 'Alma'", "$city"),
}
#: Kind -> the scheme of its namespaces in OpenLineage.
LINEAGE = {
    "SQLite": "sqlite",
    "PostgreSQL": "postgres",
    "MariaDB, mysqlclient": "mysql",
    "MariaDB, mysql-connector-python": "mysql",
    "DuckDB": "duckdb",
    "Snowflake": "snowflake",
}


def execute(sql: str, **arguments: Any) -> dict[str, Any]:
    task = SqlToEnvokeOperator(task_id="sync", sql_conn_id="warehouse", sql=sql, **arguments)
    return task.execute(context())


@pytest.mark.parametrize("database", named(*SESSIONS), indirect=True, ids=list(SESSIONS))
def test_statements_before_the_query_run_in_its_session(database: Database, sandbox: Sandbox) -> None:
    statement, value = SESSIONS[database.kind.name]

    report = execute(f"{statement}; SELECT 'p0@example.com' AS email, {value} AS city;", split_statements=True)

    assert report["updated"] == 1
    assert sandbox.contact(email="p0@example.com")["city"] == "Alma"


@pytest.mark.parametrize("database", named(*MARIADB_KINDS), indirect=True, ids=MARIADB_KINDS)
def test_rows_of_mariadb_are_streamed(database: Database) -> None:
    query = "SELECT REPEAT('x', 200) AS city FROM seq_1_to_1000000"
    rows = iter(QueryRows(BaseHook.get_hook("warehouse"), "warehouse", [query]))

    next(rows)
    still_running = mariadb_processes("Query")
    rows.close()  # type: ignore[attr-defined]

    assert still_running == [query]


@pytest.mark.parametrize("cursor", ["dictcursor", "sscursor", "ssdictcursor"])
@pytest.mark.parametrize("database", named(MARIADB_KINDS[0]), indirect=True, ids=[MARIADB_KINDS[0]])
def test_every_cursor_that_the_hook_of_mysql_offers_can_be_used(
    database: Database, sandbox: Sandbox, cursor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = json.loads(os.environ["AIRFLOW_CONN_WAREHOUSE"])
    connection["extra"]["cursor"] = cursor
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(connection))

    report = execute("SELECT 'p0@example.com' AS email, 'Alma' AS city")

    assert (report["rows"], report["updated"]) == (1, 1)
    assert sandbox.contact(email="p0@example.com")["city"] == "Alma"


@pytest.mark.parametrize("database", named("MariaDB, mysqlclient"), indirect=True, ids=["MariaDB, mysqlclient"])
def test_another_database_of_the_server_can_be_read(database: Database, sandbox: Sandbox) -> None:
    report = execute("SELECT 'p0@example.com' AS email, DATABASE() AS city", database="information_schema")

    assert report["updated"] == 1
    assert sandbox.contact(email="p0@example.com")["city"] == "information_schema"


@pytest.mark.parametrize("database", named(*LINEAGE), indirect=True, ids=list(LINEAGE))
def test_lineage_names_the_table_that_the_query_reads(database: Database) -> None:
    pytest.importorskip("airflow.providers.openlineage")
    database.fill(["email"], [1], [["p0@example.com"]])
    task = SqlToEnvokeOperator(task_id="sync", sql_conn_id="warehouse", sql="SELECT email FROM customers")

    (table,) = task.tables_read()

    assert table.namespace.partition("://")[0] == LINEAGE[database.kind.name]
    assert table.name.lower().rpartition(".")[2] == "customers"


@pytest.mark.parametrize("database", named("Oracle"), indirect=True, ids=["Oracle"])
def test_oracles_numbers_are_exact_if_the_hook_is_asked_for_decimals(database: Database, sandbox: Sandbox) -> None:
    number = "SELECT 'p0@example.com' AS email, CAST(12345678901234.5678 AS NUMBER(20, 4)) AS city"

    execute(number, hook_params={"fetch_decimals": True})

    assert sandbox.contact(email="p0@example.com")["city"] == "12345678901234.5678"
