"""
A stand-in for python-oracledb's connections, backed by DuckDB: it has the peculiarities that matter to a sync.

From the documentation of Oracle and of python-oracledb: unquoted names are upper case; an empty text is null; a
``DATE`` has a time; a ``NUMBER`` is an int if its scale is 0, and otherwise a float, or a ``Decimal`` with
``oracledb.defaults.fetch_decimals``; a description has seven items; a semicolon at the end is an error;
``Connection.cancel`` ends the statement under way.
"""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import oracledb
import sqlglot
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers

if TYPE_CHECKING:
    from pathlib import Path


def connector_of(path: Path) -> Any:
    """Return what replaces ``oracledb.connect``: each call opens a connection to a DuckDB file."""
    return lambda **parameters: Connection(duckdb.connect(path))


class Connection:
    def __init__(self, database: duckdb.DuckDBPyConnection) -> None:
        self.autocommit = False
        self._database = database

    def cursor(self) -> Cursor:
        return Cursor(self._database)

    def commit(self) -> None:
        """Do nothing: DuckDB commits each statement."""

    def rollback(self) -> None:
        """Do nothing: DuckDB commits each statement."""

    def cancel(self) -> None:
        self._database.interrupt()

    def close(self) -> None:
        self._database.close()


class Cursor:
    """A cursor. A connection has one statement under way, as python-oracledb's connections have."""

    def __init__(self, database: duckdb.DuckDBPyConnection) -> None:
        self.arraysize = 100
        self.rowcount = -1
        self.description: list[tuple[Any, ...]] | None = None
        self._cursor = database

    def execute(self, statement: str, parameters: Any = None) -> Cursor:
        if statement.rstrip().endswith(";"):
            raise oracledb.DatabaseError("ORA-00933: SQL command not properly ended")
        parsed = normalize_identifiers(sqlglot.parse_one(statement, read="oracle"), dialect="oracle")
        self._cursor.execute(parsed.sql(dialect="duckdb", identify=True), parameters)
        columns = self._cursor.description if isinstance(parsed, sqlglot.exp.Query) else None
        self.description = columns and [(column[0], *[None] * 5, True) for column in columns]
        return self

    def fetchone(self) -> tuple[Any, ...] | None:
        return next(iter(self.fetchmany(1)), None)

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        return [tuple(map(_fetched, row)) for row in self._cursor.fetchmany(size or self.arraysize)]

    def fetchall(self) -> list[tuple[Any, ...]]:
        return [tuple(map(_fetched, row)) for row in self._cursor.fetchall()]

    def close(self) -> None:
        """Do nothing: the connection closes the database."""


def _fetched(value: Any) -> Any:
    match value:
        case "":
            return None
        case Decimal() if oracledb.defaults.fetch_decimals:
            return value.normalize()
        case Decimal():
            return int(value) if value.as_tuple().exponent == 0 else float(value)
        case datetime.date() if not isinstance(value, datetime.datetime):
            return datetime.datetime.combine(value, datetime.time())
    return value
