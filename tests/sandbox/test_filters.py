"""Queries of contacts: filters nested as in PHP, operators as in MongoDB, order and pages."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from airflow_provider_envoke.sandbox.filters import FilterError, read_nested, select
from airflow_provider_envoke.sandbox.listing import list_contacts
from airflow_provider_envoke.sandbox.store import ContactStore

CONTACTS = [
    {"id": 2, "email": "bo@doe.com", "city": "Alma", "interests": ["News", "Shop"]},
    {"id": 9, "email": "cy@doe.com", "city": "Laval", "interests": ["News"], "custom_fields": {"plan": "gold"}},
    {"id": 10, "email": "Ana@doe.com", "city": "Alma", "consent_status": "Express"},
    {"id": 100, "email": "di@doe.com", "city": None},
]
IN_THREE = "&".join(f"filter[email][$in][]={name}@doe.com" for name in ("ANA", "bo", "cy"))


def listed_ids(query: str, store: ContactStore | None = None) -> list[int]:
    found = list_contacts(store or ContactStore(CONTACTS), parse_qsl(query, keep_blank_values=True))
    return [contact["id"] for contact in found]


def test_empty_brackets_are_numbered() -> None:
    query = [("filter[a][$in][]", "x"), ("other[a]", "no"), ("filter[a][$in][]", "y"), ("filter[b]", "z")]

    assert read_nested("filter", query) == {"a": {"$in": {"0": "x", "1": "y"}}, "b": "z"}


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("sort[id]=ASC", [2, 9, 10, 100]), ("sort[id]=DESC", [100, 10, 9, 2]),
        ("sort[email]=desc", [100, 9, 2, 10]), ("sort[city]=DESC&sort[id]=DESC", [9, 10, 2, 100]),
        ("sort[id]=ASC&sort[city]=DESC", [2, 9, 10, 100]),
        ("sort[city]=ASC", [100, 2, 10, 9]),  # a contact without a city comes first
        ("filter[email]=BO@doe.com", [2]), ("filter[id]=9", [9]), ("filter[id]=9&filter[city]=nowhere", []),
        ("filter[id]=" + "9" * 5_000, []), ("filter[id][$in][]=x&filter[id][$in][]=9999", []),
        ("filter[id][$gt]=2&filter[id][$lt]=100&filter[id][$ne]=9", [10]),
        ("filter[id][$gte]=9&filter[id][$lte]=10", [9, 10]), ("filter[email][$regex]=^.[no]a?@", [2, 10]),
        (f"filter[email][$regex]={'x' * 300}|^ana@", [10]),
        ("filter[$or][0][id]=2&filter[$or][1][email]=di@doe.com", [2, 100]),
        ("filter[$and][0][id][$lt]=100&filter[$and][1][city]=Alma", [2, 10]),
        ("filter[interests]=Shop", [2]),
        ("filter[interests][$ne]=News", [10, 100]),  # no tag may be equal
        ("filter[custom_fields.plan]=gold", [9]), ("filter[consent_status]=express", [10]),
        (IN_THREE, [2, 9, 10]),
        (f"{IN_THREE}&filter[email][$ne]=bo@doe.com&filter[city]=Alma", [10]),  # conditions without an index count
    ],
)  # fmt: skip
def test_contacts_are_filtered_and_sorted(query: str, ids: list[int]) -> None:
    assert listed_ids(query) == ids


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", range(1, 11)), ("limit=3", range(1, 4)), ("limit=100&skip=50", range(51, 151)),
        ("limit=2&skip=148&sort[id]=ASC", range(149, 151)), ("skip=" + "9" * 18, ()),
    ],
)  # fmt: skip
def test_contacts_are_paged(query: str, ids: range) -> None:
    store = ContactStore({"email": f"p{number}@doe.com"} for number in range(150))

    assert listed_ids(query, store) == list(ids)


@pytest.mark.parametrize(
    "query",
    [
        "filter[email=x", "filter[$and][0]=x", "filter[$or][id]=3", "filter[$or]=3", "filter[email][]=x",
        "filter[email][$near]=x", "filter[email][$in]=x", "filter[id][$in][a][b]=1", "filter[id][$gt][x]=1",
        "filter[a][b][c]=1", "filter[a]=1&filter[a][b]=2", "filter[email][$regex]=(",
        "filter[email][$regex]=x{99999999999}", "filter" + "[$and][0]" * 900 + "=1", "limit=101", "limit=x",
        "limit=", "limit=" + "9" * 5_000, "skip=" + "9" * 30, "skip=-1",
    ],
    ids=lambda query: query[:40],
)  # fmt: skip
def test_an_invalid_query_raises(query: str) -> None:
    with pytest.raises(FilterError, match=r"."):
        listed_ids(query)


def test_a_key_is_found_by_its_index_and_not_by_searching_all_contacts() -> None:
    store = ContactStore(CONTACTS)
    store.contacts = {2: store.contacts[2]}

    assert [contact["id"] for contact in select(store, {"email": "bo@doe.com"})] == [2]
    with pytest.raises(KeyError):  # the index still has the contact
        list(select(store, {"email": "ana@doe.com"}))
