"""
### A large table, on several workers

The query is split into shards, one mapped task each, by the remainder of the customer's number. Airflow spreads
them over its workers; the pool `envoke` holds how many run at once, and each may start so many requests a second:
together they stay within the account's limit, **slots of the pool x requests per second of a shard**. The last
task adds the reports up.

A shard whose worker is lost is tried again on another one, and goes on where the first one ended: what was written
no longer differs. Airflow notices the loss after `[scheduler] task_instance_heartbeat_timeout` (on Airflow 2:
`scheduler_zombie_task_threshold`), by default five minutes.

Connections and table are those of `envoke_nightly_sync`; customer ids are like `C-0042`. Rows of one contact have
to come into one shard: here each customer has an address of their own. Make the pool first:

    airflow pools set envoke 2 "Requests to Envoke: 2 shards at once"
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator

SHARDS = 4
REQUESTS_PER_SECOND = 50  # of one shard
COUNTS = ("rows", "updated", "created", "unchanged", "skipped", "rejected")

SQL = """
    SELECT email, first_name, last_name, company, phone, city, language
    FROM customers
    WHERE CAST(SUBSTR(customer_id, 3) AS INTEGER) % {shards} = {shard}
"""


@task
def add_up(reports: list[dict[str, Any]]) -> dict[str, int]:
    """Return the sum of the shards' reports."""
    total: Counter[str] = Counter()
    for report in reports:
        total.update({name: report[name] for name in COUNTS})
    return {name: total[name] for name in COUNTS}


with DAG(
    "envoke_sharded_sync",
    schedule=None,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    doc_md=__doc__,
    tags=["envoke", "example"],
    params={"warehouse": Param("warehouse", type="string", description="Connection id of the database.")},
) as dag:
    shards = SqlToEnvokeOperator.partial(
        task_id="shard",
        sql_conn_id="{{ params.warehouse }}",
        on_missing="skip",
        on_overlong="truncate",
        requests_per_second=REQUESTS_PER_SECOND,
        pool="envoke",
        retries=2,  # without them a lost worker fails the run
    ).expand(sql=[SQL.format(shards=SHARDS, shard=shard) for shard in range(SHARDS)])

    add_up(shards.output)
