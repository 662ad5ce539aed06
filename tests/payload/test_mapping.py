"""Columns mapped to fields."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeDataError
from airflow_provider_envoke.payload.mapping import FieldMap

ROW = {"MAIL": "a@b.c", "PLAN": None, "SECRET": "x"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        pytest.param(FieldMap(), ROW, id="no map: every column, unchanged"),
        pytest.param(
            FieldMap(static={"PLAN": "gold", "country": "CA"}),
            {**ROW, "PLAN": "gold", "country": "CA"},
            id="static values win",
        ),
        pytest.param(
            FieldMap({"MAIL": "email", "PLAN": "custom_fields.plan"}, {"interests.News": True}),
            {"email": "a@b.c", "custom_fields.plan": None, "interests.News": True},
            id="a map renames, fills groups and leaves other columns out",
        ),
    ],
)
def test_a_row_is_mapped_and_not_changed(fields: FieldMap, expected: dict[str, Any]) -> None:
    row = dict(ROW)

    assert fields.apply(row) == expected
    assert row == ROW


@pytest.mark.parametrize(
    ("columns", "static", "fragments"),
    [
        pytest.param({"a": "email", "b": "email"}, {}, ["'email'"], id="two columns"),
        pytest.param({"a": "city"}, {"city": "marker"}, ["'city'"], id="column and static"),
        pytest.param({"a": "x", "b": "x", "c": "e"}, {"e": 1}, ["'e'", "'x'"], id="all at once"),
        pytest.param("{'a': 'marker'}", {}, ["field_map"], id="a rendered dict"),
        pytest.param({}, [("city", "marker")], ["static_fields"], id="pairs"),
        pytest.param({7: "email"}, {}, ["field_map"], id="a column that is a number"),
        pytest.param({"a": None}, {}, ["field_map"], id="a field that is null"),
        pytest.param({}, {None: "marker"}, ["static_fields"], id="a static field without a name"),
    ],
)
def test_an_invalid_map_is_refused(columns: Any, static: Any, fragments: list[str]) -> None:
    with pytest.raises(EnvokeConfigError) as caught:
        FieldMap(columns, static)

    assert all(fragment in str(caught.value) for fragment in fragments)
    assert "marker" not in str(caught.value)


def test_missing_columns_are_all_named_with_the_present_ones_but_no_values() -> None:
    fields = FieldMap({"mail": "email", "City": "city", "PLAN": "title"})

    with pytest.raises(EnvokeDataError) as caught:
        fields.apply({"MAIL": "marker", "PLAN": "marker"})

    assert all(name in str(caught.value) for name in ("'mail', 'City'", "'MAIL', 'PLAN'"))
    assert "marker" not in str(caught.value)


def test_an_empty_row_and_a_row_of_sqlite_may_lack_a_column_too() -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.row_factory = sqlite3.Row
        row = database.execute("SELECT 'marker' AS mail").fetchone()

    for each in ({}, row):
        with pytest.raises(EnvokeDataError, match="'town'"):
            FieldMap({"mail": "email", "town": "city"}).apply(each)
