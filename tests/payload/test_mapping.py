"""Columns mapped to fields."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        fields.apply({"EMAIL": "marker", "PLAN": "marker"})

    assert all(name in str(caught.value) for name in ("'mail', 'City'", "'EMAIL', 'PLAN'"))
    assert "marker" not in str(caught.value)


IGNORED: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    "no field": ({"EMAIL": 1, "member_id": 2, "City": 3}, {"email": 1, "city": 3}),
    "read-only": ({"email": 1, "EXTERNAL_ID": 2, "date_created": 3}, {"email": 1}),
    "twice in another case": (
        {"email": 1, "Note": 2, "NOTE": 3, "external_id": 4, "External_Id": 5},
        {"email": 1},
    ),
    "no name of a field at all": ({"email": 1, "": 2, "city.x": 3, "custom": 4}, {"email": 1}),
    "members of groups stay": (
        {"CUSTOM_FIELDS.plan": 1, "interests.A": 2},
        {"custom_fields.plan": 1, "interests.A": 2},
    ),
    "extra fields stay": ({"MOBILE": 1, "mobil": 2}, {"mobile": 1}),
}


@pytest.mark.parametrize("case", IGNORED)
def test_unknown_columns_can_be_left_out(case: str) -> None:
    row, expected = IGNORED[case]
    fields = FieldMap(unknown_columns="ignore")

    for _ in range(2):  # the second time from memory
        assert fields.apply(row, EXTRA_FIELDS) == expected
    assert {*fields.match([*row], EXTRA_FIELDS).unknown} == {
        name for name, value in row.items() if value not in expected.values()
    }


def test_columns_that_fill_one_field_stay_ambiguous_if_others_are_left_out() -> None:
    with pytest.raises(EnvokeDataError, match="'EMAIL' and 'email'"):
        FieldMap(unknown_columns="ignore").apply({"EMAIL": 1, "email": 2, "note": 3})


@pytest.mark.parametrize("columns", [["MEMBER_ID", "email", "Note"], ["note", "Member_Id", "email"]])
def test_columns_of_the_reference_are_not_sent_in_any_case(columns: list[str]) -> None:
    fields = FieldMap(reference=("member_id", "note"))
    row = {column: f" {column.lower()} of the row " for column in columns}

    assert fields.apply(row) == {"email": row["email"]}
    assert fields.reference_of(row) == {"member_id": "member_id of the row", "note": "note of the row"}


def test_a_column_of_the_reference_is_sent_if_field_map_maps_it() -> None:
    fields = FieldMap({"MAIL": "email", "member_id": "remote_id"}, reference=["member_id", "note"])
    row = {"mail": "a@b.c", "MEMBER_ID": 7, "note": None}

    assert fields.apply(row) == {"email": "a@b.c", "remote_id": 7}
    assert fields.reference_of(row) == {"member_id": "7", "note": ""}


def test_an_empty_row_and_a_row_of_sqlite_may_lack_a_column_too() -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.row_factory = sqlite3.Row
        row = database.execute("SELECT 'marker' AS mail").fetchone()

    for each in ({}, row):
        with pytest.raises(EnvokeDataError, match="'town'"):
            FieldMap({"mail": "email", "town": "city"}).apply(each)


# Names in another case

CASES: dict[str, tuple[FieldMap, list[str], dict[str, str]]] = {
    "fields": (
        FieldMap(),
        ["EMAIL", "First_Name", "city"],
        {"email": "EMAIL", "first_name": "First_Name", "city": "city"},
    ),
    "only the group of a member": (
        FieldMap(),
        ["CUSTOM_FIELDS.Plan", "Interests.NEWS", "autoResponders.x", "custom_fields.plan"],
        {
            "custom_fields.Plan": "CUSTOM_FIELDS.Plan",
            "interests.NEWS": "Interests.NEWS",
            "autoresponders.x": "autoResponders.x",
            "custom_fields.plan": "custom_fields.plan",
        },
    ),
    "a whole group": (
        FieldMap(),
        ["CUSTOM_FIELDS", "Interests"],
        {"custom_fields": "CUSTOM_FIELDS", "interests": "Interests"},
    ),
    "extra fields": (FieldMap(), ["MOBILE", "fax"], {"mobile": "MOBILE", "Fax": "fax"}),
    "an extra field like a documented one": (
        FieldMap(),
        ["EMAIL", "Website"],
        {"email": "EMAIL", "Website": "Website"},
    ),
    "read-only fields": (FieldMap(), ["EXTERNAL_ID"], {"external_id": "EXTERNAL_ID"}),
    "no field": (
        FieldMap(),
        ["SURNAME", "CITY.x", " CITY", ".EMAIL"],
        {"SURNAME": "SURNAME", "CITY.x": "CITY.x", " CITY": " CITY", ".EMAIL": ".EMAIL"},
    ),
    "a map": (
        FieldMap({"mail": "email", "Town": "city"}),
        ["MAIL", "TOWN", "OTHER"],
        {"email": "MAIL", "city": "TOWN"},
    ),
    "a map, exact name first": (FieldMap({"mail": "email"}), ["MAIL", "mail", "Mail"], {"email": "mail"}),
    "a map of names that differ by case": (
        FieldMap({"mail": "email", "MAIL": "title"}),
        ["MAIL", "mail"],
        {"email": "mail", "title": "MAIL"},
    ),
    "a map, unmapped columns differ by case": (
        FieldMap({"mail": "email"}),
        ["mail", "CITY", "city"],
        {"email": "mail"},
    ),
    "a map of names with accents": (FieldMap({"prénom": "first_name"}), ["PRÉNOM"], {"first_name": "PRÉNOM"}),
}
EXTRA_FIELDS = ["mobile", "Fax", "Website"]


@pytest.mark.parametrize("case", CASES)
def test_names_are_matched_without_regard_to_case(case: str) -> None:
    fields, columns, expected = CASES[case]
    row = {column: f"value of {column}" for column in columns}

    assert fields.match(columns, EXTRA_FIELDS).ambiguous is None

    for _ in range(2):  # the second time from memory
        assert fields.apply(row, EXTRA_FIELDS) == {field: row[column] for field, column in expected.items()}


@pytest.mark.parametrize("column", ["city", "CITY", "City"])
def test_a_static_field_wins_over_a_column_of_its_field(column: str) -> None:
    assert FieldMap(static={"city": "Laval"}).apply({"email": "a@b.c", column: "x"}) == {
        "email": "a@b.c",
        "city": "Laval",
    }


def test_a_static_field_leaves_nothing_ambiguous() -> None:
    fields, row = FieldMap(static={"city": "Laval"}), {"City": 1, "CITY": 2}

    assert fields.match([*row]).ambiguous is None

    assert fields.apply(row) == {"city": "Laval"}


AMBIGUOUS: dict[str, tuple[FieldMap, list[str], list[str]]] = {
    "two columns": (FieldMap(), ["EMAIL", "Email"], ["email", "'EMAIL'", "'Email'"]),
    "an exact name and another": (FieldMap(), ["email", "EMAIL"], ["email", "'EMAIL'", "'email'"]),
    "a member twice": (
        FieldMap(),
        ["CUSTOM_FIELDS.plan", "custom_fields.plan"],
        ["custom_fields.plan", "'CUSTOM_FIELDS.plan'"],
    ),
    "an extra field and a documented one": (FieldMap(), ["WEBSITE"], ["WEBSITE", "'website'", "'Website'"]),
    "a name of a map that two columns have": (
        FieldMap({"mail": "email"}),
        ["MAIL", "Mail"],
        ["email", "'mail'", "'MAIL'", "'Mail'"],
    ),
    "two names of a map for one column": (
        FieldMap({"mail": "email", "Mail": "title"}),
        ["MAIL"],
        ["'mail'", "'Mail'", "'MAIL'"],
    ),
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_ambiguous_names_are_refused_before_the_first_row_and_in_each_row(case: str) -> None:
    fields, columns, named = AMBIGUOUS[case]

    before = fields.match(columns, EXTRA_FIELDS).ambiguous
    with pytest.raises(EnvokeDataError) as in_row:
        fields.apply(dict.fromkeys(columns, "marker"), EXTRA_FIELDS)

    assert before is not None
    assert [name for name in named if name not in (before.field + before.message)] == []
    assert [name for name in named if name not in str(in_row.value)] == []
    assert [reason for _, reason, _ in in_row.value.violations] == ["duplicate_field"]
    assert "marker" not in str(in_row.value)


def test_an_exact_column_is_not_taken_by_another_name_too() -> None:
    fields = FieldMap({"email": "email", "EMAIL": "title"})

    matches = fields.match(["EMAIL"])

    assert (matches.ambiguous, matches.missing) == (None, ("email",))
    with pytest.raises(EnvokeDataError, match="lacks columns that field_map uses: 'email'"):
        fields.apply({"EMAIL": "marker"})


def test_rows_may_all_have_different_columns_and_little_is_remembered() -> None:
    fields = FieldMap(static={"city": "Laval"})

    for number in range(1_000):
        assert fields.apply({f"c{number}": 1, "EMAIL": "x"}) == {f"c{number}": 1, "email": "x", "city": "Laval"}

    assert len(fields._remembered) <= 64


@given(
    st.dictionaries(st.text(max_size=3) | st.sampled_from(["city", "CITY", "City", "interests.A"]), st.integers())
)
def test_no_value_is_lost_or_copied_to_two_fields(row: dict[str, int]) -> None:
    try:
        fields = FieldMap().apply(row)
    except EnvokeDataError:
        assert len({name.lower() for name in row}) < len(row)
    else:
        assert sorted(fields.values()) == sorted(row.values())
