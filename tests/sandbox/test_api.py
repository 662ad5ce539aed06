"""The sandbox answers the API's calls as Envoke documents them, over a real socket."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.sandbox.thread import Sandbox
from tests.support.sandbox import ANA, AUTH, JON, call

if TYPE_CHECKING:
    import requests


def errors(response: requests.Response) -> list[str]:
    answer = response.json()
    assert (response.status_code, answer["success"]) == (400, False)
    assert answer["result_text"] == "Validation failed, see 'result_data' -> 'errors'"
    found: list[str] = answer["result_data"]["errors"]
    return found


# The curl commands of article 1697196 as printed there, apart from the URL and the id of the contact.
PATCH = "curl -X PATCH -u API_ID:API_KEY -d "
CURLS = [
    (PATCH + r'"{\"province\":\"MB\",\"city\":\"Winnipeg\"}" "/v1/contacts/1234"',
     {"province": "MB", "city": "Winnipeg"}),
    (PATCH + r'"{\"email\":\"jon@doe.com\",\"first_name\":\"UPDATED\"}" "/v1/contacts"',
     {"first_name": "UPDATED"}),
    (PATCH + r'"{\"remote_id\":\"436D-SF92-J4G5\", \"email\":\"new@doe.com\",\"first_name\":\"John\"}"'
     ' "/v1/contacts?keyfield=remote_id"',
     {"email": "new@doe.com", "first_name": "John"}),
]  # fmt: skip


@pytest.mark.parametrize(("command", "fields"), CURLS, ids=["by id", "by email", "by remote_id"])
def test_the_documented_curl_commands_work(sandbox: Sandbox, command: str, fields: dict[str, str]) -> None:
    if shutil.which("curl") is None:
        assert not os.environ.get("CI"), "curl is missing"
        pytest.skip("curl is not installed")
    command = command.replace("API_ID:API_KEY", ":".join(AUTH)).replace('"/v1', f'"{sandbox.url}/v1')

    done = subprocess.run(["sh", "-c", f"{command} -s"], capture_output=True, text=True, check=True, timeout=30)

    answer = json.loads(done.stdout)
    assert (answer["success"], answer["result_text"], answer["result_data"]["id"]) == (True, "Updated", "1234")
    assert {name: sandbox.contacts[0][name] for name in fields} == fields


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/contacts/1234/", {}), ("/v1/contacts/", {"id": 1234}), ("/v1/contacts/1234", {"id": None}),
        ("/v1/contacts/1234", {"id": ""}),
        ("/v1/contacts", {"id": None, "email": "JON@doe.com"}),
        ("/v1/contacts", {"id": 1234, "email": "new@doe.com"}),
    ],
)  # fmt: skip
def test_an_update_finds_its_contact(sandbox: Sandbox, path: str, body: dict[str, Any]) -> None:
    answer = call(sandbox, "PATCH", path, {**body, "city": "Alma"}).json()

    assert (answer["success"], answer["result_data"]["id"]) == (True, "1234")
    assert sandbox.contacts[0]["city"] == "Alma"
    assert sandbox.contacts[0]["email"] == body.get("email", "jon@doe.com")


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/v1/contacts/999999", {"city": "X"}, "Item with id '999999' not found"),
        (f"/v1/contacts/{'1' * 5_000}", {"city": "X"}, "not found"),
        ("/v1/contacts", {"email": "no@doe.com"}, "Item with email 'no@doe.com' not found"),
        ("/v1/contacts?keyfield=remote_id", {"remote_id": "X"}, "Item with remote_id 'X' not found"),
        ("/v1/contacts?keyfield=phone", {"phone": "1"}, "'phone'"),
        ("/v1/contacts", {"city": "X"}, "'email' is required"),
        ("/v1/contacts/42", {"id": 43}, "Provided 'id': 42 does not match 'id' in request body (43)"),
        ("/v1/contacts/1234", {}, "may not be empty"),
        ("/v1/contacts/1234", {"consent_status": "Yes"}, "Invalid 'consent_status'"),
        ("/v1/contacts/1234", {"consent_status": "express"}, "'consent_description' is required"),
        ("/v1/contacts/1234", {"autoresponders": {"Hello": "Set"}}, "'autoresponders'"),
        ("/v1/contacts/1234", {"custom_fields": {"a b": "1"}}, "'a b'"),
        ("/v1/contacts/1234", {"custom_fields": ["a"]}, "'custom_fields'"),
        ("/v1/contacts/1234", {"interests": ["News"]}, "'interests'"),
        ("/v1/contacts/1234", {"interests": {"News": "maybe"}}, "'Set' or 'Unset'"),
        ("/v1/contacts/1234", {"email": "ANA@doe.com"}, "already exists"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_an_invalid_update_is_rejected_and_changes_nothing(
    sandbox: Sandbox, path: str, body: dict[str, Any], message: str
) -> None:
    before = sandbox.contacts

    (error,) = errors(call(sandbox, "PATCH", path, body))

    assert message in error
    assert sandbox.contacts == before


@pytest.mark.parametrize("body", ["[" * 200_000, '{"city": NaN}', "\xff", "[]", '"x"', "7", "{'a': 1}"])
def test_a_body_that_is_not_a_json_object_is_rejected(sandbox: Sandbox, body: str) -> None:
    (error,) = errors(call(sandbox, "PATCH", "/v1/contacts/1234", data=body.encode("latin-1")))

    assert "not a JSON object" in error


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", "/v1/contacts1"), ("PATCH", "/v1/contacts/1/2"), ("PATCH", "/v1/contactsfoo"),
        ("DELETE", "/v1/contacts"), ("PUT", "/v1/contacts/1234"), ("GET", "/v1/unknown"),
    ],
)  # fmt: skip
def test_a_call_that_does_not_exist_gets_404_and_changes_nothing(sandbox: Sandbox, method: str, path: str) -> None:
    before = sandbox.contacts

    response = call(sandbox, method, path, {"city": "Alma"})

    assert (response.status_code, response.json()["success"]) == (404, False)
    assert sandbox.contacts == before


def test_custom_fields_and_tags_are_merged(sandbox: Sandbox) -> None:
    call(sandbox, "PATCH", "/v1/contacts/1234", {"custom_fields": {"a": "1"}, "interests": {"News": "SET"}})
    call(sandbox, "PATCH", "/v1/contacts/1234", {"custom_fields": {"b": "2"}, "interests": {"Offers": "set"}})
    call(sandbox, "PATCH", "/v1/contacts/1234", {"interests": {"News": "unset"}})

    contact = sandbox.contacts[0]
    assert (contact["custom_fields"], contact["interests"]) == ({"a": "1", "b": "2"}, ["Offers"])
    assert call(sandbox, "GET", "/v1/customfields").json() == {"1": "a", "2": "b"}
    assert call(sandbox, "GET", "/v1/interests").json() == {"1": "Offers"}


def test_what_the_documentation_does_not_forbid_is_stored(sandbox: Sandbox) -> None:
    stored = {"first_name": "x" * 500, "nickname": "J", "consent_status": "Implied - No Expiry"}
    body = {**stored, "consent_status": "Implied: No Expiry", "consent_description": "f"}

    answer = call(sandbox, "PATCH", "/v1/contacts/1234", {**body, "autoresponders": {"Hi": "Set"}}).json()

    assert stored.items() <= answer["result_data"].items()


def test_a_new_contact_needs_an_address_that_no_other_contact_has(sandbox: Sandbox) -> None:
    created = call(sandbox, "POST", "/v1/contacts", {"email": "new@doe.com"}).json()

    assert (created["result_text"], created["result_data"]["id"]) == ("Created", "2001")
    assert "already exists" in errors(call(sandbox, "POST", "/v1/contacts", {"email": "JON@doe.com"}))[0]
    assert "required" in errors(call(sandbox, "POST", "/v1/contacts", {"city": "X"}))[0]


def test_an_upsert_updates_an_existing_contact_and_creates_a_missing_one(sandbox: Sandbox) -> None:
    first = call(sandbox, "POST", "/v1/contacts?upsert=1", {"email": "Jon@doe.com", "city": "Lévis"}).json()
    second = call(sandbox, "POST", "/v1/contacts?upsert=1", {"email": "new@doe.com"}).json()

    assert (first["result_text"], first["result_data"]["id"]) == ("Updated", "1234")
    assert second["result_text"] == "Created"
    assert len(sandbox.contacts) == 3


def test_without_the_duplicate_check_contacts_may_share_an_address() -> None:
    with Sandbox([JON, ANA], duplicate_check=False) as sandbox:
        assert call(sandbox, "PATCH", "/v1/contacts/2000", {"email": "jon@doe.com"}).json()["success"]


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/v1/settings", {"id": 1, "name": "Sandbox account"}),
        ("/v1/contacts?limit=1&fields=id,city", [{"id": 1234, "city": "Laval"}]),
    ],
)
def test_what_is_asked_for_is_returned(sandbox: Sandbox, path: str, answer: object) -> None:
    assert call(sandbox, "GET", path).json() == answer


def test_an_invalid_query_is_rejected(sandbox: Sandbox) -> None:
    assert "'limit'" in errors(call(sandbox, "GET", "/v1/contacts?limit=101"))[0]


@pytest.mark.parametrize("email", ["a%41@doe.com", "a+b&c=d@doe.com"])
def test_a_filter_value_is_decoded_once(sandbox: Sandbox, email: str) -> None:
    sandbox.reset([{"id": 3, "email": email}])

    assert len(call(sandbox, "GET", "/v1/contacts", params={"filter[email]": email}).json()) == 1


def test_a_contact_is_read_with_its_documented_fields(sandbox: Sandbox) -> None:
    (contact,) = call(sandbox, "GET", "/v1/contacts?filter[id]=2000").json()

    assert contact["id"] == 2000
    assert re.fullmatch("[0-9a-f]{32}", contact["external_id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", contact["date_created"])
    assert (contact["interests"], contact["custom_fields"], contact["phone"]) == ([], {}, "")


# Deleting


def test_a_contact_is_deleted_and_its_id_not_used_again(sandbox: Sandbox) -> None:
    response = call(sandbox, "DELETE", "/v1/contacts/1234")

    answer = response.json()
    assert (response.status_code, answer["success"], answer["result_text"]) == (200, True, "Deleted")
    assert answer["result_data"]["id"] == "1234"
    assert [contact["id"] for contact in sandbox.contacts] == [2000]
    assert call(sandbox, "GET", "/v1/contacts?filter[email]=jon@doe.com").json() == []
    assert call(sandbox, "POST", "/v1/contacts", {"email": "jon@doe.com"}).json()["result_data"]["id"] == "2001"


@pytest.mark.parametrize("number", ["999999", "x", "0", "1234x"])
def test_a_contact_that_does_not_exist_cannot_be_deleted(sandbox: Sandbox, number: str) -> None:
    before = sandbox.contacts

    (error,) = errors(call(sandbox, "DELETE", f"/v1/contacts/{number}"))

    assert error == f"Item with id '{number}' not found"
    assert sandbox.contacts == before


@pytest.mark.parametrize("status", ["Revoked", "External Spam Reported", "Envoke Spam Reported"])
def test_a_contact_who_withdrew_consent_cannot_be_deleted(sandbox: Sandbox, status: str) -> None:
    sandbox.reset([{**JON, "consent_status": status}])

    assert len(errors(call(sandbox, "DELETE", "/v1/contacts/1234"))) == 1
    assert len(sandbox.contacts) == 1


def test_a_deletion_can_get_the_fault_of_its_contact() -> None:
    with Sandbox([JON, ANA], faults_for={"jon@doe.com": "error_500"}) as sandbox:
        statuses = [call(sandbox, "DELETE", f"/v1/contacts/{number}").status_code for number in (1234, 2000)]

    assert statuses == [500, 200]
