"""Syncs of 200 rows, one request at a time: with a slow sandbox there is time to stop them."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.providers.common.compat.sdk import DAG

from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator

for strategy in ("changed", "all"):
    with DAG(f"system_slow_sync_{strategy}", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)):
        SqlToEnvokeOperator(
            task_id="sync",
            sql_conn_id="warehouse",
            envoke_conn_id="envoke_slow",
            sql="SELECT email, city FROM customers ORDER BY customer_id LIMIT 200",
            strategy=strategy,
            concurrency=1,
        )
