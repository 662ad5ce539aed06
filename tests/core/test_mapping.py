"""Which column goes into which field."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_envoke.core.mapping import FieldMap
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeDataError


def test_without_a_map_every_column_goes_into_its_field_and_static_values_win() -> None:
    fields = FieldMap(static={"country": "CA"})

    assert fields.apply({"email": "a@b.c", "country": "US"}) == {"email": "a@b.c", "country": "CA"}


def test_a_map_renames_points_into_groups_and_leaves_other_columns_out() -> None:
    fields = FieldMap({"MAIL": "email", "PLAN": "custom_fields.plan"}, {"interests.News": True})

    row = {"MAIL": "a@b.c", "PLAN": None, "SECRET": "x"}

    assert fields.apply(row) == {"email": "a@b.c", "custom_fields.plan": None, "interests.News": True}


def test_the_row_is_not_changed() -> None:
    row = {"email": "a@b.c"}

    FieldMap(static={"city": "Rome"}).apply(row)

    assert row == {"email": "a@b.c"}


@pytest.mark.parametrize(
    ("columns", "static", "twice"),
    [
        pytest.param({"a": "email", "b": "email"}, {}, "'email'", id="two columns"),
        pytest.param({"a": "city"}, {"city": "Rome"}, "'city'", id="column and static"),
        pytest.param({"a": "x", "b": "x", "c": "e"}, {"e": 1}, "'e', 'x'", id="all at once"),
    ],
)
def test_a_field_with_two_sources_is_refused(columns: dict[str, str], static: dict[str, Any], twice: str) -> None:
    with pytest.raises(EnvokeConfigError, match=f"fill {twice} more than once"):
        FieldMap(columns, static)


def test_missing_columns_are_all_named_with_those_that_are_there_but_no_values() -> None:
    fields = FieldMap({"mail": "email", "City": "city", "PLAN": "title"})

    with pytest.raises(EnvokeDataError) as caught:
        fields.apply({"MAIL": "marker", "PLAN": "marker"})

    message = str(caught.value)
    assert "no column 'mail', 'City', which field_map names; it has 'MAIL', 'PLAN'." in message
    assert "upper case" in message
    assert "marker" not in message


def test_an_empty_row_lacks_every_column() -> None:
    with pytest.raises(EnvokeDataError, match="no column 'a'"):
        FieldMap({"a": "email"}).apply({})
