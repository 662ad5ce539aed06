"""A sync whose query takes minutes, so that there is time to stop it. The run's conf has the statements."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator

with DAG(
    "system_slow_query",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    render_template_as_native_obj=True,
):
    SqlToEnvokeOperator(
        task_id="sync",
        sql_conn_id="postgres",
        sql="{{ dag_run.conf['statements'] }}",  # type: ignore[arg-type]
    )
