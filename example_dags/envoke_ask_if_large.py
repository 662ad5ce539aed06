"""
### Small plans are applied at once, large ones need approval

Requires Airflow 3.1 or later; on older versions this file defines no DAG.

`plan` compares the warehouse with Envoke and writes nothing. If the share of rows that would change is at most
`ask_above`, `sync` writes at once. Otherwise `approve` shows the plan under *Required Actions*: `sync` writes
after *Approve* and is skipped after *Reject*. If nothing would change, nobody is asked and `sync` is skipped.

When it runs, `sync` writes nothing and fails if more rows would change now than the plan said.

The connections and the table are the same as in `envoke_nightly_sync`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, AirflowOptionalProviderFeatureException, Param, task

from airflow_provider_envoke.sync import report_as_markdown
from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator

try:
    from airflow.providers.standard.operators.hitl import ApprovalOperator
except (ImportError, AirflowOptionalProviderFeatureException):  # Airflow before 3.1
    ApprovalOperator = None

CUSTOMERS: dict[str, Any] = {
    "sql_conn_id": "{{ params.warehouse }}",
    "sql": "SELECT email, first_name, last_name, company, phone, city, language FROM customers",
    "on_missing": "skip",
    "on_overlong": "truncate",
}
PLANNED = "{% set plan = ti.xcom_pull(task_ids='plan') %}{{ plan.updated + plan.created }}"

if ApprovalOperator is not None:

    @task.branch
    def is_it_large(report: dict[str, Any], ask_above: str) -> str | None:
        """Return the id of the next task; none if nothing would change."""
        changes = report["updated"] + report["created"]
        if changes == 0:
            return None
        return "approve" if changes > float(ask_above) * report["rows"] else "sync"

    with DAG(
        "envoke_ask_if_large",
        description="Write small changes at once, and ask a person about large ones",
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        max_active_runs=1,
        doc_md=__doc__,
        tags=["envoke", "example"],
        user_defined_macros={"report_as_markdown": report_as_markdown},
        params={
            "warehouse": Param("warehouse", type="string", description="Connection id of the database."),
            "ask_above": Param(
                0.2,
                type="number",
                minimum=0,
                maximum=1,
                description="Ask if more than this share of the rows would change.",
            ),
        },
    ) as dag:
        plan = SqlToEnvokeOperator(task_id="plan", plan_only=True, **CUSTOMERS)
        approve = ApprovalOperator(
            task_id="approve",
            subject=f"Change {PLANNED} contacts in Envoke?",
            body="{{ report_as_markdown(ti.xcom_pull(task_ids='plan')) }}",
        )
        sync = SqlToEnvokeOperator(
            task_id="sync", max_changes=PLANNED, trigger_rule="none_failed_min_one_success", **CUSTOMERS
        )
        is_it_large(plan.output, "{{ params.ask_above }}") >> [approve, sync]
        approve >> sync
