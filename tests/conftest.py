"""
Fixtures for every test: an Airflow home of its own, DAG runs, warehouses, and the sandbox behind a connection.

The fixture ``envoke_sandbox`` comes from the package, whose pytest plugin users have too.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import airflow
from tests.support.services import POSTGRES, connect_to_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow.models.dagrun import DagRun

    from airflow_provider_envoke.sandbox.thread import Sandbox

pytest_plugins = ["tests.support.messages"]

# Not in a fixture: Airflow reads its configuration when it is imported, and some test modules import it.
AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="envoke-tests-"))
for _name in set(os.environ) - set(airflow.without_airflow(dict(os.environ))):
    del os.environ[_name]
os.environ.update(airflow.environment(AIRFLOW_HOME))

SYSTEM = Path(__file__).parent / "system"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the system tests, which take minutes, unless their path is given."""
    asked = [Path(argument.partition("::")[0]).resolve() for argument in config.args]
    return True if collection_path == SYSTEM and not any(SYSTEM in (at, *at.parents) for at in asked) else None


def pytest_unconfigure() -> None:
    shutil.rmtree(AIRFLOW_HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def airflow_home() -> Path:
    """The home directory of this test run's Airflow; ``os.environ`` points to it."""
    return AIRFLOW_HOME


@pytest.fixture(scope="session")
def airflow_db(airflow_home: Path) -> Path:
    """A migrated metadata database, which takes some seconds to create, once."""
    airflow.migrate()
    return airflow_home / "airflow.db"


@pytest.fixture
def run_dag(airflow_db: Path) -> Callable[..., DagRun]:
    """
    Run a DAG in this process: ``run_dag(dag, run_conf={…})`` returns the run.

    Failed tasks are not retried. What tasks log is in ``capsys``; on Airflow 3 it is not in ``caplog``.
    """
    return airflow.run_dag


@pytest.fixture
def envoke_connection(envoke_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """The sandbox, empty, behind Airflow's connection ``envoke_default``."""
    monkeypatch.setenv("AIRFLOW_CONN_ENVOKE_DEFAULT", json.dumps(envoke_sandbox.connection))
    return envoke_sandbox


@pytest.fixture
def sandbox(envoke_connection: Sandbox, request: pytest.FixtureRequest) -> Sandbox:
    """The sandbox behind ``envoke_default``, with the test module's ``CONTACTS``, if it defines any."""
    envoke_connection.reset(getattr(request.module, "CONTACTS", []))
    return envoke_connection


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[list[tuple[Any, ...]]], None]:
    """Fill the SQLite table ``customers`` (email, city, plan), behind Airflow's connection ``warehouse``."""
    path = tmp_path / "warehouse.sqlite"
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(path)}))

    def fill(rows: list[tuple[Any, ...]]) -> None:
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("CREATE TABLE customers (email TEXT, city TEXT, plan INTEGER)")
            database.executemany("INSERT INTO customers VALUES (?, ?, ?)", rows)

    return fill


@pytest.fixture
def postgres(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A PostgreSQL cursor, with the table ``envoke_customers``, behind Airflow's connection ``warehouse``."""
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
