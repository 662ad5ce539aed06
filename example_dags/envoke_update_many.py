"""
### Update a handful of contacts, a task for each

Reads the rows that changed since a day and maps one update to each: every contact has a task of its own, with
its own log, state and retries. Addresses that Envoke does not know are skipped, and names longer than Envoke
takes are cut. Good for dozens of rows; a task costs Airflow about a third of a second.

Connections:

- `envoke_default`, of type Envoke: login is the API ID, password the API key.
- the warehouse, by default `warehouse`. SQLite is enough to try it; any database that Airflow has a SQL hook
  for will do, since the connection decides.

Table:

    CREATE TABLE customers (
        customer_id VARCHAR(60) PRIMARY KEY, remote_id VARCHAR(60), email VARCHAR(60),
        first_name VARCHAR(60), last_name VARCHAR(60), company VARCHAR(60), phone VARCHAR(25),
        city VARCHAR(60), language VARCHAR(2), updated_at TIMESTAMP
    )

Run it with `{"changed_since": "2026-01-31"}` as the configuration.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, Param
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

from airflow_provider_envoke.core.rows import rows_as_dicts
from airflow_provider_envoke.operators.envoke import EnvokeUpdateContactOperator

with DAG(
    "envoke_update_many",
    schedule=None,
    doc_md=__doc__,
    tags=["envoke", "example"],
    params={
        # The pattern lets no quote into the SQL text below.
        "changed_since": Param("2026-01-31", type="string", format="date", pattern=r"^[0-9-]+$"),
        "warehouse": Param("warehouse", type="string", description="Connection id of the database."),
    },
) as dag:
    changed = SQLExecuteQueryOperator(
        task_id="changed",
        conn_id="{{ params.warehouse }}",
        sql="""
            SELECT email, first_name, last_name, company, phone, city, language
            FROM customers
            WHERE updated_at >= '{{ params.changed_since }}'
            ORDER BY updated_at
        """,
        handler=rows_as_dicts,
    )

    EnvokeUpdateContactOperator.partial(
        task_id="update",
        on_missing="skip",
        on_overlong="truncate",
    ).expand(payload=changed.output)
