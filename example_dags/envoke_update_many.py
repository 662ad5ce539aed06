"""
### Update a few contacts, one task for each

Reads the rows that have changed since a date and maps one task to each row: every contact has its own task,
with its own log, state and retries. Rows without a contact are skipped, and values that are too long are
truncated. This suits dozens of rows: each task costs Airflow about a third of a second. The query returns only
the five latest changes, so that a first run starts five tasks; raise its `LIMIT` in your copy.

Connections:

- `envoke_default`, of type Envoke: the login is the API ID, the password is the API key.
- `warehouse`, or the one in the parameter `warehouse`: any database with an Airflow SQL hook. SQLite is enough
  to try this example.

Table:

    CREATE TABLE customers (
        customer_id VARCHAR(60) PRIMARY KEY, remote_id VARCHAR(60), email VARCHAR(60),
        first_name VARCHAR(60), last_name VARCHAR(60), company VARCHAR(60), phone VARCHAR(25),
        city VARCHAR(60), language VARCHAR(2), updated_at TIMESTAMP
    )

SQLite, Oracle and Databricks expect the parameter of a query as in this file, `:changed_since`. PostgreSQL,
MySQL, Snowflake and BigQuery expect `%(changed_since)s`. Never put values into the text of a query. Oracle and SQL
Server have no `LIMIT`: use `FETCH FIRST 5 ROWS ONLY`, or `TOP 5` after `SELECT`.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, Param
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

from airflow_provider_envoke.operators.envoke import EnvokeUpdateContactOperator, rows_as_dicts

with DAG(
    "envoke_update_many",
    description="Update a few contacts, one mapped task for each",
    schedule=None,
    doc_md=__doc__,
    tags=["envoke", "example"],
    params={
        "changed_since": Param(
            "2026-01-31", type="string", format="date", description="The first day of the changes."
        ),
        "warehouse": Param("warehouse", type="string", description="Connection id of the database."),
    },
) as dag:
    changed = SQLExecuteQueryOperator(
        task_id="changed",
        conn_id="{{ params.warehouse }}",
        sql="""
            SELECT email, first_name, last_name, company, phone, city, language
            FROM customers
            WHERE updated_at >= :changed_since
            ORDER BY updated_at DESC
            LIMIT 5
        """,  # on PostgreSQL, MySQL, Snowflake and BigQuery: %(changed_since)s
        parameters={"changed_since": "{{ params.changed_since }}"},
        handler=rows_as_dicts,
    )

    EnvokeUpdateContactOperator.partial(
        task_id="update",
        on_missing="skip",
        on_overlong="truncate",
    ).expand(payload=changed.output)
