"""
The databases that tests read through Airflow's providers: PostgreSQL, SQLite, MariaDB and DuckDB as they are, and
Snowflake, Oracle and BigQuery as real hooks with a stand-in behind them. docs/warehouses.md says what is real.
"""

from __future__ import annotations

import gc
import os
import warnings
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache, partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from unittest import mock
from uuid import uuid4

import pytest
from airflow.providers.common.compat.sdk import BaseHook

from tests.support.services import MARIADB, POSTGRES, connect_to_mariadb, connect_to_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

#: What "make test-warehouses" sets: a missing package is a failure.
REQUIRED = os.environ.get("ENVOKE_WAREHOUSES") == "required"

_NAME = f"envoke_tests_{os.getpid()}"  # several test runs may share a server


@dataclass(frozen=True)
class Warehouse:
    """
    A kind of database.

    :param name: as in docs/warehouses.md.
    :param packages: the modules that it needs.
    :param connection: a context manager: a temporary directory -> the Airflow connection of an empty database.
    :param types: its types for an id, a text, 9999.99, a date, and true or false.
    :param folds: whether it returns unquoted names in upper case.
    :param sent: what Envoke gets for 1.50, and for the date 2001-02-03.
    """

    name: str
    packages: tuple[str, ...]
    connection: Callable[[Path], Any]
    types: tuple[str, str, str, str, str] = ("BIGINT", "VARCHAR(60)", "DECIMAL(6, 2)", "DATE", "BOOLEAN")
    folds: bool = False
    sent: tuple[str, str] = ("1.50", "2001-02-03")

    def create_table(self, columns: Sequence[str], kinds: Sequence[int]) -> str:
        """Return the statement that creates the table ``customers``; the kinds are positions in ``types``."""
        names = [f'"{name.upper()}"' if self.name == UPPER_CASE_SQLITE else name for name in columns]
        defined = [f"{name} {self.types[kind]}" for name, kind in zip(names, kinds, strict=True)]
        return f"CREATE TABLE customers ({', '.join(defined)})"

    def insert(self, rows: Sequence[Sequence[Any]]) -> str:
        """Return the statement that fills the table."""
        return "INSERT INTO customers VALUES " + ", ".join(
            f"({', '.join(map(self._literal, row))})" for row in rows
        )

    def _literal(self, value: Any) -> str:
        match value:
            case None:
                return "NULL"
            case bool():
                return str(value).upper() if self.types[4].startswith("BOOL") else str(int(value))
            case str():
                return "'" + value.replace("'", "\\'" if self.name == "BigQuery" else "''") + "'"
            case date() if self.types[3] == "TEXT":
                return f"'{value}'"
            case date():
                return f"DATE '{value}'"
        return str(value)


def require(warehouse: Warehouse) -> None:
    """Skip the test if a package is missing, or fail if "make test-warehouses" runs it."""
    missing = [name for name in warehouse.packages if not _is_there(name)]
    if missing and REQUIRED:
        pytest.fail(f"{', '.join(missing)} is not installed")
    if missing:
        pytest.skip("the packages of some databases are not installed here; make test-warehouses installs them")


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


@contextmanager
def _sqlite(path: Path) -> Iterator[dict[str, Any]]:
    yield {"conn_type": "sqlite", "host": str(path / "warehouse.sqlite")}


@contextmanager
def _postgres(path: Path) -> Iterator[dict[str, Any]]:
    with closing(connect_to_postgres()) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {_NAME}_w CASCADE")
        cursor.execute(f"CREATE SCHEMA {_NAME}_w")
        try:
            yield {"conn_type": "postgres", **POSTGRES, "extra": {"options": f"-c search_path={_NAME}_w"}}
        finally:
            cursor.execute(f"DROP SCHEMA {_NAME}_w CASCADE")


@contextmanager
def _mariadb(path: Path, client: str) -> Iterator[dict[str, Any]]:
    with closing(connect_to_mariadb()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"CREATE OR REPLACE DATABASE {_NAME} CHARACTER SET utf8mb4")
        try:
            yield {"conn_type": "mysql", **MARIADB, "schema": _NAME, "extra": {"client": client}}
        finally:
            cursor.execute(f"DROP DATABASE {_NAME}")


@contextmanager
def _duckdb(path: Path) -> Iterator[dict[str, Any]]:
    yield {"conn_type": "duckdb", "host": str(path / "warehouse.duckdb")}


