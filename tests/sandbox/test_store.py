"""The sandbox's contacts: what they may hold at the start, and how a write changes them."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_envoke.sandbox.store import ContactStore, read_contacts
from tests.support.sandbox import ANA, JON


def test_contacts_are_ordered_by_id_and_a_new_one_gets_the_next_id() -> None:
    store = ContactStore([ANA, JON])

    assert list(store.contacts) == [1234, 2000]
    assert store.create({"email": "c@x"})["id"] == 2001


def test_a_write_does_not_change_read_only_fields() -> None:
    store = ContactStore([JON])
    before = dict(store.contacts[1234])
    read_only = {"id": 77, "external_id": "0" * 32, "date_created": "1999-01-01 00:00:00"}

    store.update(store.contacts[1234], read_only)
    created = store.create({"email": "b@x", **read_only})

    assert store.contacts[1234] == before
    assert all(created[name] != value for name, value in read_only.items())


def test_after_a_key_is_changed_the_contact_is_found_by_the_new_one_only() -> None:
    store = ContactStore([JON])

    store.update(store.contacts[1234], {"email": "new@x", "remote_id": "R2"})

    assert store.find("email", "NEW@X") is store.find("remote_id", "R2") is store.contacts[1234]
    assert store.find("email", "jon@doe.com") is store.find("remote_id", "436D-SF92-J4G5") is None


@pytest.mark.parametrize("value", ["", "0", "-1", "1.0", "x", "²", "9" * 5_000])
def test_an_invalid_id_finds_no_contact(value: str) -> None:
    assert ContactStore([{"id": 1, "email": "a@x"}]).find("id", value) is None


def test_of_several_contacts_with_an_address_the_lowest_id_is_found_and_may_keep_it() -> None:
    store = ContactStore([{"email": "ana@doe.com"}, {"email": "ana@doe.com"}])

    assert store.find("email", "ana@doe.com") is store.contacts[1]
    assert not store.find_errors({"email": "ANA@doe.com", "city": "Laval"}, store.contacts[1])


@pytest.mark.parametrize("empty", [None, [], {}])
def test_empty_groups_can_be_read_and_merged_into(empty: Any) -> None:
    store = ContactStore([{"email": "a@x", "custom_fields": empty, "interests": empty}])
    assert (store.contacts[1]["custom_fields"], store.contacts[1]["interests"]) == ({}, [])

    store.update(store.contacts[1], {"custom_fields": {"a": "1"}, "interests": {"News": "Set"}})

    assert (store.contacts[1]["custom_fields"], store.contacts[1]["interests"]) == ({"a": "1"}, ["News"])


@pytest.mark.parametrize(
    ("wrong", "fragment"),
    [
        *(({"id": value}, "id") for value in (1, "x", 0.5, -1, True, float("inf"), 4_294_967_296, [1])),
        ({"consent_status": "Maybe"}, "consent"), ({"consent_status": 5}, "consent"),
        ({"interests": "News"}, "interests"), ({"interests": 5}, "interests"),
        ({"custom_fields": "x"}, "custom_fields"), ({"custom_fields": ["x"]}, "custom_fields"),
        ("ana@doe.com", "contact 2"), (None, "contact 2"),
    ],
    ids=str,
)  # fmt: skip
def test_an_invalid_contact_raises_and_changes_nothing(wrong: Any, fragment: str) -> None:
    store = ContactStore([{"id": 5, "email": "stays@x"}])

    with pytest.raises(ValueError, match=fragment) as caught:
        store.replace([{"id": 1, "email": "secret@x"}, wrong])

    assert "secret@x" not in str(caught.value)
    assert list(store.contacts) == [5]
    assert store.find("email", "stays@x") is store.contacts[5]
    assert store.create({"email": "next@x"})["id"] == 6


@pytest.mark.parametrize("content", ["", "{", "{}", "null", '"x"', "[" * 200_000, b"\xff\xfe[", '[{"id": NaN}]'])
def test_content_that_is_not_a_json_list_raises(content: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_contacts(content)


def test_a_file_written_on_windows_is_read() -> None:
    assert read_contacts(b'\xef\xbb\xbf[{"email": "zo\xc3\xa9@x"}]') == [{"email": "zoé@x"}]
