"""Names of columns, and rows of every type that database drivers return."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict, UserDict, namedtuple
from contextlib import closing
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy

from airflow_provider_envoke.exceptions import EnvokeDataError
from airflow_provider_envoke.payload.columns import column_names, row_as_dict

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ["EMAIL", "keys"]  # the second one hides a method of some row types
VALUES = ("a@b.c", None)
ROW = dict(zip(NAMES, VALUES, strict=True))
Named = namedtuple("Named", NAMES)


class OdbcRow:
    """Like pyodbc's rows: a sequence that is not registered as one."""

    def __getitem__(self, index: int) -> Any:
        return VALUES[index]

    def __len__(self) -> int:
        return len(VALUES)


class BigQueryRow(OdbcRow):
    """Like rows of BigQuery's client: their values by position and by name."""

    def __getitem__(self, key: Any) -> Any:
        return VALUES[key] if isinstance(key, int) else ROW[key]

    def keys(self) -> Any:
        return ROW.keys()


class DictRow(list[Any]):
    """Like rows of psycopg2's ``DictCursor``: a list with names."""

    def keys(self) -> Iterator[str]:
        return iter(NAMES)


class KeyedRow:
    """A row that has nothing but names: it is iterated by name, as a dict is."""

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)

    def __getitem__(self, name: str) -> Any:
        return ROW[name]

    def keys(self) -> list[str]:
        return NAMES


def row_of_sqlite() -> sqlite3.Row:
    with closing(sqlite3.connect(":memory:")) as database:
        database.row_factory = sqlite3.Row
        row: sqlite3.Row = database.execute("SELECT ? AS EMAIL, ? AS keys", VALUES).fetchone()
        return row


def row_of_sqlalchemy() -> Any:
    engine = sqlalchemy.create_engine("sqlite://")
    with closing(engine.connect()) as connection:
        row = connection.execute(sqlalchemy.text("SELECT 'a@b.c' AS EMAIL, NULL AS keys")).fetchone()
    engine.dispose()
    return row


NAMED_ROWS = {
    "dict": dict(ROW),
    "dict of RealDictCursor or DictCursor": OrderedDict(ROW),
    "mapping": UserDict(ROW),
    "read-only mapping": MappingProxyType(ROW),
    "named tuple": Named(*VALUES),
    "sqlite3.Row": row_of_sqlite(),
    "SQLAlchemy's row": row_of_sqlalchemy(),
    "SQLAlchemy's mapping": row_of_sqlalchemy()._mapping,
    "BigQuery's row": BigQueryRow(),
    "row with keys only": KeyedRow(),
}
ROWS = {**NAMED_ROWS, "tuple": VALUES, "list": [*VALUES], "list with names": DictRow(VALUES), "pyodbc": OdbcRow()}


@pytest.mark.parametrize("kind", ROWS)
def test_a_row_of_a_cursor_becomes_a_dict(kind: str) -> None:
    assert row_as_dict(ROWS[kind], NAMES) == ROW


@pytest.mark.parametrize("kind", NAMED_ROWS)
def test_a_row_that_has_names_needs_no_cursor(kind: str) -> None:
    assert row_as_dict(NAMED_ROWS[kind]) == ROW


@pytest.mark.parametrize("row", ["ab", b"ab", bytearray(b"ab"), {"a", "b"}, 7, None, iter(VALUES)], ids=repr)
def test_what_is_no_row_is_refused_by_its_type(row: object) -> None:
    for names in (NAMES, None):
        with pytest.raises(EnvokeDataError, match=type(row).__name__):
            row_as_dict(row, names)


@pytest.mark.parametrize("row", [VALUES, [*VALUES], OdbcRow()], ids=lambda row: type(row).__name__)
def test_values_without_names_are_refused_by_their_type(row: object) -> None:
    with pytest.raises(EnvokeDataError, match=f"{type(row).__name__}, which has no column names") as caught:
        row_as_dict(row)

    assert VALUES[0] not in str(caught.value)


@pytest.mark.parametrize("row", [("a@b.c",), ["a@b.c"], (*VALUES, 1)], ids=repr)
def test_a_row_that_does_not_fit_its_columns_is_never_cut(row: Any) -> None:
    with pytest.raises(ValueError, match="argument"):
        row_as_dict(row, NAMES)


def test_names_are_those_of_the_database() -> None:
    assert column_names(SimpleNamespace(description=[("EMAIL", None), ("email", None)])) == ["EMAIL", "email"]


def test_two_columns_with_one_name_are_refused() -> None:
    with pytest.raises(EnvokeDataError, match=r"\ba, b\b"):
        column_names(SimpleNamespace(description=[("b",), ("a",), ("a",), ("b",), ("c",)]))


@pytest.mark.parametrize("description", [None, []])
def test_a_statement_that_is_not_a_query_is_refused(description: object) -> None:
    with pytest.raises(EnvokeDataError, match="SELECT"):
        column_names(SimpleNamespace(description=description))
