"""
### Look first, then write

`plan` compares the warehouse with Envoke and writes nothing; its report says how many contacts would change, in
which fields, with a few masked examples. `check` fails if that is more than a fifth of the rows: somebody should
look at the table before it goes out. Otherwise `sync` writes.

Connections and table are those of `envoke_nightly_sync`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, AirflowFailException, Param, task

from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator

CUSTOMERS: dict[str, Any] = {
    "sql_conn_id": "{{ params.warehouse }}",
    "sql": "SELECT email, first_name, last_name, company, phone, city, language FROM customers",
    "on_missing": "skip",
    "on_overlong": "truncate",
}


@task
def check(report: dict[str, Any], largest_share: float) -> None:
    """Let the run go on if the plan changes no more than a share of the rows."""
    changes = report["updated"] + report["created"]
    if changes > largest_share * report["rows"]:
        raise AirflowFailException(
            f"The plan changes {changes} of {report['rows']} contacts ({report['fields']}), more than "
            f"{largest_share:.0%}: nothing was written. Look at the table; if it is right, allow a larger share."
        )


with DAG(
    "envoke_plan_then_sync",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    doc_md=__doc__,
    render_template_as_native_obj=True,
    tags=["envoke", "example"],
    params={
        "warehouse": Param("warehouse", type="string", description="Connection id of the database."),
        "largest_share": Param(0.2, type="number", minimum=0, maximum=1, description="Changed rows / all rows."),
    },
) as dag:
    plan = SqlToEnvokeOperator(task_id="plan", plan_only=True, **CUSTOMERS)
    sync = SqlToEnvokeOperator(task_id="sync", **CUSTOMERS)
    check(plan.output, "{{ params.largest_share }}") >> sync
