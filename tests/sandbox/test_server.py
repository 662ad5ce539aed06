"""What nobody sends on purpose is answered too, in JSON and without a 500."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import requests
from aiohttp import web

from airflow_provider_envoke.sandbox.server import SandboxServer
from airflow_provider_envoke.sandbox.store import ContactStore
from airflow_provider_envoke.sandbox.thread import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

AUTH = ("sandbox-id", "sandbox-key")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox([{"id": 1, "email": "jon@doe.com"}, {"id": 2, "email": "a%41@doe.com"}]) as running:
        yield running


def call(sandbox: Sandbox, method: str, path: str, **options: Any) -> requests.Response:
    return requests.request(method, sandbox.url + path, timeout=10, **{"auth": AUTH, **options})


@pytest.mark.parametrize("path", ["/v1/contacts1", "/v1/contacts/1/2", "/v1/contactsfoo"])
def test_an_address_that_is_not_of_the_api_writes_nothing(sandbox: Sandbox, path: str) -> None:
    before = sandbox.contacts

    response = call(sandbox, "PATCH", path, json={"city": "Laval"})

    assert (response.status_code, response.json()["success"]) == (404, False)
    assert sandbox.contacts == before


def test_a_slash_at_the_end_is_no_matter(sandbox: Sandbox) -> None:
    assert call(sandbox, "PATCH", "/v1/contacts/1/", json={"city": "Laval"}).json()["success"]
    assert call(sandbox, "PATCH", "/v1/contacts/", json={"id": 1, "city": "Alma"}).json()["success"]


@pytest.mark.parametrize("body", ["[" * 200_000, '{"city": NaN}', "\xff", "[]", '"x"', "7", "{'a': 1}"])
def test_a_body_that_is_no_json_object_is_refused(sandbox: Sandbox, body: str) -> None:
    response = call(sandbox, "PATCH", "/v1/contacts/1", data=body.encode("latin-1"))

    assert response.status_code == 400
    assert response.json()["result_data"]["errors"] == ["Request body is not a JSON object"]


def test_an_id_of_five_thousand_digits_is_not_found(sandbox: Sandbox) -> None:
    response = call(sandbox, "PATCH", f"/v1/contacts/{'1' * 5_000}", json={"city": "Laval"})

    assert response.status_code == 400
    assert "not found" in response.text


@pytest.mark.parametrize("empty", [None, ""])
def test_an_empty_id_in_the_body_does_not_contradict_the_address(sandbox: Sandbox, empty: str | None) -> None:
    assert call(sandbox, "PATCH", "/v1/contacts/1", json={"id": empty, "city": "Laval"}).json()["success"]
    assert sandbox.contacts[0]["city"] == "Laval"


def test_without_an_id_the_address_is_the_key(sandbox: Sandbox) -> None:
    answer = call(sandbox, "PATCH", "/v1/contacts", json={"id": None, "email": "JON@doe.com", "city": "Laval"})

    assert answer.json()["result_data"]["id"] == "1"


def test_the_id_comes_before_the_address(sandbox: Sandbox) -> None:
    call(sandbox, "PATCH", "/v1/contacts", json={"id": 1, "email": "new@doe.com"})

    assert sandbox.contacts[0]["email"] == "new@doe.com"


def test_a_percent_sign_in_a_filter_is_decoded_once(sandbox: Sandbox) -> None:
    found = call(sandbox, "GET", "/v1/contacts", params={"filter[email]": "a%41@doe.com"}).json()

    assert [contact["id"] for contact in found] == [2]


def test_a_plus_and_an_ampersand_in_a_filter_are_kept(sandbox: Sandbox) -> None:
    sandbox.reset([{"id": 3, "email": "a+b&c=d@doe.com"}])

    found = call(sandbox, "GET", "/v1/contacts", params={"filter[email]": "a+b&c=d@doe.com"}).json()

    assert [contact["id"] for contact in found] == [3]


@pytest.mark.parametrize("query", ["filter[email", "filter[$and][0]=x", "filter[$or][id]=3"])
def test_a_query_without_a_meaning_is_a_validation_error(sandbox: Sandbox, query: str) -> None:
    response = call(sandbox, "GET", f"/v1/contacts?{query}")

    assert response.status_code == 400
    assert response.json()["result_data"]["errors"]


@pytest.mark.parametrize("method", ["DELETE", "PUT"])
def test_a_method_that_the_api_does_not_have_is_not_found(sandbox: Sandbox, method: str) -> None:
    assert call(sandbox, method, "/v1/contacts/1").status_code == 404


@pytest.mark.parametrize("body", ["{}", '{"id": 1}', "null", "[1]", '[{"id": 1}, {"id": 1}]', "["])
def test_a_reset_that_cannot_be_leaves_contacts_and_requests_alone(sandbox: Sandbox, body: str) -> None:
    call(sandbox, "GET", "/v1/settings")
    before = sandbox.contacts

    response = requests.post(f"{sandbox.url}/__sandbox__/reset", data=body, timeout=10)

    assert response.status_code == 400
    assert response.json()["error"]
    assert sandbox.contacts == before
    assert len(sandbox.requests) == 1


def test_a_reset_without_a_body_keeps_the_contacts(sandbox: Sandbox) -> None:
    call(sandbox, "GET", "/v1/settings")

    assert requests.post(f"{sandbox.url}/__sandbox__/reset", timeout=10).json() == {"contacts": 2}
    assert (len(sandbox.contacts), sandbox.requests) == (2, [])


def test_the_contacts_that_were_read_can_be_the_next_seed(sandbox: Sandbox) -> None:
    call(sandbox, "PATCH", "/v1/contacts/1", json={"interests": {"News": "Set"}, "custom_fields": {"a": "1"}})
    before = requests.get(f"{sandbox.url}/__sandbox__/contacts", timeout=10)

    requests.post(f"{sandbox.url}/__sandbox__/reset", data=before.content, timeout=10)

    assert sandbox.contacts == before.json()


@pytest.mark.parametrize("path", ["/", "/__sandbox__/contacts", "/__sandbox__/requests", "/__sandbox__/stats"])
def test_other_machines_are_refused_what_is_not_the_api(path: str) -> None:
    server = SandboxServer(ContactStore([{"email": "jon@doe.com"}]))
    peer: Any = SimpleNamespace(method="GET", path=path, remote="192.0.2.7")

    response = asyncio.run(server.handle(peer))

    assert response.status == 403
    assert isinstance(response, web.Response)
    assert "jon@doe.com" not in str(response.text)


def test_another_machine_cannot_reset_the_account() -> None:
    server = SandboxServer(ContactStore([{"email": "jon@doe.com"}]))
    peer: Any = SimpleNamespace(method="POST", path="/__sandbox__/reset", remote="192.0.2.7")

    assert asyncio.run(server.handle(peer)).status == 403
    assert len(server.store.contacts) == 1


def test_the_highest_number_of_requests_at_once_is_counted() -> None:
    with Sandbox(latency_s=0.2) as sandbox:
        threads = [threading.Thread(target=call, args=(sandbox, "GET", "/v1/settings")) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)

        stats = sandbox.stats

    assert (stats["requests"], stats["in_flight"]) == (4, 0)
    assert 2 <= stats["max_in_flight"] <= 4
    assert 1 <= stats["max_per_second"] <= 4


def test_refused_credentials_and_their_key_are_not_kept(sandbox: Sandbox) -> None:
    call(sandbox, "GET", "/v1/settings", auth=("sandbox-id", "mistyped-key"))

    (kept,) = sandbox.requests
    assert kept["status"] == 401
    assert set(kept) == {"method", "path", "query", "body", "status", "fault", "applied"}
