"""The cursor handler that returns rows as dicts."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from types import SimpleNamespace
from typing import TYPE_CHECKING

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
def test_rows_have_the_names_of_their_columns(database: sqlite3.Connection, sql: str, rows: object) -> None:
    assert rows_as_dicts(database.execute(sql)) == rows


def test_two_columns_with_one_name_are_rejected(database: sqlite3.Connection) -> None:
    with pytest.raises(EnvokeDataError, match=r"\ba, b\b"):
        rows_as_dicts(database.execute("SELECT 1 AS b, 2 AS a, 3 AS a, 4 AS b"))


@pytest.mark.parametrize("description", [None, []])
def test_a_statement_that_is_not_a_query_is_rejected(description: object) -> None:
    with pytest.raises(EnvokeDataError, match="SELECT"):
        rows_as_dicts(SimpleNamespace(description=description))


def test_a_row_that_does_not_fit_its_columns_raises() -> None:
    cursor = SimpleNamespace(description=[("a",), ("b",)], fetchall=lambda: [(1,)])

    with pytest.raises(ValueError, match="shorter"):
        rows_as_dicts(cursor)
