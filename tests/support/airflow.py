"""Airflow 2.11 or 3 without a scheduler: its own home directory, and DAG runs in this process."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.models.dagrun import DagRun
    from airflow.providers.common.compat.sdk import DAG


def environment(home: Path) -> dict[str, str]:
    """
    Return the environment variables of an Airflow that keeps all of its files in one existing directory.

    Set them before anything of Airflow is imported.
    """
    dags = home / "dags"  # every dag.test() parses it; an empty folder takes no time
    dags.mkdir(exist_ok=True)
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__METRICS__TIMER_UNIT_CONSISTENCY": "True",  # without it, 2.11 logs a deprecation warning
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "SCARF_ANALYTICS": "false",
    }


def without_airflow(variables: dict[str, str]) -> dict[str, str]:
    """Return environment variables without those that configure the caller's own Airflow."""
    return {name: value for name, value in variables.items() if not name.startswith("AIRFLOW_")}


def migrate() -> None:
    """Create the metadata database that the environment points to."""
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def run_dag(dag: DAG, retries: int = 0, **kwargs: Any) -> DagRun:
    """
    Run a DAG once in this process, one task after the other, and return the run.

    If a task fails, the state of the run is ``failed``; nothing is raised.

    :param retries: how often a failed task is retried, at once, whatever the DAG says.
    :param kwargs: arguments of ``dag.test()``, such as ``run_conf``.
    """
    from airflow import __version__  # only once the environment is set

    for task in dag.tasks:  # dag.test() would wait for the whole retry delay
        if hasattr(task, "partial_kwargs"):  # a mapped task
            task.partial_kwargs.update(retries=retries, retry_delay=timedelta(0))
        else:
            task.retries, task.retry_delay = retries, timedelta(0)
    if not __version__.startswith("2."):
        _register(dag)
    return dag.test(**kwargs)


def states(run: DagRun) -> dict[str, str]:
    """Return the state of each task of a run."""
    return {task.task_id: str(task.state) for task in run.get_task_instances()}


def labels(run: DagRun, task_id: str) -> list[str | None]:
    """Return what Airflow's grid shows for the instances of a mapped task, in the order of their indexes."""
    instances = [task for task in run.get_task_instances() if task.task_id == task_id]
    return [task.rendered_map_index for task in sorted(instances, key=lambda task: task.map_index)]


def result(run: DagRun, task_id: str, map_index: int = -1) -> Any:
    """Return what a task of a run left in XCom."""
    task = next(task for task in run.get_task_instances() if task.task_id == task_id)
    return task.xcom_pull(task_ids=task_id, map_indexes=map_index)


def load_dag(file: Path) -> DAG:
    """Return the only DAG of a file, loaded as the DAG processor loads it."""
    bag = _dag_bag().DagBag(dag_folder=os.devnull)
    (dag,) = bag.process_file(str(file))
    return dag


def _register(dag: DAG) -> None:
    """Put the DAG into the database, as the DAG processor would: Airflow 3 runs only what is there."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    DagBundlesManager().sync_bundles_to_db()
    bag = _dag_bag().DagBag(dag_folder=os.devnull)
    bag.bag_dag(dag)
    _dag_bag().sync_bag_to_db(bag, "dags-folder", None)


def _dag_bag() -> Any:
    from importlib import import_module

    try:
        return import_module("airflow.dag_processing.dagbag")
    except ImportError:  # Airflow 2 to 3.1
        return import_module("airflow.models.dagbag")
