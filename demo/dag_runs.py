"""
Runs the demo's DAGs in this process, and reports each result to the parent process.

Started as ``python -m demo.dag_runs FD``: writes a line of JSON for each run to the file descriptor FD. Airflow's
own output goes to standard output.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from typing import Any

from tests.support import customers
from tests.support.airflow import run_dag

RUNS: tuple[tuple[str, dict[str, str | bool]], ...] = (
    ("envoke_update_by_email", {"email": customers.ONE_EMAIL}),
    ("envoke_nightly_sync", {"plan_only": False}),
    ("envoke_nightly_sync", {"plan_only": False}),
)


def run_all(report_to: int) -> None:
    """Run the DAGs of :data:`RUNS` in their order; stop after the first that fails."""
    with os.fdopen(report_to, "w", encoding="utf-8") as report:
        for dag_id, conf in RUNS:
            outcome = _run(dag_id, conf)
            report.write(json.dumps(outcome) + "\n")
            report.flush()
            if outcome["state"] != "success":
                return  # so that the end of the log is about this run


def _run(dag_id: str, conf: dict[str, str | bool]) -> dict[str, Any]:
    """Run a DAG, and return its state and what its last task left in XCom."""
    run = run_dag(import_module(f"example_dags.{dag_id}").dag, run_conf=conf)
    last = run.get_task_instances()[-1]
    return {"state": run.state, "result": last.xcom_pull(task_ids=last.task_id)}


if __name__ == "__main__":
    run_all(int(sys.argv[1]))
