"""
The demo's Airflow: runs the example DAGs in this process and tells the parent process how each went.

Started as ``python -m demo.runs FD``: a line of JSON for each run goes to the file descriptor FD. All that
Airflow prints goes to standard output, as ever.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from typing import Any

from demo import customers
from demo.local_airflow import run_dag

RUNS: tuple[tuple[str, dict[str, str]], ...] = (
    ("envoke_update_by_email", {"email": customers.ONE_EMAIL}),
    ("envoke_nightly_sync", {}),
    ("envoke_nightly_sync", {}),
)


def run_all(report_to: int) -> None:
    """Run the DAGs of :data:`RUNS` in their order, up to one that fails."""
    with os.fdopen(report_to, "w", encoding="utf-8") as report:
        for dag_id, conf in RUNS:
            outcome = _run(dag_id, conf)
            report.write(json.dumps(outcome) + "\n")
            report.flush()
            if outcome["state"] != "success":
                return  # so that the end of the log is about this run


def _run(dag_id: str, conf: dict[str, str]) -> dict[str, Any]:
    dag = import_module(f"example_dags.{dag_id}").dag
    run = run_dag(dag, run_conf=conf)
    return {
        "dag_id": dag_id,
        "state": run.state,
        "result": [_result(task) for task in run.get_task_instances()][-1],
    }


def _result(task: Any) -> Any:
    """What a task left in XCom."""
    return task.xcom_pull(task_ids=task.task_id)


if __name__ == "__main__":
    run_all(int(sys.argv[1]))
