"""The cursor handler that returns rows as dicts."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from types import SimpleNamespace

import pytest

from airflow_provider_envoke.exceptions import EnvokeDataError
from airflow_provider_envoke.operators.envoke import rows_as_dicts


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        pytest.param("SELECT 1 AS a, NULL AS B", [{"a": 1, "B": None}], id="names as the database spells them"),
        pytest.param("SELECT 'x' AS a UNION ALL SELECT 'y'", [{"a": "x"}, {"a": "y"}], id="rows in order"),
        pytest.param("SELECT 1 AS a WHERE 0", [], id="no rows"),
    ],
)
def test_rows_have_the_names_of_their_columns(sql: str, expected: list[dict[str, object]]) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        assert rows_as_dicts(connection.execute(sql)) == expected


def test_two_columns_with_one_name_are_rejected() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        cursor = connection.execute("SELECT 1 AS b, 2 AS a, 3 AS a, 4 AS b")

        with pytest.raises(EnvokeDataError, match=r"\ba, b\b"):
            rows_as_dicts(cursor)


@pytest.mark.parametrize("description", [None, []], ids=["None", "empty"])
def test_a_statement_that_is_not_a_query_is_rejected(description: object) -> None:
    with pytest.raises(EnvokeDataError, match="SELECT"):
        rows_as_dicts(SimpleNamespace(description=description))


def test_a_row_that_does_not_fit_its_columns_raises() -> None:
    cursor = SimpleNamespace(description=[("a",), ("b",)], fetchall=lambda: [(1,)])

    with pytest.raises(ValueError, match="shorter"):
        rows_as_dicts(cursor)
