"""
### Sync a large table on several workers

The query is split into shards by the remainder of the customer's number, with one mapped task for each shard.
Airflow distributes them over its workers. The pool `envoke` limits how many shards run at once, and
`requests_per_second` limits each of them. Together they stay within **slots of the pool x requests per second
of a shard**. The last task adds up the reports.

If a worker is lost, Airflow retries its shard on another worker. The retry writes only what is still missing,
because what was written no longer differs. Airflow detects the loss after
`task_instance_heartbeat_timeout` (on Airflow 2: `scheduler_zombie_task_threshold`), five minutes by default.

The connections and the table are the same as in `envoke_nightly_sync`; customer ids look like `C-0042`. All
rows of one contact must be in the same shard; here every customer has a different email address. Create the
pool first:

    airflow pools set envoke 2 "Requests to Envoke: 2 shards at once"
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator

SHARDS = 4
REQUESTS_PER_SECOND = 50  # for each shard
COUNTS = ("rows", "updated", "created", "unchanged", "skipped", "rejected")

SQL = """
    SELECT email, first_name, last_name, company, phone, city, language
    FROM customers
    WHERE CAST(SUBSTR(customer_id, 3) AS INTEGER) % {shards} = {shard}
"""


@task
def add_up(reports: list[dict[str, Any]]) -> dict[str, int]:
    """Return the sums of the counts in the reports."""
    total: Counter[str] = Counter()
    for report in reports:
        total.update({name: report[name] for name in COUNTS})
    return {name: total[name] for name in COUNTS}


with DAG(
    "envoke_sharded_sync",
    description="Sync a large table on several workers",
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
        map_index_template="shard {{ ti.map_index }}: {{ envoke_result | default('no result yet') }}",
        retries=2,  # without retries, a lost worker fails the run
    ).expand(sql=[SQL.format(shards=SHARDS, shard=shard) for shard in range(SHARDS)])

    add_up(shards.output)
