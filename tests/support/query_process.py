"""
A task in a child process, whose query tests stop: ``python -m tests.support.query_process STATEMENTS``.

Airflow handles the signals, as it does for every task. Prints the report that the task leaves in XCom.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

from airflow.models.dagrun import DagRun
from airflow.providers.common.compat.sdk import DAG

from airflow_provider_envoke.transfers.sql_to_envoke import SqlToEnvokeOperator
from tests.support import airflow


def main(statements: list[str]) -> None:
    with DAG("stopped_query", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        SqlToEnvokeOperator(task_id="sync", sql_conn_id="warehouse", sql=statements)
    try:
        airflow.run_dag(dag)
    except BaseException as error:  # Airflow 2 raises what ended the task
        if type(error).__name__ != "AirflowTaskTerminated":
            raise
    (run,) = DagRun.find(dag_id=dag.dag_id)
    print(json.dumps(airflow.result(run, "sync")))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
