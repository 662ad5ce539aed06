"""
### Sync a whole table every night, sending only what changed

Reads the customers of a warehouse, compares each one with its Envoke contact, and updates the contacts that
differ. A second run changes nothing. Customers who are not in Envoke are skipped, and values that are too long
are truncated. The task finishes its work and then fails if more than 1 % of the rows were rejected. If the
parameter `rejects` names a folder (a local one, or a URL such as `s3://bucket/folder`), each try writes a file of
its own there. It lists the rejected and the skipped rows, also the customers who are not in Envoke, with their
keys, which are personal data.

**At first it writes nothing.** `plan_only` is on, also in the runs of the schedule: each run reports what it would
change. When the report is what you expect, set the default of `plan_only` to `False` in your copy of this file.
To write in one run only, switch `plan_only` off in the form of that run.

**It writes nothing, and fails, if more than a fifth of the rows would change** (`max_changes`), because then the
table may be wrong. In the first runs of a new account that is normal: look at the report, and trigger one run
with a larger `max_changes`, such as 0.99, or the number of rows.

Connections:

- `envoke_default`, of type Envoke: the login is the API ID, the password is the API key.
- `warehouse`, or the one in the parameter `warehouse`: any database with an Airflow SQL hook.

Table:

    CREATE TABLE customers (
        customer_id VARCHAR(60) PRIMARY KEY, remote_id VARCHAR(60), email VARCHAR(60),
        first_name VARCHAR(60), last_name VARCHAR(60), company VARCHAR(60), phone VARCHAR(25),
        city VARCHAR(60), language VARCHAR(2), updated_at TIMESTAMP
    )
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.providers.common.compat.sdk import DAG, Asset, Param

from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator

with DAG(
    "envoke_nightly_sync",
    description="Sync a whole table with Envoke every night, sending only what changed",
    schedule="0 3 * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="America/Toronto"),  # 3 a.m. there, not in UTC
    catchup=False,
    max_active_runs=1,
    doc_md=__doc__,
    tags=["envoke", "example"],
    params={
        "warehouse": Param("warehouse", type="string", description="Connection id of the database."),
        # Set this default to False when the report of a plan is what you expect.
        "plan_only": Param(True, type="boolean", description="Report what would change, but write nothing."),
        "max_changes": Param(
            0.2,
            type="number",
            minimum=0,
            description="Write nothing if more rows would change: a share below 1, or a number of rows.",
        ),
        "rejects": Param(
            None,
            type=["null", "string"],
            description="Folder or URL for the files of rejected and skipped rows. Empty: no files.",
        ),
    },
) as dag:
    SqlToEnvokeOperator(
        task_id="sync",
        sql_conn_id="{{ params.warehouse }}",
        sql="SELECT email, first_name, last_name, company, phone, city, language FROM customers",
        keyfield="email",
        on_missing="skip",
        on_overlong="truncate",
        plan_only="{{ params.plan_only }}",
        max_changes="{{ params.max_changes }}",
        max_rejects=0.01,
        rejects_path="{{ params.rejects ~ '/' if params.rejects else '' }}",
        outlets=[Asset("envoke://account/contacts")],
        retries=2,
        retry_delay=timedelta(minutes=5),
    )
