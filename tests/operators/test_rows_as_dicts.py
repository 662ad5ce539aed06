"""The cursor handler that returns rows as dicts."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.exceptions import EnvokeDataError
from airflow_provider_envoke.operators.envoke import rows_as_dicts

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def database() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        yield connection


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT 1 AS a, NULL AS B UNION ALL SELECT 'y', 2", [{"a": 1, "B": None}, {"a": "y", "B": 2}]),
        ("SELECT 1 AS a WHERE 0", []),
    ],
)
@pytest.mark.parametrize("factory", [None, sqlite3.Row, lambda cursor, row: {"a": row[0], "B": row[1]}])
def test_rows_have_the_names_of_their_columns(
    database: sqlite3.Connection, factory: Any, sql: str, rows: object
) -> None:
    database.row_factory = factory

    assert rows_as_dicts(database.execute(sql)) == rows


def test_two_columns_with_one_name_are_refused(database: sqlite3.Connection) -> None:
    with pytest.raises(EnvokeDataError, match=r"\ba\b"):
        rows_as_dicts(database.execute("SELECT 2 AS a, 3 AS a"))
