"""
What every test may ask for: an Airflow of its own, runs of a DAG, a connection to the sandbox.

The sandbox itself, ``envoke_sandbox``, comes from the package: it is a pytest plugin for users too.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # for demo and example_dags, which are not installed

from demo import local_airflow  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.models.dagrun import DagRun

    from airflow_provider_envoke.sandbox.thread import Sandbox

# Airflow reads its configuration when it is first imported, which some test modules do: so not in a fixture.
AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="envoke-tests-"))
for _name in set(os.environ) - set(local_airflow.without_airflow(dict(os.environ))):
    del os.environ[_name]
os.environ.update(local_airflow.environment(AIRFLOW_HOME))


def pytest_unconfigure() -> None:
    shutil.rmtree(AIRFLOW_HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    """The home of this test run's own Airflow; ``os.environ`` points to it."""
    return AIRFLOW_HOME


@pytest.fixture(scope="session")
def airflow_db(airflow_home: Path) -> Path:
    """A migrated metadata database. It takes some seconds, once; only tests that run DAGs ask for it."""
    local_airflow.migrate()
    return airflow_home / "airflow.db"


@pytest.fixture
def run_dag(airflow_db: Path) -> Callable[..., DagRun]:
    """
    Run a DAG in this process: ``run_dag(dag, run_conf={…})`` returns the run, whose ``state`` tells.

    Failed tasks are not retried. What tasks log is in ``capsys``; on Airflow 3 it does not reach ``caplog``.
    """
    return local_airflow.run_dag


@pytest.fixture
def envoke_connection(envoke_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The sandbox, with Airflow's connection ``envoke_default`` pointing to it."""
    connection: dict[str, Any] = envoke_sandbox.connection
    monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(connection))
    return envoke_sandbox
