"""The requests of the Contacts API, as values."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_envoke.envoke.fields import resolve_key
from airflow_provider_envoke.envoke.requests import (
    PAGE_SIZE,
    ContactPages,
    Request,
    account,
    create_contact,
    create_missing,
    find_contacts,
    update_contact,
)
from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeDataError, EnvokeError

HOSTILE_IDS = [
    "../", "1/../2", "1?x", "1#", "1\r\n", "1%2f", " 1", "-1", -1, "0", 0, "1.5", 1.5, "1e3", True, False,
    4_294_967_296, "4294967296", 1e30, "", "٣", "abc", b"1", [1], {"id": 1}, float("inf"), 10**5000,
]  # fmt: skip

BY_EMAIL = {"email": "a@b.c", "city": "x"}
BY_REMOTE_ID = {"remote_id": "r", "email": "a@b.c"}


def expected_key(keyfield: str | None, contact_id: int | None, payload: dict[str, Any]) -> object:
    """The rule of article 1697196, written a second time: the id, then the email, unless keyfield is given."""
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
def test_the_key_is_resolved(keyfield: str | None, contact_id: int | None, payload: dict[str, Any]) -> None:
    expected = expected_key(keyfield, contact_id, payload)

    if isinstance(expected, tuple):
        assert resolve_key(payload, contact_id, keyfield) == expected
        assert update_contact({**payload, "city": "x"}, contact_id=contact_id, keyfield=keyfield).method == "PATCH"
    else:
        with pytest.raises(expected):  # type: ignore[call-overload]
            resolve_key(payload, contact_id, keyfield)


@pytest.mark.parametrize(
    ("payload", "arguments", "expected", "fragment"),
    [
        ({}, {"keyfield": "phone"}, EnvokeConfigError, "'id' or 'email' or 'remote_id'"),
        ({}, {"keyfield": ""}, EnvokeConfigError, "keyfield"),
        ({}, {"contact_id": 7, "keyfield": "email"}, EnvokeConfigError, "keyfield='email'"),
        ({"id": "8"}, {"contact_id": "7"}, EnvokeDataError, "contact_id"),
        ({"city": "x"}, {"keyfield": "id"}, EnvokeDataError, "contact_id"),
        ({"remote_id": "r"}, {}, EnvokeDataError, "keyfield='remote_id'"),
        ({"email": " "}, {"keyfield": "email"}, EnvokeDataError, "email"),
        ({"email": "a@b.c"}, {"contact_id": float("nan")}, EnvokeDataError, "contact_id"),
        ({"email": {"$ne": "marker"}}, {}, EnvokeDataError, "email"),
        ({"remote_id": ["marker"]}, {"keyfield": "remote_id"}, EnvokeDataError, "remote_id"),
        ({"email": True}, {}, EnvokeDataError, "email"), (["marker"], {}, EnvokeDataError, "payload"),
    ],
    ids=str,
)  # fmt: skip
def test_an_invalid_key_is_refused_by_name(
    payload: Any, arguments: dict[str, Any], expected: type[EnvokeError], fragment: str
) -> None:
    with pytest.raises(expected) as caught:
        resolve_key(payload, **arguments)

    assert fragment in str(caught.value)
    assert "marker" not in str(caught.value)


@pytest.mark.parametrize("same", [7, "7", 7.0], ids=repr)
def test_the_same_id_twice_is_one_id(same: object) -> None:
    assert resolve_key({"id": 7}, same) == ("id", 7)


@pytest.mark.parametrize(
    ("payload", "arguments", "target", "body"),
    [
        ({"city": "x"}, {"contact_id": 7}, "/v1/contacts/7", {"city": "x"}),
        ({"id": 7, "city": "x"}, {}, "/v1/contacts/7", {"city": "x"}),
        ({"id": 7, "email": "a@b.c"}, {}, "/v1/contacts/7", {"email": "a@b.c"}),
        (BY_EMAIL, {}, "/v1/contacts", BY_EMAIL),
        ({"id": 7, **BY_EMAIL}, {"keyfield": "email"}, "/v1/contacts", BY_EMAIL),
        (BY_REMOTE_ID, {"keyfield": "remote_id"}, "/v1/contacts?keyfield=remote_id", BY_REMOTE_ID),
    ],
    ids=str,
)
def test_an_update_has_one_of_three_forms(
    payload: dict[str, Any], arguments: dict[str, Any], target: str, body: dict[str, Any]
) -> None:
    request = update_contact(payload, **arguments)

    assert (request.method, request.target, request.body) == ("PATCH", target, body)
    assert (request.expects, request.idempotent) == ("envelope", True)
    assert request.path_template == ("/v1/contacts/{id}" if "/7" in target else "/v1/contacts")


@pytest.mark.parametrize(("key", "value"), [("id", 7), ("email", "a@b.c"), ("remote_id", "r")])
def test_a_key_alone_is_nothing_to_update(key: str, value: object) -> None:
    with pytest.raises(EnvokeDataError, match=key):
        update_contact({"id": 7, key: value}, keyfield=key)


@pytest.mark.parametrize("hostile", HOSTILE_IDS, ids=[f"id-{number}" for number in range(len(HOSTILE_IDS))])
@pytest.mark.parametrize("where", ["contact_id", "payload"])
def test_a_hostile_id_never_reaches_a_path(where: str, hostile: object) -> None:
    payload = {"city": "x", **({"id": hostile} if where == "payload" else {})}

    with pytest.raises(EnvokeDataError, match=rf"{where}.* 4294967295"):
        update_contact(payload, contact_id=hostile if where == "contact_id" else None)


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.binary()))
def test_an_id_in_a_path_is_a_number_in_range(contact_id: object) -> None:
    try:
        request = update_contact({"city": "x"}, contact_id=contact_id)
    except EnvokeError:
        return
    number = request.path.removeprefix("/v1/contacts/")
    assert number.isascii()
    assert number.isdigit()
    assert 1 <= int(number) <= 4_294_967_295


@pytest.mark.parametrize(("upsert", "target"), [(False, "/v1/contacts"), (True, "/v1/contacts?upsert=1")])
def test_only_an_upsert_may_be_sent_twice(upsert: bool, target: str) -> None:
    payload = {"email": "a@b.c", "remote_id": "r"}

    request = create_contact(payload, upsert=upsert)

    assert (request.method, request.target, request.body) == ("POST", target, payload)
    assert request.idempotent is upsert
    assert create_contact(payload) == create_contact(payload, upsert=False)


@pytest.mark.parametrize(("keyfield", "upsert"), [("email", True), ("remote_id", False), ("id", False)])
def test_a_missing_contact_is_created_without_its_id_and_never_over_another(keyfield: Any, upsert: bool) -> None:
    request = create_missing({"id": 7, **BY_REMOTE_ID}, keyfield)

    assert request == create_contact(BY_REMOTE_ID, upsert=upsert)


@pytest.mark.parametrize(
    "payload", [{}, {"email": ""}, {"email": " "}, {"email": None}, {"id": 7}, {"email": ["a@b.c"]}], ids=str
)
def test_a_contact_without_an_address_is_not_created(payload: dict[str, Any]) -> None:
    with pytest.raises(EnvokeDataError, match="email"):
        create_contact(payload)


def test_the_account_is_asked_for_by_its_settings() -> None:
    assert account() == Request("GET", "/v1/settings", "/v1/settings", expects="object")


def test_a_request_does_not_show_values() -> None:
    marked = {"id": 4711, "email": "marker", "city": "marker"}
    shown = repr([update_contact(marked), find_contacts({"email": "marker"}), create_contact(marked)])

    assert "marker" not in shown
    assert "4711" not in shown


def test_the_body_is_ascii_json_and_a_get_has_none() -> None:
    assert update_contact({"id": 7, "city": "Zoë"}).content() == b'{"city": "Zo\\u00eb"}'
    assert account().content() is None


RECURSIVE: list[Any] = []
RECURSIVE.append(RECURSIVE)


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), b"marker", {"marker"}, object, "marker\ud800", RECURSIVE], ids=ascii
)
def test_a_value_that_json_cannot_represent_is_refused_and_not_shown(value: object) -> None:
    with pytest.raises(EnvokeDataError, match="JSON") as caught:
        update_contact({"id": 7, "city": value}).content()

    assert "marker" not in str(caught.value)
    assert caught.value.__context__ is None


def pages_of(total: int) -> list[dict[str, str]]:
    """Read a search with so many hits; return the parameters of each request."""
    contacts = [{"id": number} for number in range(total)]
    pages = ContactPages({"city": "x"}, fields=["id"], sort={"email": "DESC"})
    read: list[dict[str, Any]] = []
    asked = []
    while pages.request:
        asked.append(dict(pages.request.params))
        skip = int(asked[-1].get("skip", "0"))
        read += pages.take(contacts[skip : skip + PAGE_SIZE])
    assert read == contacts
    return asked


@pytest.mark.parametrize(
    ("total", "skips"),
    [
        pytest.param(0, [0], id="an empty page is the last"),
        pytest.param(1, [0], id="a short page is the last"),
        pytest.param(99, [0], id="one less than a page"),
        pytest.param(100, [0, 100], id="a full page is followed by an empty one"),
        pytest.param(101, [0, 100], id="one more than a page"),
        pytest.param(300, [0, 100, 200, 300], id="an exact multiple"),
    ],
)
def test_pages_are_asked_for_until_one_is_short(total: int, skips: list[int]) -> None:
    asked = pages_of(total)

    assert [int(each.pop("skip", "0")) for each in asked] == skips
    assert all(
        each == {"limit": "100", "sort[email]": "DESC", "fields": "id", "filter[city]": "x"} for each in asked
    )


def test_an_invalid_search_is_refused_before_the_first_page() -> None:
    with pytest.raises(EnvokeConfigError, match="empty"):
        ContactPages({"email": {"$in": []}})
