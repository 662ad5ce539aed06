"""The sandbox's contacts: what a seed may hold, and how they change."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_envoke.sandbox.store import ContactStore, read_contacts

SHARED = [{"email": "ana@doe.com"}, {"email": "ana@doe.com"}]


def test_contacts_are_kept_by_id_whatever_the_order_of_the_seed() -> None:
    store = ContactStore([{"id": 9, "email": "b@x"}, {"id": 2, "email": "a@x"}])

    assert list(store.contacts) == [2, 9]
    assert store.create({"email": "c@x"})["id"] == 10


def test_a_seed_keeps_the_dates_and_ids_that_the_service_gave() -> None:
    stored = ContactStore([{"email": "a@x", "date_created": "2020-02-03 04:05:06", "interests": ["News"]}])

    copy = ContactStore(stored.contacts.values())

    assert copy.contacts == stored.contacts
    assert copy.contacts[1]["date_created"] == "2020-02-03 04:05:06"


def test_a_write_cannot_change_what_only_the_service_sets() -> None:
    store = ContactStore([{"id": 1, "email": "a@x"}])
    before = dict(store.contacts[1])
    read_only = {"id": 77, "external_id": "0" * 32, "date_created": "1999-01-01 00:00:00"}

    store.update(store.contacts[1], read_only)
    created = store.create({"email": "b@x", **read_only})

    assert store.contacts[1] == before
    assert created["id"] == 2
    assert created["date_created"] != read_only["date_created"]
    assert created["external_id"] != read_only["external_id"]


def test_a_changed_key_is_found_and_its_old_value_is_not() -> None:
    store = ContactStore([{"id": 1, "email": "a@x", "remote_id": "R1"}])

    store.update(store.contacts[1], {"email": "new@x", "remote_id": "R2"})

    assert store.find("email", "NEW@X") is store.contacts[1]
    assert store.find("remote_id", "R2") is store.contacts[1]
    assert store.find("email", "a@x") is None
    assert store.find("remote_id", "R1") is None


@pytest.mark.parametrize("value", ["", "0", "-1", "1.0", "x", "²", "9" * 5_000])
def test_what_is_no_id_finds_nobody(value: str) -> None:
    assert ContactStore([{"id": 1, "email": "a@x"}]).find("id", value) is None


def test_the_lowest_id_is_found_of_contacts_that_share_an_address() -> None:
    found = ContactStore(SHARED).find("email", "ana@doe.com")

    assert found is not None
    assert found["id"] == 1


def test_an_address_that_stays_is_no_duplicate() -> None:
    store = ContactStore(SHARED)

    assert store.errors({"email": "ANA@doe.com", "city": "Laval"}, store.contacts[2]) == []


def test_an_address_that_comes_to_be_shared_is_a_duplicate_unless_the_check_is_off() -> None:
    contacts = [{"email": "ana@doe.com"}, {"email": "jon@doe.com"}]
    store, lax = ContactStore(contacts), ContactStore(contacts, duplicate_check=False)

    assert store.errors({"email": "ANA@doe.com"}, store.contacts[2])
    assert lax.errors({"email": "ANA@doe.com"}, lax.contacts[2]) == []


@pytest.mark.parametrize("empty", [None, [], {}])
def test_empty_groups_of_a_seed_can_be_read_and_merged_into(empty: Any) -> None:
    store = ContactStore([{"email": "a@x", "custom_fields": empty, "interests": empty}])
    assert (store.contacts[1]["custom_fields"], store.contacts[1]["interests"]) == ({}, [])

    store.update(store.contacts[1], {"custom_fields": {"a": "1"}, "interests": {"News": "Set"}})

    assert (store.contacts[1]["custom_fields"], store.contacts[1]["interests"]) == ({"a": "1"}, ["News"])


def test_a_seed_in_python_is_copied() -> None:
    custom_fields = {"plan": "gold"}
    store = ContactStore([{"email": "a@x", "custom_fields": custom_fields}])

    custom_fields["plan"] = "none"

    assert store.contacts[1]["custom_fields"] == {"plan": "gold"}


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": 1},
        {"id": "x"},
        {"id": 0.5},
        {"id": -1},
        {"id": True},
        {"id": float("inf")},
        {"id": 4_294_967_296},
        {"id": [1]},
        {"consent_status": "Maybe"},
        {"consent_status": 5},
        {"interests": "News"},
        {"interests": 5},
        {"custom_fields": "x"},
        {"custom_fields": ["x"]},
        "ana@doe.com",
        None,
    ],
    ids=str,
)
def test_contacts_that_cannot_be_leave_the_account_as_it_was(wrong: Any) -> None:
    store = ContactStore([{"id": 5, "email": "stays@x"}])

    with pytest.raises(ValueError, match=r"^contact|^two contacts") as caught:
        store.replace([{"id": 1, "email": "secret@x"}, wrong])

    assert "secret@x" not in str(caught.value)
    assert list(store.contacts) == [5]
    assert store.find("email", "stays@x") is store.contacts[5]
    assert store.create({"email": "next@x"})["id"] == 6


@pytest.mark.parametrize("content", ["", "{", "{}", "null", '"x"', "[" * 200_000, b"\xff\xfe[", '[{"id": NaN}]'])
def test_only_a_json_list_is_read_as_contacts(content: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_contacts(content)


def test_a_file_written_on_windows_is_read() -> None:
    assert read_contacts(b'\xef\xbb\xbf[{"email": "zo\xc3\xa9@x"}]') == [{"email": "zoé@x"}]
