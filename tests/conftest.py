"""
What every test may ask for: an Airflow of its own, runs of a DAG, a connection to the sandbox.

The sandbox itself, ``envoke_sandbox``, comes from the package: it is a pytest plugin for users too.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))  # for demo and example_dags, which are not installed

from demo import local_airflow  # noqa: E402
from tests.services import POSTGRES, connect_to_postgres  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow.models.dagrun import DagRun

    from airflow_provider_envoke.sandbox.thread import Sandbox

# Airflow reads its configuration when it is first imported, which some test modules do: so not in a fixture.
AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="envoke-tests-"))
for _name in set(os.environ) - set(local_airflow.without_airflow(dict(os.environ))):
    del os.environ[_name]
os.environ.update(local_airflow.environment(AIRFLOW_HOME))


SYSTEM = Path(__file__).parent / "system"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the tests that start a whole Airflow, which take minutes, unless asked for by their path."""
    asked = [Path(argument.partition("::")[0]).resolve() for argument in config.args]
    return True if collection_path == SYSTEM and not any(SYSTEM in (at, *at.parents) for at in asked) else None


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


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[list[tuple[Any, ...]]], None]:
    """Fill the table ``customers`` (email, city, plan) of SQLite, behind Airflow's connection ``warehouse``."""
    path = tmp_path / "warehouse.sqlite"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(path)}))

    def fill(rows: list[tuple[Any, ...]]) -> None:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("CREATE TABLE customers (email TEXT, city TEXT, plan INTEGER)")
            database.executemany("INSERT INTO customers VALUES (?, ?, ?)", rows)

    return fill


@pytest.fixture
def postgres(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A cursor of PostgreSQL with the table ``envoke_customers``, and Airflow's connection ``warehouse`` to it."""
    connection = connect_to_postgres()
    schema = f"envoke_tests_{os.getpid()}"  # several test runs may share the server
    extra = {"options": f"-c search_path={schema}"}
    monkeypatch.setenv(
        "AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "postgres", **POSTGRES, "extra": json.dumps(extra)})
    )
    with closing(connection), connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        cursor.execute(f"CREATE SCHEMA {schema}")
        cursor.execute(f"SET search_path TO {schema}")
        cursor.execute(
            "CREATE TABLE envoke_customers (email TEXT, city TEXT, plan NUMERIC(6, 2), born DATE, ok BOOL)"
        )
        yield cursor
        cursor.execute(f"DROP SCHEMA {schema} CASCADE")
