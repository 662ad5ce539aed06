"""
### Plan first, then write

`plan` compares the warehouse with Envoke and writes nothing. Its report in XCom says how many contacts would
change and in which fields, with a few masked examples. If more rows would change than `max_changes` allows, the
task fails, so that a person can check the table. Otherwise `sync` writes, within the same limit.

If the table is correct, run the DAG manually with a larger `max_changes`: a number of rows, or a share below 1.
`sync` alone gives the same protection: with `max_changes` it plans before it writes.

The connections and the table are the same as in `envoke_nightly_sync`.
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
    description="Plan a sync first, and write only if the plan is small",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    doc_md=__doc__,
    tags=["envoke", "example"],
    params={
        "warehouse": Param("warehouse", type="string", description="Connection id of the database."),
        "max_changes": Param(0.2, type="number", minimum=0, description="A number of rows, or a share below 1."),
    },
) as dag:
    plan = SqlToEnvokeOperator(task_id="plan", plan_only=True, **CUSTOMERS)
    sync = SqlToEnvokeOperator(task_id="sync", **CUSTOMERS)
    plan >> sync
