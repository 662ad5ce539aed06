"""The requests that Envoke takes, as values."""

from __future__ import annotations

import itertools
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_envoke.core.protocol import (
    MAX_URL_BYTES,
    Request,
    account,
    create_contact,
    find_contacts,
    resolve_key,
    update_contact,
)
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeDataError, EnvokeError

HOSTILE_IDS = [
    "../", "1/../2", "1?x", "1#", "1\r\n", "1%2f", " 1", "-1", -1, "0", 0, "1.5", 1.5, "1e3", True, False,
    4_294_967_296, "4294967296", 1e30, "", "٣", "abc", b"1", [1], {"id": 1}, float("inf"), 10**5000,
]  # fmt: skip


def expected_key(keyfield: str | None, contact_id: int | None, payload: dict[str, Any]) -> object:
    """The rule of article 1697196, written down a second time: the id, then the e-mail, unless told otherwise."""
    if contact_id and keyfield in ("email", "remote_id"):
        return EnvokeConfigError
    if contact_id and "id" in payload and contact_id != payload["id"]:
        return EnvokeDataError
    number = contact_id or payload.get("id")
    key = keyfield or ("id" if number else "email")
    value = number if key == "id" else payload.get(key)
    return (key, value) if value else EnvokeDataError


CASES = [
    (keyfield, contact_id, {**number, **email, **remote_id})
    for keyfield, contact_id, number, email, remote_id in itertools.product(
        (None, "id", "email", "remote_id"),
        (None, 7),
        ({}, {"id": 7}, {"id": 8}),
        ({}, {"email": ""}, {"email": "a@b.c"}),
        ({}, {"remote_id": ""}, {"remote_id": "r"}),
    )
]


@pytest.mark.parametrize(("keyfield", "contact_id", "payload"), CASES, ids=str)
def test_the_key_is_decided(keyfield: str | None, contact_id: int | None, payload: dict[str, Any]) -> None:
    expected = expected_key(keyfield, contact_id, payload)

    if isinstance(expected, tuple):
        assert resolve_key(payload, contact_id, keyfield) == expected
        assert update_contact({**payload, "city": "x"}, contact_id=contact_id, keyfield=keyfield).method == "PATCH"
    else:
        with pytest.raises(expected):  # type: ignore[call-overload]
            resolve_key(payload, contact_id, keyfield)


