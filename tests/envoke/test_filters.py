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
        pytest.param({}, {}, [], id="none"),
        pytest.param({"email": "a+b@c.d&x=1"}, {}, [("filter[email]", "a+b@c.d&x=1")], id="equal"),
        pytest.param({"id": 7}, {}, [("filter[id]", "7")], id="number"),
        pytest.param(
            {"email": {"$in": ["a@b", "ü#"]}},
            {},
            [("filter[email][$in][]", "a@b"), ("filter[email][$in][]", "ü#")],
            id="$in",
        ),
        pytest.param(
            {"$or": [{"city": "x"}, {"id": {"$gt": 7}}]},
            {},
            [("filter[$or][0][city]", "x"), ("filter[$or][1][id][$gt]", "7")],
            id="$or",
        ),
        pytest.param({"a": "1", "b": "2"}, {}, [("filter[a]", "1"), ("filter[b]", "2")], id="two"),
        pytest.param({}, {"fields": ["id", "email"]}, [("fields", "id,email")], id="fields"),
    ],
)
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
        pytest.param({"email": {"$in": []}}, {}, "filter[email][$in]", id="an empty list"),
        pytest.param({"email": {}}, {}, "filter[email]", id="an empty object"),
        pytest.param({"$or": [{"id": 1}, {"email": {"$in": ()}}]}, {}, "[email][$in]", id="nested"),
        pytest.param({"email": None}, {}, "NoneType", id="null"),
        pytest.param({"email": True}, {}, "bool", id="bool"),
        pytest.param({"email": 1.5}, {}, "float", id="float"),
        pytest.param({"email": "a\ud800"}, {}, "surrogate", id="lone surrogate"),
        pytest.param({"email": "a\0"}, {}, "NUL", id="NUL"),
        pytest.param({"email]&x[": "a"}, {}, "'email]&x['", id="hostile name"),
        pytest.param({"email": {"$in&": ["a"]}}, {}, "'$in&'", id="hostile operator"),
        pytest.param({7: "a"}, {}, "'7'", id="a number for a name"),
        pytest.param({}, {"fields": ["id,x"]}, "'id,x'", id="hostile field"),
        pytest.param({}, {"fields": "email"}, "fields", id="a text for fields"),
        pytest.param({}, {"fields": 5}, "fields", id="a number for fields"),
        pytest.param({}, {"sort": {"id": "asc"}}, "'asc'", id="order"),
        pytest.param({}, {"sort": {"id\n": "ASC"}}, r"'id\n'", id="order of a hostile name"),
        pytest.param({"email": "@" * MAX_URL_BYTES}, {}, str(MAX_URL_BYTES), id="too long"),
        pytest.param(ENDLESS, {}, "nested", id="endless"),
        pytest.param("city", {}, "filters", id="a text for filters"),
        pytest.param({}, {"sort": ["id"]}, "sort", id="a list for sort"),
    ],
)
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
