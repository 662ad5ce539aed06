"""The sandbox answers as the documentation says the service does, over a real socket."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import requests

from airflow_provider_envoke.sandbox.server import _is_loopback
from airflow_provider_envoke.sandbox.thread import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

AUTH = ("sandbox-id", "sandbox-key")
JON = {"id": 1234, "email": "jon@doe.com", "remote_id": "436D-SF92-J4G5", "first_name": "Jon", "city": "Laval"}
ANA = {"id": 2000, "email": "ana@doe.com", "remote_id": "A1", "city": "Québec", "consent_status": "Express"}


@pytest.fixture
def sandbox(envoke_sandbox: Sandbox) -> Sandbox:
    envoke_sandbox.reset([JON, ANA])
    return envoke_sandbox


def call(sandbox: Sandbox, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
    return requests.request(method, sandbox.url + path, json=body, timeout=10, **{"auth": AUTH, **options})


def errors(response: requests.Response) -> list[str]:
    answer = response.json()
    assert (response.status_code, answer["success"]) == (400, False)
    assert answer["result_text"] == "Validation failed, see 'result_data' -> 'errors'"
    found: list[str] = answer["result_data"]["errors"]
    return found


# The curl commands of article 1697196, as printed there; its blanks filled with the sandbox and a contact.
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
def test_the_articles_curl_commands_work(sandbox: Sandbox, command: str, fields: dict[str, str]) -> None:
    if shutil.which("curl") is None:
        assert not os.environ.get("CI"), "curl is missing"
        pytest.skip("curl is not installed")
    command = command.replace("API_ID:API_KEY", ":".join(AUTH)).replace('"/v1', f'"{sandbox.url}/v1')

    done = subprocess.run(["sh", "-c", f"{command} -s"], capture_output=True, text=True, check=True, timeout=30)

    answer = json.loads(done.stdout)
    assert (answer["success"], answer["result_text"], answer["result_data"]["id"]) == (True, "Updated", "1234")
    contact = sandbox.contact(id=1234)
    assert contact is not None
    assert {name: contact[name] for name in fields} == fields


@pytest.mark.parametrize("auth", [None, ("sandbox-id", "wrong"), ("", "")])
def test_wrong_credentials_are_refused(sandbox: Sandbox, auth: Any) -> None:
    response = call(sandbox, "GET", "/v1/settings", auth=auth)

    assert (response.status_code, response.json()["success"]) == (401, False)


def test_the_settings_name_the_account(sandbox: Sandbox) -> None:
    assert call(sandbox, "GET", "/v1/settings").json() == {"id": 1, "name": "Sandbox account"}


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/v1/contacts/999999", {"city": "X"}, "Item with id '999999' not found"),
        ("/v1/contacts", {"email": "no@doe.com"}, "Item with email 'no@doe.com' not found"),
        ("/v1/contacts?keyfield=remote_id", {"remote_id": "X"}, "Item with remote_id 'X' not found"),
        ("/v1/contacts/42", {"id": 43}, "Provided 'id': 42 does not match 'id' in request body (43)"),
        ("/v1/contacts/1234", {}, "Request body may not be empty"),
        ("/v1/contacts/1234", {"consent_status": "Yes"}, "Invalid 'consent_status': 'Yes'"),
        ("/v1/contacts/1234", {"consent_status": "express"}, "'consent_description' is required"),
        ("/v1/contacts/1234", {"autoresponders": {"Hello": "Set"}}, "'autoresponders' need a consent status"),
        ("/v1/contacts/1234", {"custom_fields": {"a b": "1"}}, "Invalid custom field name 'a b'"),
        ("/v1/contacts/1234", {"interests": {"News": "maybe"}}, "must be 'Set' or 'Unset'"),
        ("/v1/contacts/1234", {"email": "ANA@doe.com"}, "already exists"),
    ],
)
def test_a_refused_update_says_why_and_changes_nothing(
    sandbox: Sandbox, path: str, body: dict[str, Any], message: str
) -> None:
    before = sandbox.contacts

    (error,) = errors(call(sandbox, "PATCH", path, body))

    assert message in error
    assert sandbox.contacts == before


def test_custom_fields_and_tags_are_merged(sandbox: Sandbox) -> None:
    call(sandbox, "PATCH", "/v1/contacts/1234", {"custom_fields": {"a": "1"}, "interests": {"News": "SET"}})
    call(sandbox, "PATCH", "/v1/contacts/1234", {"custom_fields": {"b": "2"}, "interests": {"Offers": "set"}})
    call(sandbox, "PATCH", "/v1/contacts/1234", {"interests": {"News": "unset"}})

    contact = sandbox.contact(id=1234)
    assert contact is not None
    assert (contact["custom_fields"], contact["interests"]) == ({"a": "1", "b": "2"}, ["Offers"])


def test_what_the_documentation_does_not_forbid_is_stored(sandbox: Sandbox) -> None:
    body = {
        "first_name": "x" * 500,
        "nickname": "J",
        "consent_status": "Implied: No Expiry",
        "consent_description": "f",
    }

    answer = call(sandbox, "PATCH", "/v1/contacts/1234", body).json()

    assert answer["result_data"]["first_name"] == "x" * 500
    assert answer["result_data"]["consent_status"] == "Implied - No Expiry"


def test_creating_needs_an_address_that_nobody_has(sandbox: Sandbox) -> None:
    created = call(sandbox, "POST", "/v1/contacts", {"email": "new@doe.com"}).json()

    assert (created["result_text"], created["result_data"]["id"]) == ("Created", "2001")
    assert errors(call(sandbox, "POST", "/v1/contacts", {"email": "JON@doe.com"})) == [
        "Contact with email 'JON@doe.com' already exists"
    ]
    assert errors(call(sandbox, "POST", "/v1/contacts", {"city": "X"})) == ["'email' is required"]


def test_an_upsert_updates_what_is_there_and_creates_what_is_not(sandbox: Sandbox) -> None:
    first = call(sandbox, "POST", "/v1/contacts?upsert=1", {"email": "Jon@doe.com", "city": "Lévis"}).json()
    second = call(sandbox, "POST", "/v1/contacts?upsert=1", {"email": "new@doe.com"}).json()

    assert (first["result_text"], first["result_data"]["id"]) == ("Updated", "1234")
    assert second["result_text"] == "Created"
    assert len(sandbox.contacts) == 3


def test_without_the_duplicate_check_contacts_may_share_an_address() -> None:
    with Sandbox([JON, ANA], duplicate_check=False) as sandbox:
        assert call(sandbox, "PATCH", "/v1/contacts/2000", {"email": "jon@doe.com"}).json()["success"]

        updated = call(sandbox, "PATCH", "/v1/contacts", {"email": "jon@doe.com", "city": "X"}).json()

        assert updated["result_data"]["id"] == "1234"


@pytest.fixture(scope="module")
def crowd() -> Iterator[Sandbox]:
    people = [{"email": f"P{number:03}@doe.com", "city": "A" if number % 2 else "B"} for number in range(250)]
    people[7]["interests"] = ["News"]  # type: ignore[assignment]
    with Sandbox(people) as running:
        yield running


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", list(range(1, 11))),
        ("limit=3", [1, 2, 3]),
        ("limit=2&skip=248", [249, 250]),
        ("limit=2&sort[id]=ASC", [1, 2]),
        ("limit=2&sort[email]=DESC", [250, 249]),
        ("filter[email]=p004@DOE.com", [5]),
        ("filter[id]=7", [7]),
        ("filter[email][$in][]=p001@doe.com&filter[email][$in][]=P000@doe.com", [1, 2]),
        ("filter[id][$gt]=248", [249, 250]),
        ("filter[id][$gte]=2&filter[id][$lt]=4", [2, 3]),
        ("filter[id][$lte]=2&filter[city][$ne]=A", [1]),
        ("filter[email][$regex]=^p00[12]@", [2, 3]),
        ("filter[$or][0][id]=3&filter[$or][1][email]=p000@doe.com", [1, 3]),
        ("filter[$and][0][id][$lt]=4&filter[$and][1][city]=A", [2]),
        ("filter[interests]=News", [8]),
        ("filter[id]=7&filter[city]=nowhere", []),
        ("filter[id][$in][]=9999", []),
    ],
)
def test_contacts_are_filtered_sorted_and_paged(crowd: Sandbox, query: str, ids: list[int]) -> None:
    found = call(crowd, "GET", f"/v1/contacts?{query}").json()

    assert [contact["id"] for contact in found] == ids


def test_only_the_fields_asked_for_are_returned(crowd: Sandbox) -> None:
    assert call(crowd, "GET", "/v1/contacts?limit=1&fields=id,city").json() == [{"id": 1, "city": "B"}]


@pytest.mark.parametrize(
    "query",
    ["limit=101", "limit=x", "filter[email][$near]=x", "filter[email][$regex]=(", "filter[email][$in]=x",
     "filter[a][b][c]=1"],
)  # fmt: skip
def test_a_query_that_cannot_be_is_a_validation_error(crowd: Sandbox, query: str) -> None:
    assert errors(call(crowd, "GET", f"/v1/contacts?{query}"))


def test_a_url_of_more_than_8_kb_is_refused(crowd: Sandbox) -> None:
    assert call(crowd, "GET", f"/v1/contacts?filter[email]={'x' * 8200}").status_code == 414


def test_the_lists_of_names_are_id_to_name(crowd: Sandbox) -> None:
    assert call(crowd, "GET", "/v1/interests").json() == {"1": "News"}
    assert call(crowd, "GET", "/v1/customfields").json() == {}


def test_contacts_are_read_with_their_documented_fields(sandbox: Sandbox) -> None:
    (contact,) = call(sandbox, "GET", "/v1/contacts?filter[id]=2000").json()

    assert contact["id"] == 2000
    assert re.fullmatch("[0-9a-f]{32}", contact["external_id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", contact["date_created"])
    assert (contact["interests"], contact["custom_fields"]) == ([], {})


def test_the_admin_calls_tell_and_reset(sandbox: Sandbox) -> None:
    call(sandbox, "PATCH", "/v1/contacts/1234", {"city": "X"})

    stats = requests.get(f"{sandbox.url}/__sandbox__/stats", timeout=10).json()
    kept = requests.get(f"{sandbox.url}/__sandbox__/requests", timeout=10)
    reset = requests.post(f"{sandbox.url}/__sandbox__/reset", json=[ANA], timeout=10).json()

    assert (stats["requests"], stats["by_method"], stats["by_status"]) == (1, {"PATCH": 1}, {"200": 1})
    assert "uthorization" not in kept.text
    assert kept.json()[0]["path"] == "/v1/contacts/1234"
    assert reset == {"contacts": 1}
    assert sandbox.stats["requests"] == 0
    assert requests.post(f"{sandbox.url}/__sandbox__/reset", data="{", timeout=10).status_code == 400


@pytest.mark.parametrize(
    ("address", "local"),
    [("127.0.0.1", True), ("::1", True), ("10.0.0.1", False), ("2001:db8::1", False), (None, False), ("x", False)],
)
def test_only_this_machine_is_let_to_the_page_and_the_admin_calls(address: str | None, local: bool) -> None:
    assert _is_loopback(address) is local


def test_the_page_shows_contacts_and_requests_and_escapes_them(sandbox: Sandbox) -> None:
    call(sandbox, "PATCH", "/v1/contacts/1234?x=<script>", {"first_name": "<script>alert(1)</script>"})

    page = requests.get(f"{sandbox.url}/", timeout=10)

    assert page.headers["content-type"].startswith("text/html")
    assert "<script>" not in page.text
    assert "&lt;script&gt;alert(1)" in page.text
    assert "ana@doe.com" in page.text


def test_its_key_is_not_shown(sandbox: Sandbox) -> None:
    assert "sandbox-key" not in repr(sandbox)
