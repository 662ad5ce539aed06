"""What only the client on ``requests`` does."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

from airflow_provider_envoke.client.single import EnvokeClient
from airflow_provider_envoke.envoke.config import EnvokeConfig
from airflow_provider_envoke.envoke.requests import account, update_contact
from tests.support.faulty_server import UPDATED, FaultyServer, answer
from tests.support.leak_markers import API_ID, API_KEY, EMAIL, leaks

if TYPE_CHECKING:
    import pytest

    from tests.support.clients import Sleeps

FULL_PAGE = json.dumps([{"id": number} for number in range(100)]).encode()


def open_client(server: FaultyServer, sleeps: Sleeps) -> EnvokeClient:
    return EnvokeClient(EnvokeConfig(API_ID, API_KEY, server.url, timeout_s=10), sleep=sleeps)


def test_a_page_is_not_requested_before_it_is_needed(sleeps: Sleeps) -> None:
    with (
        FaultyServer(answer(FULL_PAGE), answer([{"id": 100}])) as server,
        closing(open_client(server, sleeps)) as client,
    ):
        contacts = client.find_contacts({}, sort={"email": "DESC"})
        requested = [len(server.requests)]
        for _ in range(101):
            next(contacts)
            requested.append(len(server.requests))

    assert requested == [0, *[1] * 100, 2]
    assert all("sort%5Bemail%5D=DESC" in sent.target for sent in server.requests)


def test_a_closed_client_keeps_no_connection(sleeps: Sleeps) -> None:
    with FaultyServer() as server:
        client = open_client(server, sleeps)
        client.send(account())
        client.close()

        assert server.hung_up.acquire(timeout=10)


def test_each_retry_is_a_warning(sleeps: Sleeps, caplog: pytest.LogCaptureFixture) -> None:
    failure = answer({"success": False, "result_text": f"{EMAIL} is locked"}, 503)
    with FaultyServer(failure, failure, answer(UPDATED)) as server, closing(open_client(server, sleeps)) as client:
        client.send(update_contact({"email": EMAIL, "city": "Laval"}))

    first, second = (record.getMessage() for record in caplog.records)
    assert "1 of 6" in first
    assert "0.5 s" in first
    assert "HTTP 503" in first
    assert "2 of 6" in second
    assert leaks(first + second) == []
