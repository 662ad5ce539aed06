"""``hook_params``, ``database`` and several statements, as Airflow's own SQL operators have them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pytest
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator
from packaging.version import Version

from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator
from tests.support.contacts import contacts
from tests.support.services import POSTGRES
from tests.support.tasks import context

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_envoke.sandbox.thread import Sandbox

CONTACTS = contacts(1)


@pytest.fixture
def other(postgres: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to PostgreSQL whose extra has other settings than Airflow's hook has by default."""
    extra = json.dumps({"application_name": "of the extra"})
    monkeypatch.setenv("AIRFLOW_CONN_OTHER", json.dumps({"conn_type": "postgres", **POSTGRES, "extra": extra}))


def city_of(sandbox: Sandbox, expression: str, **arguments: Any) -> Any:
    """Return an SQL expression's value, brought into a contact's city."""
    sql = arguments.pop("sql", f"SELECT 'p0@example.com' AS email, {expression} AS city")
    report = SqlToEnvokeOperator(task_id="sync", sql_conn_id="other", sql=sql, **arguments).execute(context())
    assert report["updated"] == 1
    return sandbox.contact(email="p0@example.com")["city"]


@pytest.mark.usefixtures("other")
def test_hook_params_are_arguments_of_the_hook(sandbox: Sandbox) -> None:
    params = {"options": "-c statement_timeout=4321"}

    city = city_of(sandbox, "current_setting('statement_timeout')", hook_params=params)

    assert city == "4321ms"
    assert params == {"options": "-c statement_timeout=4321"}, "the connection's extra is not added to them"


@pytest.mark.usefixtures("other")
def test_the_extra_of_the_connection_reaches_the_hook_too(sandbox: Sandbox) -> None:
    assert city_of(sandbox, "current_setting('application_name')") == "of the extra"


@pytest.mark.parametrize("arguments", [{"database": "template1"}, {"hook_params": {"database": "template1"}}])
@pytest.mark.usefixtures("other")
def test_another_database_of_the_server_is_used_as_airflows_own_operator_does(
    sandbox: Sandbox, arguments: dict[str, Any]
) -> None:
    airflows = SQLExecuteQueryOperator(task_id="a", conn_id="other", sql="SELECT current_database()", **arguments)

    city = city_of(sandbox, "current_database()", **arguments)

    assert city == "template1"
    assert [list(row) for row in airflows.execute({})] == [[city]]


@pytest.mark.parametrize(
    "arguments",
    [
        {"sql": "SET application_name = 'a; b'; -- ;\nSELECT 'p0@example.com' AS email, {} AS city;"},
        {"sql": ["SET application_name = 'a; b'", "SELECT 'p0@example.com' AS email, {} AS city"]},
    ],
    ids=["split", "list"],
)
@pytest.mark.usefixtures("other")
def test_the_statements_before_the_query_run_in_its_session(sandbox: Sandbox, arguments: dict[str, Any]) -> None:
    expression = "current_setting('application_name')"
    is_text = isinstance(arguments["sql"], str)
    sql = arguments["sql"].format(expression) if is_text else [s.format(expression) for s in arguments["sql"]]

    assert city_of(sandbox, "", sql=sql, split_statements=is_text) == "a; b"


@pytest.mark.usefixtures("other")
def test_the_parameters_belong_to_the_query(sandbox: Sandbox) -> None:
    sql = ["SET application_name = '50%'", "SELECT 'p0@example.com' AS email, %s AS city"]

    assert city_of(sandbox, "", sql=sql, parameters=["Alma"]) == "Alma"


def test_statements_hook_params_and_database_are_templated(
    sandbox: Sandbox, warehouse: Callable[..., None], run_dag: Callable[..., Any]
) -> None:
    warehouse([("p0@example.com", "Québec", 1)])
    with DAG("templated_hook", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        SqlToEnvokeOperator(
            task_id="sync",
            sql_conn_id="warehouse",
            sql=["CREATE TEMP TABLE t AS SELECT email, city FROM {{ 'customers' }}", "SELECT * FROM {{ 't' }}"],
            hook_params={"log_sql": "{{ 'off' }}"},
            database="{{ 'ignored by SQLite' }}",
        )

    assert run_dag(dag).state == "success"
    assert sandbox.contact(email="p0@example.com")["city"] == "Québec"


@pytest.mark.skipif(
    Version(version("apache-airflow-providers-openlineage")) < Version("2.8"),
    reason="older OpenLineage providers leave out the tables of a database that is not the connection's",
)
def test_lineage_has_the_tables_of_all_statements_in_the_other_database(sandbox: Sandbox, other: None) -> None:
    sql = ["SET application_name = 'x';", "SELECT 'p0@example.com' AS email, datname AS city FROM pg_database"]
    task = SqlToEnvokeOperator(task_id="s", sql_conn_id="other", sql=sql, database="template1", max_rejects=99)
    task.execute(context())

    (table,) = task.tables_read()

    assert table.name == "template1.public.pg_database"


def test_a_connection_in_airflows_database_is_found_from_the_thread_that_reads(
    sandbox: Sandbox,
    warehouse: Callable[..., None],
    run_dag: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import os

    from airflow.models import Connection
    from airflow.utils.session import create_session

    warehouse([("p0@example.com", "Québec", 1)])
    host = json.loads(os.environ["AIRFLOW_CONN_WAREHOUSE"])["host"]
    with create_session() as session:
        session.add(Connection(conn_id="in_the_database", conn_type="sqlite", host=host))
    with DAG("reader_thread", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        SqlToEnvokeOperator(task_id="sync", sql_conn_id="in_the_database", sql="SELECT email, city FROM customers")

    state = run_dag(dag).state

    with create_session() as session:
        session.delete(session.query(Connection).filter_by(conn_id="in_the_database").one())
    assert state == "success"
    assert sandbox.contact(email="p0@example.com")["city"] == "Québec"
