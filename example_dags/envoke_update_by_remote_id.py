"""
### Update one contact, found by the id that it has in your own system

Reads one row of a warehouse, and writes it to the contact with this remote id. An earlier task chooses the key: a
customer without a remote id is found by e-mail instead.

Found by its remote id, a contact gets the row's e-mail address too: this is how an address is changed.
**Two contacts can come to share one address that way, and such a person may get every message twice.**
Envoke's support must have switched off the account's duplicate check first.

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

Run it with `{"customer_id": "C-0042"}` as the configuration.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

from airflow_provider_envoke.core.rows import rows_as_dicts
from airflow_provider_envoke.operators.envoke import EnvokeUpdateContactOperator


@task
def choose_key(rows: list[dict[str, Any]]) -> str:
    """Prefer the remote id, which stays the same when an e-mail address changes."""
    return "remote_id" if rows and rows[0]["remote_id"] else "email"


with DAG(
    "envoke_update_by_remote_id",
    schedule=None,
    doc_md=__doc__,
    tags=["envoke", "example"],
    params={
        # The pattern lets no quote into the SQL text below.
        "customer_id": Param(type="string", pattern=r"^[A-Za-z0-9_-]+$"),
        "warehouse": Param("warehouse", type="string", description="Connection id of the database."),
    },
) as dag:
    customer = SQLExecuteQueryOperator(
        task_id="customer",
        conn_id="{{ params.warehouse }}",
        sql="""
            SELECT remote_id, email, first_name, last_name, company, phone, city, language
            FROM customers
            WHERE customer_id = '{{ params.customer_id }}'
        """,
        handler=rows_as_dicts,
    )

    update = EnvokeUpdateContactOperator(
        task_id="update",
        payload="{{ (ti.xcom_pull(task_ids='customer') or [none])[0] }}",
        keyfield="{{ ti.xcom_pull(task_ids='choose_key') }}",
    )

    choose_key(customer.output) >> update