@contextmanager
def _snowflake(path: Path) -> Iterator[dict[str, Any]]:
    """The real connector talks to fakesnow's server, over plain HTTP."""
    import snowflake.connector

    quiet = {"SNOWFLAKE_DISABLE_PLATFORM_DETECTION": "true"}  # it asks cloud providers' addresses
    connect = partial(snowflake.connector.connect, protocol="http", network_timeout=10)
    with ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, quiet))
        server = stack.enter_context(_fakesnow_server()())
        stack.enter_context(mock.patch.object(snowflake.connector, "connect", connect))
        database = f"SHOP_{uuid4().hex}"  # all of fakesnow's servers share their databases
        extra = {"account": "account", "database": database} | {
            name: server[name] for name in ("host", "port", "session_parameters")
        }
        yield {
            "conn_type": "snowflake",
            "login": "user",
            "password": "password",
            "schema": "PUBLIC",
            "extra": extra,
        }


@cache
def _fakesnow_server() -> Any:
    import fakesnow

    return fakesnow.server  # at its first call, the module of this name takes its place


@contextmanager
def _oracle(path: Path) -> Iterator[dict[str, Any]]:
    import oracledb

    from tests.support.oracle_driver import connector_of

    with mock.patch.object(oracledb, "connect", connector_of(path / "oracle.duckdb")):
        yield {"conn_type": "oracle", "host": "oracle.example.com", "login": "user", "password": "password"}
    oracledb.defaults.fetch_decimals = False  # the extra of that name sets it for the whole process


@contextmanager
def _bigquery(path: Path) -> Iterator[dict[str, Any]]:
    from tests.support.bigquery_service import running_service

    with running_service() as (_, url), bigquery_connection(url) as connection:
        yield connection | {"extra": connection["extra"] | {"use_legacy_sql": False}}


@contextmanager
def bigquery_connection(url: str) -> Iterator[dict[str, Any]]:
    """Let the real hook and Google's real clients talk to a server of this machine; yield Airflow's connection."""
    from airflow.providers.google.common.hooks.base_google import GoogleBaseHook
    from google.api_core.client_options import ClientOptions

    options = ClientOptions(api_endpoint=url)
    with mock.patch.object(GoogleBaseHook, "get_client_options", return_value=options):
        yield {"conn_type": "gcpbigquery", "extra": {"is_anonymous": True, "project": "project"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()  # the hook does not close the connections of Google's clients


MARIADB_KINDS = ("MariaDB, mysqlclient", "MariaDB, mysql-connector-python")
UPPER_CASE_SQLITE = "SQLite, upper case"
_SQLITE = {
    "packages": ("airflow.providers.sqlite",),
    "connection": _sqlite,
    "types": ("INTEGER", "TEXT", "NUMERIC", "TEXT", "INTEGER"),
    "sent": ("1.5", "2001-02-03"),
}
WAREHOUSES = (
    Warehouse("SQLite", **_SQLITE),
    Warehouse(UPPER_CASE_SQLITE, **_SQLITE, folds=True),
    Warehouse("PostgreSQL", ("airflow.providers.postgres",), _postgres),
    Warehouse(
        "MariaDB, mysqlclient", ("airflow.providers.mysql", "MySQLdb"), partial(_mariadb, client="mysqlclient")
    ),
    Warehouse(
        "MariaDB, mysql-connector-python",
        ("airflow.providers.mysql", "mysql.connector"),
        partial(_mariadb, client="mysql-connector-python"),
    ),
    Warehouse("DuckDB", ("airflow.providers.duckdb",), _duckdb),
    Warehouse("Snowflake", ("airflow.providers.snowflake", "fakesnow", "uvicorn"), _snowflake, folds=True),
    Warehouse(
        "Oracle",
        ("airflow.providers.oracle", "duckdb", "sqlglot"),
        _oracle,
        types=("NUMBER(10)", "VARCHAR2(60)", "NUMBER(6, 2)", "DATE", "NUMBER(1)"),
        folds=True,
        sent=("1.5", "2001-02-03 00:00:00"),
    ),
    Warehouse(
        "BigQuery",
        ("airflow.providers.google", "duckdb", "sqlglot"),
        _bigquery,
        types=("INT64", "STRING", "NUMERIC", "DATE", "BOOL"),
        sent=("1.5", "2001-02-03"),
    ),
)


def named(*names: str) -> list[Warehouse]:
    """Return the warehouses of these names."""
    return [each for name in names for each in WAREHOUSES if each.name == name]


def mariadb_processes(command: str) -> list[str]:
    """Return the statements of the other sessions in the tests' database that are doing something, or idle."""
    hook: Any = BaseHook.get_hook("warehouse")
    with closing(hook.get_conn()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(
            "SELECT INFO FROM information_schema.PROCESSLIST"
            f" WHERE COMMAND = '{command}' AND DB = DATABASE() AND ID <> CONNECTION_ID()"
        )
        return [row[0] for row in cursor.fetchall()]
