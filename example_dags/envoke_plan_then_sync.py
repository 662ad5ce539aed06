"""
### Look first, then write

`plan` compares the warehouse with Envoke and writes nothing; its report in XCom says how many contacts would
change, in which fields, with a few masked examples. It fails if that is for more rows than `max_changes` allows:
somebody should look at the table before it goes out. Otherwise `sync` writes, within the same limit.

If the table is right, start the DAG by hand with a larger `max_changes`: a count of rows, or a share below 1.
`sync` alone would do as well: with `max_changes` it makes a plan of its own before it writes.

Connections and table are those of `envoke_nightly_sync`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param

from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator

CUSTOMERS: dict[str, Any] = {
    "sql_conn_id": "{{ params.warehouse }}",
    "sql": "SELECT email, first_name, last_name, company, phone, city, language FROM customers",
    "on_missing": "skip",
    "on_overlong": "truncate",
    "max_changes": "{{ params.max_changes }}",
}

with DAG(
    "envoke_plan_then_sync",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    doc_md=__doc__,
    tags=["envoke", "example"],
    params={
        "warehouse": Param("warehouse", type="string", description="Connection id of the database."),
        "max_changes": Param(0.2, type="number", minimum=0, description="Rows, or a share of the rows below 1."),
    },
) as dag:
    plan = SqlToEnvokeOperator(task_id="plan", plan_only=True, **CUSTOMERS)
    sync = SqlToEnvokeOperator(task_id="sync", **CUSTOMERS)
    plan >> sync
