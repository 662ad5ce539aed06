"""Search filters, as query parameters."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from airflow_provider_envoke.envoke.requests import MAX_URL_BYTES, find_contacts
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeDataError

ENDLESS: dict[str, Any] = {}
ENDLESS["$or"] = [ENDLESS]


@pytest.mark.parametrize(
    ("filters", "arguments", "query"),
    [
        ({}, {}, []),
        ({"email": "a+b@c.d&x=1"}, {}, [("filter[email]", "a+b@c.d&x=1")]),
        ({"id": 7}, {}, [("filter[id]", "7")]),
        ({"email": {"$in": ["a@b", "ü#"]}}, {}, [("filter[email][$in][]", "a@b"), ("filter[email][$in][]", "ü#")]),
        ({"$or": [{"city": "x"}, {"id": {"$gt": 7}}]}, {},
         [("filter[$or][0][city]", "x"), ("filter[$or][1][id][$gt]", "7")]),
        ({"a": "1", "b": "2"}, {}, [("filter[a]", "1"), ("filter[b]", "2")]),
        ({}, {"fields": ["id", "email"]}, [("fields", "id,email")]),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("skip", [0, 100])
def test_a_filter_is_written_the_way_php_reads_it(
    filters: dict[str, Any], arguments: dict[str, Any], query: list[tuple[str, str]], skip: int
) -> None:
    request = find_contacts(filters, **arguments, skip=skip)

    skipped = [("skip", "100")] if skip else []
    read = parse_qsl(urlsplit(request.target).query, strict_parsing=True)
    assert read == [("limit", "100"), *skipped, ("sort[id]", "ASC"), *query]
    assert (request.method, request.path, request.expects) == ("GET", "/v1/contacts", "list")
    assert not set(request.target) & set(" []$@ü#+\r\n")


def test_another_order_replaces_the_ids() -> None:
    assert find_contacts({}, sort={"email": "DESC"}).params == (("limit", "100"), ("sort[email]", "DESC"))


@pytest.mark.parametrize(
    ("filters", "arguments", "fragment"),
    [
        ({"email": {"$in": []}}, {}, "filter[email][$in]"), ({"email": {}}, {}, "filter[email]"),
        ({"$or": [{"id": 1}, {"email": {"$in": ()}}]}, {}, "[email][$in]"),
        ({"email": None}, {}, "NoneType"), ({"email": True}, {}, "bool"), ({"email": 1.5}, {}, "float"),
        ({"email": "a\ud800"}, {}, "surrogate"), ({"email": "a\0"}, {}, "NUL"), ({7: "a"}, {}, "'7'"),
        ({"email]&x[": "a"}, {}, "'email]&x['"), ({"email": {"$in&": ["a"]}}, {}, "'$in&'"),
        ({}, {"fields": ["id,x"]}, "'id,x'"), ({}, {"fields": "email"}, "fields"),
        ({}, {"fields": 5}, "fields"), ({}, {"sort": {"id": "asc"}}, "'asc'"), ({}, {"sort": ["id"]}, "sort"),
        ({}, {"sort": {"id\n": "ASC"}}, r"'id\n'"), ({"email": "@" * MAX_URL_BYTES}, {}, str(MAX_URL_BYTES)),
        (ENDLESS, {}, "nested"), ("city", {}, "filters"),
    ],
    ids=lambda value: ascii(value)[:40],
)  # fmt: skip
def test_an_invalid_filter_is_refused(filters: Any, arguments: dict[str, Any], fragment: str) -> None:
    with pytest.raises((EnvokeConfigError, EnvokeDataError)) as caught:
        find_contacts(filters, **arguments)

    assert fragment in str(caught.value)


def test_the_length_of_the_url_counts_after_encoding() -> None:
    spare = MAX_URL_BYTES - len(find_contacts({"email": ""}).target)

    longest = find_contacts({"email": "@" * (spare // 3)})

    assert MAX_URL_BYTES - 3 < len(longest.target) <= MAX_URL_BYTES
    with pytest.raises(EnvokeConfigError):
        find_contacts({"email": "@" * (spare // 3 + 1)})
