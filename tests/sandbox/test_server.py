"""The sandbox as an HTTP server: credentials, the calls below ``/__sandbox__/``, and statistics."""

from __future__ import annotations

import threading
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_provider_envoke.sandbox.thread import Sandbox
from tests.support.sandbox import ANA, call


@pytest.mark.parametrize("auth", [None, ("sandbox-id", "wrong"), ("", "")])
def test_wrong_credentials_are_rejected_and_not_recorded(sandbox: Sandbox, auth: Any) -> None:
    response = call(sandbox, "GET", "/v1/settings", auth=auth)

    assert (response.status_code, response.json()["success"]) == (401, False)
    (recorded,) = sandbox.requests
    assert recorded["status"] == 401
    assert set(recorded) == {"method", "path", "query", "body", "status", "fault", "applied", "time", "errors"}


def test_a_url_of_more_than_8_kb_is_rejected(sandbox: Sandbox) -> None:
    assert call(sandbox, "GET", f"/v1/contacts?filter[email]={'x' * 8200}").status_code == 414


def test_many_requests_share_one_connection(sandbox: Sandbox) -> None:
    with closing(HTTPConnection(urlsplit(sandbox.url).netloc)) as connection:
        connection.connect()
        socket = connection.sock
        for _ in range(3):
            connection.request("GET", "/v1/settings")
            connection.getresponse().read()
            assert connection.sock is socket, "the sandbox has not closed it"


def test_requests_and_statistics_can_be_read_and_reset(sandbox: Sandbox) -> None:
    call(sandbox, "PATCH", "/v1/contacts/1234", {"city": "X"})
    contacts = sandbox.contacts

    stats = call(sandbox, "GET", "/__sandbox__/stats").json()
    recorded = call(sandbox, "GET", "/__sandbox__/requests")
    reset = call(sandbox, "POST", "/__sandbox__/reset").json()

    assert (stats["requests"], stats["by_method"], stats["by_status"]) == (1, {"PATCH": 1}, {"200": 1})
    assert recorded.json()[0]["path"] == "/v1/contacts/1234"
    assert "uthorization" not in recorded.text
    assert reset == {"contacts": 2}
    assert (sandbox.stats["requests"], sandbox.requests) == (0, [])
    assert sandbox.contacts == contacts, "a reset without a body keeps the contacts"
    assert call(sandbox, "GET", "/__sandbox__/unknown").status_code == 404


@pytest.mark.parametrize("body", ["{", "{}", '{"id": 1}', "null", "[1]", '[{"id": 1}, {"id": 1}]', "["])
def test_an_invalid_reset_changes_nothing(sandbox: Sandbox, body: str) -> None:
    call(sandbox, "GET", "/v1/settings")
    before = sandbox.contacts

    response = call(sandbox, "POST", "/__sandbox__/reset", data=body)

    assert response.status_code == 400
    assert response.json()["error"]
    assert sandbox.contacts == before
    assert len(sandbox.requests) == 1


def test_a_reset_accepts_a_body_of_more_than_a_megabyte(sandbox: Sandbox) -> None:
    contacts = [{"email": f"p{number}@doe.com", "feedback": "x" * 100} for number in range(10_000)]

    assert call(sandbox, "POST", "/__sandbox__/reset", contacts).json() == {"contacts": 10_000}


def test_the_contacts_that_were_read_can_be_stored_by_a_reset(sandbox: Sandbox) -> None:
    created = "2020-02-03 04:05:06"
    sandbox.reset([{**ANA, "date_created": created, "interests": ["News"], "custom_fields": {"a": "1"}}])
    before = call(sandbox, "GET", "/__sandbox__/contacts")

    call(sandbox, "POST", "/__sandbox__/reset", data=before.content)

    assert sandbox.contacts == before.json()
    assert sandbox.contacts[0]["date_created"] == created


def test_the_highest_number_of_concurrent_requests_is_counted() -> None:
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
