"""
### A person approves the plan before anything is written

Requires Airflow 3.1 or later; on older versions this file defines no DAG.

`plan` compares the warehouse with Envoke and writes nothing. `approve` shows under *Required Actions* what
would change (how many contacts, which fields, changes of consent, a few masked examples) and waits. After
*Approve*, `sync` writes. After *Reject*, it is skipped and nothing is written. If nothing would change, nobody
is asked: the other tasks are skipped.

`sync` changes no more rows than were approved. If the table has changed and more rows would change now, it
writes nothing and fails. Run the DAG again to get a new plan.

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

    @task.short_circuit
    def anything_to_change(report: dict[str, Any]) -> bool:
        """Skip the question and the sync if nothing would change."""
        return bool(report["updated"] + report["created"])

    with DAG(
        "envoke_approve_then_sync",
        description="Write only what a person has approved",
        schedule=None,
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        max_active_runs=1,
        doc_md=__doc__,
        tags=["envoke", "example"],
        user_defined_macros={"report_as_markdown": report_as_markdown},
        params={"warehouse": Param("warehouse", type="string", description="Connection id of the database.")},
    ) as dag:
        plan = SqlToEnvokeOperator(task_id="plan", plan_only=True, **CUSTOMERS)
        approve = ApprovalOperator(
            task_id="approve",
            subject=f"Change {PLANNED} contacts in Envoke?",
            body="{{ report_as_markdown(ti.xcom_pull(task_ids='plan')) }}",
        )
        sync = SqlToEnvokeOperator(task_id="sync", max_changes=PLANNED, **CUSTOMERS)
        anything_to_change(plan.output) >> approve >> sync
