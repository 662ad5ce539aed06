"""Queries: nested parameters as PHP reads them, operators as MongoDB means them."""

from __future__ import annotations

import pytest

from airflow_provider_envoke.sandbox.filters import FilterError, read_nested, select
from airflow_provider_envoke.sandbox.listing import list_contacts
from airflow_provider_envoke.sandbox.store import ContactStore

PEOPLE = [
    {"id": 2, "email": "bo@doe.com", "city": "Alma", "interests": ["News", "Shop"]},
    {"id": 9, "email": "cy@doe.com", "city": "Laval", "interests": ["News"], "custom_fields": {"plan": "gold"}},
    {"id": 10, "email": "ana@doe.com", "city": "Alma", "consent_status": "Express"},
    {"id": 100, "email": "di@doe.com", "city": None},
]


def ids(*query: tuple[str, str]) -> list[int]:
    return [contact["id"] for contact in list_contacts(ContactStore(PEOPLE), query)]


def test_empty_brackets_count_upwards() -> None:
    query = [("filter[a][$in][]", "x"), ("other[a]", "no"), ("filter[a][$in][]", "y"), ("filter[b]", "z")]

    assert read_nested("filter", query) == {"a": {"$in": {"0": "x", "1": "y"}}, "b": "z"}


def test_ids_are_sorted_as_numbers() -> None:
    assert ids(("sort[id]", "DESC")) == [100, 10, 9, 2]


def test_the_first_sort_weighs_most() -> None:
    assert ids(("sort[city]", "DESC"), ("sort[id]", "DESC")) == [9, 10, 2, 100]
    assert ids(("sort[id]", "ASC"), ("sort[city]", "DESC")) == [2, 9, 10, 100]


def test_the_order_may_be_in_lower_case() -> None:
    assert ids(("sort[email]", "desc")) == [100, 9, 2, 10]


def test_no_value_sorts_before_every_value() -> None:
    assert ids(("sort[city]", "ASC"))[0] == 100


def test_not_equal_on_tags_leaves_out_who_has_the_tag_and_keeps_who_has_none() -> None:
    assert ids(("filter[interests][$ne]", "News")) == [10, 100]


def test_several_operators_on_one_field_must_all_hold() -> None:
    assert ids(("filter[id][$gt]", "2"), ("filter[id][$lt]", "100"), ("filter[id][$ne]", "9")) == [10]


def test_an_index_does_not_hide_the_other_conditions() -> None:
    members = [("filter[email][$in][]", f"{name}@doe.com") for name in ("ana", "bo", "cy")]

    assert ids(*members, ("filter[email][$ne]", "bo@doe.com"), ("filter[city]", "Alma")) == [10]


def test_custom_fields_and_consent_can_be_asked_for() -> None:
    assert ids(("filter[custom_fields.plan]", "gold")) == [9]
    assert ids(("filter[consent_status]", "express")) == [10]


def test_a_long_expression_is_not_cut() -> None:
    assert ids(("filter[email][$regex]", f"{'x' * 300}|^ana@")) == [10]


def test_an_id_that_cannot_be_matches_nobody() -> None:
    assert ids(("filter[id]", "9" * 5_000)) == []
    assert ids(("filter[id][$in][]", "x")) == []


def test_a_page_beyond_the_end_is_empty() -> None:
    assert ids(("skip", "999999999999999999")) == []


@pytest.mark.parametrize(
    "query",
    [
        [("filter[email", "x")],
        [("filter[$and][0]", "x")],
        [("filter[$or][id]", "3")],
        [("filter[$or]", "3")],
        [("filter[email][]", "x")],
        [("filter[id][$in][a][b]", "1")],
        [("filter[id][$gt][x]", "1")],
        [("filter[a]", "1"), ("filter[a][b]", "2")],
        [("filter[email][$regex]", "x{99999999999}")],
        [("filter" + "[$and][0]" * 900, "1")],
        [("limit", "9" * 5_000)],
        [("skip", "9" * 30)],
        [("skip", "-1")],
        [("limit", "")],
    ],
    ids=lambda query: query[-1][0][:30],
)
def test_a_query_without_a_meaning_is_refused_with_a_message(query: list[tuple[str, str]]) -> None:
    with pytest.raises(FilterError, match=r"."):
        ids(*query)


def test_an_index_answers_without_looking_at_everybody() -> None:
    store = ContactStore(PEOPLE)
    store.contacts = {number: store.contacts[number] for number in (2,)}

    assert [contact["id"] for contact in select(store, {"email": "bo@doe.com"})] == [2]
    with pytest.raises(KeyError):  # the index was asked, not the contacts that are left
        list(select(store, {"email": "ana@doe.com"}))