@pytest.mark.parametrize(
    ("payload", "arguments", "words"),
    [
        pytest.param({}, {"keyfield": "phone"}, "keyfield has to be 'id' or 'email' or 'remote_id'", id="unknown"),
        pytest.param({}, {"keyfield": ""}, "keyfield has to be", id="empty keyfield"),
        pytest.param({}, {"contact_id": 7, "keyfield": "email"}, "contradict each other", id="contradiction"),
        pytest.param({"id": 8}, {"contact_id": 7}, "two different ids", id="two ids"),
        pytest.param({"id": "8"}, {"contact_id": "7"}, "two different ids", id="two ids as text"),
        pytest.param({"city": "x"}, {"keyfield": "id"}, "neither contact_id nor the payload's id", id="no id"),
        pytest.param({"remote_id": "r"}, {}, "say keyfield='remote_id'", id="remote id without keyfield"),
        pytest.param({"email": " "}, {"keyfield": "email"}, "email is missing or empty", id="blank email"),
        pytest.param({"email": "a@b.c"}, {"contact_id": float("nan")}, "contact_id is null", id="contact_id nan"),
    ],
)
def test_a_key_that_cannot_be_is_explained(payload: dict[str, Any], arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(EnvokeError) as caught:
        resolve_key(payload, **arguments)

    assert words in str(caught.value)


@pytest.mark.parametrize("same", [7, "7", 7.0], ids=repr)
def test_the_same_id_twice_is_one_id(same: object) -> None:
    assert resolve_key({"id": 7}, same) == ("id", 7)


@pytest.mark.parametrize(
    ("payload", "arguments", "target", "body"),
    [
        pytest.param({"city": "x"}, {"contact_id": 7}, "/v1/contacts/7", {"city": "x"}, id="by contact_id"),
        pytest.param({"id": 7, "city": "x"}, {}, "/v1/contacts/7", {"city": "x"}, id="by the payload's id"),
        pytest.param({"id": 7, "email": "a@b.c"}, {}, "/v1/contacts/7", {"email": "a@b.c"}, id="a new address"),
        pytest.param(
            {"email": "a@b.c", "city": "x"}, {}, "/v1/contacts", {"email": "a@b.c", "city": "x"}, id="by e-mail"
        ),
        pytest.param(
            {"id": 7, "email": "a@b.c", "city": "x"},
            {"keyfield": "email"},
            "/v1/contacts",
            {"email": "a@b.c", "city": "x"},
            id="by e-mail the id is no part of the body",
        ),
        pytest.param(
            {"remote_id": "r", "email": "a@b.c"},
            {"keyfield": "remote_id"},
            "/v1/contacts?keyfield=remote_id",
            {"remote_id": "r", "email": "a@b.c"},
            id="by remote id",
        ),
    ],
)
def test_an_update_has_one_of_three_forms(
    payload: dict[str, Any], arguments: dict[str, Any], target: str, body: dict[str, Any]
) -> None:
    request = update_contact(payload, **arguments)

    assert (request.method, request.target, request.body) == ("PATCH", target, body)
    assert (request.expects, request.idempotent) == ("envelope", True)
    assert request.path_template == ("/v1/contacts/{id}" if "/7" in target else "/v1/contacts")


@pytest.mark.parametrize(
    ("payload", "keyfield"),
    [
        ({"id": 7}, None),
        ({"email": "a@b.c"}, None),
        ({"id": 7, "email": "a@b.c"}, "email"),
        ({"remote_id": "r"}, "remote_id"),
    ],
    ids=str,
)
def test_a_key_alone_is_nothing_to_update(payload: dict[str, Any], keyfield: str | None) -> None:
    with pytest.raises(EnvokeDataError, match="nothing to update besides its key"):
        update_contact(payload, keyfield=keyfield)


@pytest.mark.parametrize("hostile", HOSTILE_IDS, ids=[f"id-{number}" for number in range(len(HOSTILE_IDS))])
@pytest.mark.parametrize("where", ["contact_id", "payload"])
def test_a_hostile_id_never_reaches_a_path(where: str, hostile: object) -> None:
    payload = {"city": "x", **({"id": hostile} if where == "payload" else {})}

    with pytest.raises(EnvokeDataError, match="whole number from 1 to 4294967295"):
        update_contact(payload, contact_id=hostile if where == "contact_id" else None)


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.binary()))
def test_a_path_holds_nothing_but_digits(contact_id: object) -> None:
    try:
        request = update_contact({"city": "x"}, contact_id=contact_id)
    except EnvokeError:
        return
    number = request.path.removeprefix("/v1/contacts/")
    assert number.isascii()
    assert number.isdigit()
    assert 1 <= int(number) <= 4_294_967_295


@pytest.mark.parametrize(
    ("upsert", "target"), [(False, "/v1/contacts"), (True, "/v1/contacts?upsert=1")], ids=["create", "upsert"]
)
def test_only_an_upsert_may_be_sent_twice(upsert: bool, target: str) -> None:
    payload = {"email": "a@b.c", "remote_id": "r"}

    request = create_contact(payload, upsert=upsert)

    assert (request.method, request.target, request.body) == ("POST", target, payload)
    assert request.idempotent is upsert


@pytest.mark.parametrize("payload", [{}, {"email": ""}, {"email": " "}, {"email": None}, {"id": 7}], ids=str)
def test_no_contact_is_created_without_an_address(payload: dict[str, Any]) -> None:
    with pytest.raises(EnvokeDataError, match="without an email"):
        create_contact(payload)


def test_the_account_is_asked_for_by_its_settings() -> None:
    assert account() == Request("GET", "/v1/settings", "/v1/settings", expects="object")


