"""
### Update one contact, found by its email address

Reads one row of a warehouse and writes it to the Envoke contact with the same email address. Only the fields in
the row are changed; a null leaves the contact's field unchanged. The task fails if no customer or no contact
has this address.

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

SQLite, Oracle and Databricks expect the parameters of a query as in this file, `:email`. PostgreSQL, MySQL,
Snowflake and BigQuery expect `%(email)s`. Never put values into the text of a query.

The default of `email` is a customer of the sample warehouse. In your copy, use one of yours.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import DAG, Param
from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

from airflow_provider_envoke.operators.envoke import EnvokeUpdateContactOperator, rows_as_dicts

with DAG(
    "envoke_update_by_email",
    description="Update one contact, found by its email address",
    schedule=None,
    doc_md=__doc__,
    tags=["envoke", "example"],
    params={
        "email": Param(
            "francois.lefebvre@example.com", type="string", description="Email address of the customer."
        ),
        "warehouse": Param("warehouse", type="string", description="Connection id of the database."),
    },
) as dag:
    customer = SQLExecuteQueryOperator(
        task_id="customer",
        conn_id="{{ params.warehouse }}",
        sql="""
            SELECT email, first_name, last_name, company, phone, city, language
            FROM customers
            WHERE email = :email
        """,  # on PostgreSQL, MySQL, Snowflake and BigQuery: %(email)s
        parameters={"email": "{{ params.email }}"},
        handler=rows_as_dicts,
    )

    update = EnvokeUpdateContactOperator(
        task_id="update",
        payload="{{ (ti.xcom_pull(task_ids='customer') or [none])[0] }}",
    )

    customer >> update
