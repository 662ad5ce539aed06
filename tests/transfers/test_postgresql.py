"""Queries of PostgreSQL: types, server-side cursors, and connections that are closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_envoke.transfers._query import QueryRows
from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator
from tests.support.contacts import contacts
from tests.support.tasks import context

if TYPE_CHECKING:
    import pytest

    from airflow_provider_envoke.sandbox.thread import Sandbox

CONTACTS = contacts(5)


def execute(sql: str, **arguments: Any) -> dict[str, Any]:
    operator = SqlToEnvokeOperator(task_id="sync", sql_conn_id="warehouse", sql=sql, **arguments)
    return operator.execute(context())


def test_rows_keep_the_values_of_their_types(sandbox: Sandbox, postgres: Any) -> None:
    postgres.execute("INSERT INTO envoke_customers VALUES ('p0@example.com', 'Québec', 1.50, '2001-02-03', true)")
    fields = {"email": "email", "plan": "custom_fields.plan", "born": "custom_fields.born", "ok": "interests.News"}

    first = execute("SELECT * FROM envoke_customers", field_map=fields)
    second = execute("SELECT * FROM envoke_customers", field_map=fields)

    contact = sandbox.contact(email="p0@example.com")
    assert (first["updated"], second["unchanged"]) == (1, 1)
    assert contact["custom_fields"] == {"plan": "1.50", "born": "2001-02-03"}
    assert contact["interests"] == ["News"]


def test_for_max_changes_the_table_is_read_once_and_the_connection_is_closed(
    sandbox: Sandbox, postgres: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    postgres.execute("INSERT INTO envoke_customers VALUES ('p0@example.com', 'Québec', 1, NULL, NULL)")
    opened: list[Any] = []
    connect = PostgresHook.get_conn
    monkeypatch.setattr(PostgresHook, "get_conn", lambda hook: opened.append(connect(hook)) or opened[-1])

    report = execute("SELECT email, city FROM envoke_customers", max_changes=1)

    assert report["updated"] == 1
    assert [bool(connection.closed) for connection in opened] == [True]


def test_rows_are_read_with_a_server_side_cursor(postgres: Any) -> None:
    rows = QueryRows(BaseHook.get_hook("warehouse"), "warehouse", ["SELECT name FROM pg_cursors"])

    assert list(rows) == [{"name": "envoke_sync"}]