@pytest.mark.parametrize(
    "request_",
    [
        update_contact({"id": 4711, "city": "marker"}),
        find_contacts({"email": "marker"}),
        create_contact({"email": "marker"}),
    ],
    ids=["update", "find", "create"],
)
def test_a_request_does_not_show_values(request_: Request) -> None:
    assert "marker" not in repr(request_)
    assert "4711" not in repr(request_)


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
        pytest.param(
            {"a": "1", "b": "2"}, {"skip": 100}, [("filter[a]", "1"), ("filter[b]", "2")], id="two, skip"
        ),
        pytest.param({}, {"fields": ["id", "email"]}, [("fields", "id,email")], id="fields"),
    ],
)
def test_a_filter_is_spelt_the_way_php_reads_it(
    filters: dict[str, Any], arguments: dict[str, Any], query: list[tuple[str, str]]
) -> None:
    request = find_contacts(filters, **arguments)

    skip = [("skip", str(arguments["skip"]))] if "skip" in arguments else []
    read = parse_qsl(urlsplit(request.target).query, strict_parsing=True)
    assert read == [("limit", "100"), *skip, ("sort[id]", "ASC"), *query]
    assert (request.method, request.path, request.expects) == ("GET", "/v1/contacts", "list")
    assert not set(request.target) & set(" []$@ü#+\r\n")


def test_another_order_takes_the_place_of_the_ids() -> None:
    assert find_contacts({}, sort={"email": "DESC"}).params == (("limit", "100"), ("sort[email]", "DESC"))


@pytest.mark.parametrize(
    ("filters", "arguments", "words"),
    [
        pytest.param({"email": {"$in": []}}, {}, "every contact would match", id="an empty list"),
        pytest.param({"email": {}}, {}, "every contact would match", id="an empty object"),
        pytest.param({"$or": [{"id": 1}, {"email": {"$in": ()}}]}, {}, "every contact would match", id="nested"),
        pytest.param({"email": None}, {}, "not NoneType", id="null"),
        pytest.param({"email": True}, {}, "not bool", id="bool"),
        pytest.param({"email": 1.5}, {}, "not float", id="float"),
        pytest.param({"email": "a\ud800"}, {}, "lone surrogate", id="lone surrogate"),
        pytest.param({"email": "a\0"}, {}, "NUL", id="NUL"),
        pytest.param({"email]&x[": "a"}, {}, "not the name of a field", id="hostile name"),
        pytest.param(
            {"email": {"$in&": ["a"]}}, {}, "not the name of a field or an operator", id="hostile operator"
        ),
        pytest.param({7: "a"}, {}, "'7' is not the name", id="a number for a name"),
        pytest.param({}, {"fields": ["id,x"]}, "'id,x' is not the name", id="hostile field"),
        pytest.param({}, {"fields": "email"}, "fields has to be a list", id="a text for fields"),
        pytest.param({}, {"sort": {"id": "asc"}}, "ASC or DESC, not 'asc'", id="order"),
        pytest.param({}, {"sort": {"id\n": "ASC"}}, r"'id\n' is not", id="order of a hostile name"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_refused(
    filters: dict[Any, Any], arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(EnvokeConfigError) as caught:
        find_contacts(filters, **arguments)

    assert words in str(caught.value)


def test_a_url_is_no_longer_than_its_limit_after_encoding() -> None:
    spare = MAX_URL_BYTES - len(find_contacts({"email": ""}).target)

    longest = find_contacts({"email": "@" * (spare // 3)})

    assert MAX_URL_BYTES - 3 < len(longest.target) <= MAX_URL_BYTES
    with pytest.raises(EnvokeConfigError, match=f"the limit is {MAX_URL_BYTES}"):
        find_contacts({"email": "@" * (spare // 3 + 1)})


def test_the_body_is_ascii_json_and_a_get_has_none() -> None:
    assert update_contact({"id": 7, "city": "Zoë"}).content() == b'{"city": "Zo\\u00eb"}'
    assert account().content() is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"marker", {"marker"}, object], ids=str)
def test_what_json_cannot_carry_is_refused_without_its_value(value: object) -> None:
    with pytest.raises(EnvokeDataError, match="JSON cannot carry") as caught:
        update_contact({"id": 7, "city": value}).content()

    assert "marker" not in str(caught.value)
    assert caught.value.__context__ is None
