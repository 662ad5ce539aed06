"""
### Update one contact, found by its e-mail address

Reads one row of a warehouse and writes it to the Envoke contact with the same e-mail address. Only the fields
of the row are changed; a null leaves the contact's field as it is. An address that Envoke does not know fails
the task.

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

Run it with `{"email": "somebody@example.com"}` as the configuration.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, Param
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

from airflow_provider_envoke.core.rows import rows_as_dicts
from airflow_provider_envoke.operators.envoke import EnvokeUpdateContactOperator

with DAG(
    "envoke_update_by_email",
    schedule=None,
    doc_md=__doc__,
    tags=["envoke", "example"],
    params={
        # The pattern lets no quote into the SQL text below.
        "email": Param(type="string", pattern=r"^[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+$"),
        "warehouse": Param("warehouse", type="string", description="Connection id of the database."),
    },
) as dag:
    customer = SQLExecuteQueryOperator(
        task_id="customer",
        conn_id="{{ params.warehouse }}",
        sql="""
            SELECT email, first_name, last_name, company, phone, city, language
            FROM customers
            WHERE email = '{{ params.email }}'
        """,
        handler=rows_as_dicts,
    )

    update = EnvokeUpdateContactOperator(
        task_id="update",
        payload="{{ (ti.xcom_pull(task_ids='customer') or [none])[0] }}",
    )

    customer >> update
