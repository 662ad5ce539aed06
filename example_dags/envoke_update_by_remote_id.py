"""
### Update one contact, found by the id from your own system

Reads one row of a warehouse and writes it to the contact with the same remote id. An earlier task chooses the
key: if the customer has no remote id, the email address finds the contact.

If the remote id finds the contact, the contact also gets the email address of the row. This is how you change
an address. **Two contacts can end up with the same address this way, and such a person may get every message
twice.** Envoke's support must first switch off the account's duplicate check.

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

SQLite, Oracle and Databricks expect the parameters of a query as in this file, `:customer_id`. PostgreSQL, MySQL,
Snowflake and BigQuery expect `%(customer_id)s`. Never put values into the text of a query.

The default of `customer_id` is a customer of the sample warehouse. In your copy, use one of yours.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

from airflow_provider_envoke.operators.envoke import EnvokeUpdateContactOperator, rows_as_dicts


@task
def choose_key(rows: list[dict[str, Any]]) -> str:
    """Prefer the remote id, which stays the same when the email address changes."""
    return "remote_id" if rows and rows[0]["remote_id"] else "email"


with DAG(
    "envoke_update_by_remote_id",
    description="Update one contact, found by the id from your own system",
    schedule=None,
    doc_md=__doc__,
    tags=["envoke", "example"],
    params={
        "customer_id": Param("C-0296", type="string", description="Id of the customer in the warehouse."),
        "warehouse": Param("warehouse", type="string", description="Connection id of the database."),
    },
) as dag:
    customer = SQLExecuteQueryOperator(
        task_id="customer",
        conn_id="{{ params.warehouse }}",
        sql="""
            SELECT remote_id, email, first_name, last_name, company, phone, city, language
            FROM customers
            WHERE customer_id = :customer_id
        """,  # on PostgreSQL, MySQL, Snowflake and BigQuery: %(customer_id)s
        parameters={"customer_id": "{{ params.customer_id }}"},
        handler=rows_as_dicts,
    )

    update = EnvokeUpdateContactOperator(
        task_id="update",
        payload="{{ (ti.xcom_pull(task_ids='customer') or [none])[0] }}",
        keyfield="{{ ti.xcom_pull(task_ids='choose_key') }}",
    )

    choose_key(customer.output) >> update
