"""What is wrong with the columns of a table: all of it at once, by name, with what to do."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_envoke.payload.mapping import FieldMap
from airflow_provider_envoke.payload.table import describe_problems, find_problems

MAP = {"mail": "email", "town": "city"}

# Columns that fit: case -> columns, arguments of FieldMap, key.
FITTING: dict[str, tuple[list[Any], dict[str, Any], str]] = {
    "fields": (["email", "city"], {}, "email"),
    "fields in another case": (["EMAIL", "Interests.News", "CUSTOM_FIELDS.plan"], {}, "email"),
    "an extra field": (["email", "MOBILE"], {}, "email"),
    "the key in static_fields": (["city"], {"static": {"email": "a@b.c"}}, "email"),
    "another key": (["REMOTE_ID"], {}, "remote_id"),
    "a map leaves other columns out": (["MAIL", "Town", "x", "X", "external_id"], {"columns": MAP}, "email"),
    "the key of a map in static_fields": (
        ["town"],
        {"columns": {"town": "city"}, "static": {"id": 7}},
        "id",
    ),
    "a reference": (["email", "MEMBER_ID"], {"reference": ["member_id"]}, "email"),
    "the key is a reference and mapped": (
        ["mail", "town"],
        {"columns": MAP, "reference": ["MAIL"]},
        "email",
    ),
    "unknown columns left out": (["email", "x", "X", "external_id"], {"unknown_columns": "ignore"}, "email"),
}


@pytest.mark.parametrize("case", FITTING)
def test_columns_that_fit_have_no_problems(case: str) -> None:
    columns, arguments, key = FITTING[case]

    problems = find_problems(columns, FieldMap(**arguments), key, ["mobile"])

    assert (problems.unfit, problems.lacking) == ((), ())


# Case -> columns, arguments of FieldMap, key, reasons of what is unfit, (argument, name) of what is lacking, and
# what the message must say.
UNFIT: dict[str, tuple[list[Any], dict[str, Any], str, list[str], list[tuple[str, str]], list[str]]] = {
    "misspelled": (["email", "fist_name"], {}, "email", ["unknown_field"], [], ["fist_name", "mean first_name?"]),
    "misspelled in upper case": (["EMAIL", "FIST_NAME"], {}, "email", ["unknown_field"], [], ["mean first_name?"]),
    "a misspelled extra field": (["email", "mobil"], {}, "email", ["unknown_field"], [], ["mean mobile?"]),
    "a misspelled group": (
        ["email", "custom_field.plan"],
        {},
        "email",
        ["unknown_field"],
        [],
        ["mean custom_fields.plan?"],
    ),
    "read-only": (["email", "External_ID"], {}, "email", ["read_only_field"], [], ["External_ID: read-only"]),
    "a custom field's name": (
        ["email", "custom_fields.x y"],
        {},
        "email",
        ["invalid_name"],
        [],
        ["letters, digits"],
    ),
    "a custom field's name, others left out": (
        ["email", "custom_fields.x y", "other"],
        {"unknown_columns": "ignore"},
        "email",
        ["invalid_name"],
        [],
        ["custom_fields.x y"],
    ),
    "a tag without a name": (["email", "interests. "], {}, "email", ["invalid_name"], [], ["the name is empty"]),
    "no key": (["city"], {}, "email", [], [("keyfield", "email")], ["no column email, the key", "are city"]),
    "a misspelled key": (
        ["emial", "city"],
        {},
        "email",
        ["unknown_field"],
        [("keyfield", "email")],
        ["mean email?", "(is it emial?)"],
    ),
    "a misspelled key, unknown columns left out": (
        ["emial", "city"],
        {"unknown_columns": "ignore"},
        "email",
        [],
        [("keyfield", "email")],
        ["(is it emial?)"],
    ),
    "a key that the reference takes": (
        ["email", "city"],
        {"reference": ["Email"]},
        "email",
        [],
        [("reference", "email")],
        ["reference"],
    ),
    "columns of a map": (
        ["e_mail", "Town2"],
        {"columns": MAP},
        "email",
        [],
        [("field_map", "mail"), ("field_map", "town")],
        ["mail, which field_map maps to email, the key", "town, which", "(is it Town2?)", "e_mail, Town2"],
    ),
    "a reference": (
        ["email", "MEMBERID"],
        {"reference": ["member_id"], "unknown_columns": "ignore"},
        "email",
        [],
        [("reference", "member_id")],
        ["member_id, which reference names (is it MEMBERID?)"],
    ),
    "ambiguous": (["email", "City", "CITY"], {}, "email", ["duplicate_field"], [], ["'City' and 'CITY'"]),
    "everything": (
        ["CITY", "city", "plan", "fist_name", "external_id", "custom_fields.x y"],
        {"reference": ["member_id"]},
        "email",
        ["duplicate_field", "unknown_field", "unknown_field", "read_only_field", "invalid_name"],
        [("keyfield", "email"), ("reference", "member_id")],
        ["'CITY' and 'city'", "plan", "fist_name", "external_id", "member_id", "unknown_columns='ignore'"],
    ),
}


@pytest.mark.parametrize("case", UNFIT)
def test_everything_that_is_wrong_is_named_at_once(case: str) -> None:
    columns, arguments, key, reasons, lacking, words = UNFIT[case]

    problems = find_problems(columns, FieldMap(**arguments), key, ["mobile"])
    text = describe_problems(problems)

    assert [each.reason for each in problems.unfit] == reasons
    assert [(each.argument, each.name) for each in problems.lacking] == lacking
    assert [word for word in words if word not in text] == []
    assert text.isprintable()


def test_the_columns_that_are_left_out_are_known() -> None:
    columns = ["email", "b", "a", "External_ID", None, "jon@example.com"]

    problems = find_problems(columns, FieldMap(unknown_columns="ignore"), "email")

    assert problems.ignored == ("b", "a", "External_ID", "None", "j***@example.com")


def test_a_first_row_that_may_be_unlike_others_is_said_to_be_the_first() -> None:
    problems = find_problems(["fist_name"], FieldMap(), "email")

    assert "The first row has no column email" in describe_problems(problems, of_all_rows=False)
    assert "The rows have no column email" in describe_problems(problems)


def test_a_message_about_a_thousand_columns_is_short() -> None:
    problems = find_problems([f"{number}{'x' * 500}" for number in range(1000)], FieldMap(), "email")

    assert len(describe_problems(problems)) < 5_000
