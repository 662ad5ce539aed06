"""Airflow 2.11 or 3 without a scheduler: a home of its own, and runs of a DAG in this process."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from airflow.models.dagrun import DagRun
    from airflow.providers.common.compat.sdk import DAG


def environment(home: Path) -> dict[str, str]:
    """
    Return the environment variables of an Airflow that keeps to itself.

    They have to be set before anything of Airflow is imported.

    :param home: an existing directory; the configuration, the database and the logs go there.
    """
    # Every run of dag.test() parses the DAGs folder again: an empty one takes no time.
    dags = home / "dags"
    dags.mkdir(exist_ok=True)
    scheme = "sqlite://"
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"{scheme}/{home / 'airflow.db'}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__METRICS__TIMER_UNIT_CONSISTENCY": "True",  # 2.11 warns of the old way whoever uses it
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "SCARF_ANALYTICS": "false",
    }


def without_airflow(variables: dict[str, str]) -> dict[str, str]:
    """Return environment variables without those that configure the caller's own Airflow."""
    return {name: value for name, value in variables.items() if not name.startswith("AIRFLOW_")}


def migrate() -> None:
    """
    Create the metadata database that the environment points to.

    :raises subprocess.CalledProcessError: if that fails; its ``output`` says why.
    """
    command = [sys.executable, "-m", "airflow", "db", "migrate"]
    subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # noqa: S603 - our own words


def run_dag(dag: DAG, **kwargs: Any) -> DagRun:
    """
    Run a DAG once in this process, all of its tasks one after the other, and return the run.

    A task that fails leaves a run in the state ``failed``; nothing is raised. It is not tried again, whatever
    its ``retries``: ``dag.test()`` would sit there for the whole ``retry_delay``.

    :param dag: the DAG; it need not be in the DAGs folder.
    :param kwargs: arguments of ``dag.test()``, such as ``run_conf``.
    """
    from airflow import __version__  # noqa: PLC0415 - only once the environment is set

    _give_up_at_once(dag)
    for task in dag.tasks:
        task.retries = 0  # dag.test() would wait out the retry delay
    if not __version__.startswith("2."):
        _register(dag)
    return dag.test(**kwargs)


def _give_up_at_once(dag: DAG) -> None:
    for task in dag.tasks:
        if hasattr(task, "partial_kwargs"):  # a mapped task
            task.partial_kwargs["retries"] = 0
        else:
            task.retries = 0


def _register(dag: DAG) -> None:
    """Airflow 3 runs what its database knows: put the DAG there, as the DAG processor would."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager  # noqa: PLC0415

    try:
        from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db  # noqa: PLC0415
    except ImportError:  # Airflow 3.0 and 3.1
        from airflow.models.dagbag import DagBag, sync_bag_to_db  # noqa: PLC0415

    DagBundlesManager().sync_bundles_to_db()
    bag = DagBag(dag_folder=os.devnull)
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "dags-folder", None)
