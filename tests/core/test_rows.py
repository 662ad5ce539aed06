"""Rows of a cursor as dicts."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from types import SimpleNamespace

import pytest

from airflow_provider_envoke.core.rows import column_names, rows_as_dicts
from airflow_provider_envoke.exceptions import EnvokeDataError


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        pytest.param("SELECT 1 AS a, NULL AS B", [{"a": 1, "B": None}], id="names as the database spells them"),
        pytest.param("SELECT 'x' AS a UNION ALL SELECT 'y'", [{"a": "x"}, {"a": "y"}], id="in their order"),
        pytest.param("SELECT 1 AS a WHERE 0", [], id="no rows"),
    ],
)
def test_rows_come_with_their_names(sql: str, expected: list[dict[str, object]]) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        assert rows_as_dicts(connection.execute(sql)) == expected


def test_two_columns_of_one_name_are_refused_rather_than_one_lost() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        cursor = connection.execute("SELECT 1 AS b, 2 AS a, 3 AS a, 4 AS b")

        with pytest.raises(EnvokeDataError, match="more than one column named a, b: give each a name of its own"):
            rows_as_dicts(cursor)


@pytest.mark.parametrize("description", [None, []], ids=["None", "empty"])
def test_a_statement_that_is_no_query_is_refused(description: object) -> None:
    with pytest.raises(EnvokeDataError, match="it has to be a query"):
        column_names(SimpleNamespace(description=description))


def test_a_row_that_does_not_fit_its_columns_raises() -> None:
    cursor = SimpleNamespace(description=[("a",), ("b",)], fetchall=lambda: [(1,)])

    with pytest.raises(ValueError, match="shorter"):
        rows_as_dicts(cursor)
