"""The documented contact fields."""

from __future__ import annotations

import pytest

from airflow_provider_envoke.envoke.fields import (
    CONTACT_FIELDS,
    describe_unknown_field,
    is_known_field,
    nearest_field,
)


def test_the_lengths_are_those_of_article_1697226() -> None:
    assert {name: field.max_length for name, field in CONTACT_FIELDS.items() if field.max_length} == {
        "email": 60, "remote_id": 60, "first_name": 20, "last_name": 20, "title": 50, "company": 50, "phone": 25,
        "address_1": 100, "address_2": 100, "city": 20, "province": 50, "country": 50, "postal_code": 15,
        "website": 255, "language": 2, "consent_description": 65_535,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "known"),
    [
        *((name, True) for name in ("city", "id", "interests", "custom_fields.plan", "interests.a.b", "mobile")),
        *((name, False) for name in ("City", "CITY", "fax", "", "custom_fields.", "custom_fields. ", "city.a")),
        *((name, False) for name in ("external_id", "date_created")),
    ],
)
def test_a_field_is_known_if_documented_or_listed_as_extra(name: str, known: bool) -> None:
    assert is_known_field(name, ["mobile", "external_id", "date_created"]) is known


@pytest.mark.parametrize(
    ("name", "fragment"),
    [
        ("EMAIL", "named email"), (" City ", "named city"), (" City ", "field_map"), ("external_id", "read-only"),
        ("mobile", "extra_fields"), ("mobile", "custom_fields.NAME"), (None, "extra_fields"),
        ("fist_name", "mean first_name?"), ("FirstName", "mean first_name?"), ("faxx", "mean Fax?"),
        ("custom_field.plan", "mean custom_fields.plan?"), ("intrests.News", "mean interests.News?"),
        ("first_nam\n", "mean first_name?"),
    ],
)  # fmt: skip
def test_an_unknown_field_comes_with_what_to_write(name: object, fragment: str) -> None:
    assert fragment in describe_unknown_field(name, ["Fax"])


@pytest.mark.parametrize(
    "name", ["plan", "member_id", "a.b", "custom_fields.", "", "e" * 1_000_000, "email" * 20, 7]
)
def test_no_field_is_suggested_for_a_name_that_is_not_near_one(name: object) -> None:
    assert nearest_field(name) == ""


def test_an_address_in_a_name_is_masked_in_a_suggestion() -> None:
    assert "jon" not in describe_unknown_field("custom_field.jon@example.com")
