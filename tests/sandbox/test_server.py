"""What nobody sends on purpose is answered too, in JSON and without a 500."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
import requests

from airflow_provider_envoke.sandbox.thread import Sandbox
from tests.sandbox.test_process import started

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


def test_a_reset_takes_more_contacts_than_fit_into_a_megabyte(sandbox: Sandbox) -> None:
    contacts = [{"email": f"p{number}@doe.com", "feedback": "x" * 100} for number in range(10_000)]

    response = requests.post(f"{sandbox.url}/__sandbox__/reset", json=contacts, timeout=30)

    assert response.json() == {"contacts": 10_000}


def test_the_contacts_that_were_read_can_be_the_next_seed(sandbox: Sandbox) -> None:
    call(sandbox, "PATCH", "/v1/contacts/1", json={"interests": {"News": "Set"}, "custom_fields": {"a": "1"}})
    before = requests.get(f"{sandbox.url}/__sandbox__/contacts", timeout=10)

    requests.post(f"{sandbox.url}/__sandbox__/reset", data=before.content, timeout=10)

    assert sandbox.contacts == before.json()


PAGES = ["/", "/__sandbox__/contacts", "/__sandbox__/requests", "/__sandbox__/stats"]


def own_address() -> str:
    """An address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no network but loopback")
        return str(probe.getsockname()[0])


@pytest.fixture(scope="module")
def open_to_all() -> Iterator[str]:
    """A sandbox that listens everywhere, asked by the address that other machines know."""
    address = own_address()
    with started("--host", "0.0.0.0") as (_, url):
        yield f"http://{address}:{url.rpartition(':')[2]}"


@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1"}], ids=str)
@pytest.mark.parametrize("path", PAGES)
def test_who_does_not_come_by_loopback_is_refused_what_is_not_the_api(
    open_to_all: str, path: str, headers: dict[str, str]
) -> None:
    refused = requests.get(open_to_all + path, headers={"Host": "localhost", **headers}, timeout=10)
    served = requests.get(f"{open_to_all}/v1/settings", auth=AUTH, timeout=10)

    assert (refused.status_code, refused.text) == (403, "Only from this machine, and by its own name.\n")
    assert served.status_code == 200


def test_who_does_not_come_by_loopback_cannot_reset_the_account(open_to_all: str) -> None:
    requests.post(f"{open_to_all}/v1/contacts", json={"email": "jon@doe.com"}, auth=AUTH, timeout=10)

    refused = requests.post(
        f"{open_to_all}/__sandbox__/reset", data="[]", headers={"Host": "localhost"}, timeout=10
    )

    assert refused.status_code == 403
    assert len(requests.get(f"{open_to_all}/v1/contacts", auth=AUTH, timeout=10).json()) == 1


def test_unless_told_otherwise_it_listens_on_loopback_alone() -> None:
    address = own_address()
    with started() as (_, url), pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, int(url.rpartition(":")[2])), timeout=10)


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8025", "127.0.0.1.evil.example", "localhost.evil.example", "[", "192.0.2.1"],
)
def test_a_web_page_whose_name_was_made_to_lead_here_sees_nothing(sandbox: Sandbox, path: str, host: str) -> None:
    refused = call(sandbox, "GET", path, headers={"Host": host})

    assert refused.status_code == 403
    assert "jon@doe.com" not in refused.text


@pytest.mark.parametrize("host", ["localhost", "localhost:8025", "127.0.0.1", "127.3.2.1:99", "[::1]:8025"])
def test_this_machine_has_several_names(sandbox: Sandbox, host: str) -> None:
    headers = {"Host": host, "X-Forwarded-For": "192.0.2.7"}

    assert call(sandbox, "GET", "/__sandbox__/contacts", headers=headers).status_code == 200


def test_the_api_may_be_called_by_any_name(sandbox: Sandbox) -> None:
    assert call(sandbox, "GET", "/v1/settings", headers={"Host": "sandbox:8025"}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1", ""])
def test_a_web_page_from_elsewhere_cannot_reset_the_account(sandbox: Sandbox, origin: str) -> None:
    refused = call(sandbox, "POST", "/__sandbox__/reset", data="[]", headers={"Origin": origin})

    assert refused.status_code == 403
    assert len(sandbox.contacts) == 2


def test_a_page_of_the_sandbox_itself_may_reset_the_account(sandbox: Sandbox) -> None:
    assert call(sandbox, "POST", "/__sandbox__/reset", data="[]", headers={"Origin": sandbox.url}).ok
    assert sandbox.contacts == []


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
