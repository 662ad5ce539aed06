"""What urllib3 logs during our requests is masked; what others send through urllib3 is logged as always."""

from __future__ import annotations

import logging
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import requests

from airflow_provider_envoke.client.single import EnvokeClient
from airflow_provider_envoke.envoke.config import EnvokeConfig
from airflow_provider_envoke.envoke.requests import account
from tests.support.faulty_server import ACCOUNT, FaultyServer, answer
from tests.support.leak_markers import API_ID, API_KEY, EMAIL, leaks

if TYPE_CHECKING:
    from tests.support import faulty_server as faults
    from tests.support.clients import Sleeps

URLLIB3 = [logging.getLogger(name) for name in ("urllib3.connection", "urllib3.connectionpool")]


def malformed_header(exchange: faults.Exchange) -> bool:
    """Let urllib3 log a warning with the URL and a traceback."""
    exchange.read()
    content = f"HTTP/1.1 200 OK\r\n{EMAIL} no header\r\nContent-Length: 2\r\n\r\n[]"
    exchange.socket.sendall(content.encode())
    return False


def open_client(server: FaultyServer, sleeps: Sleeps) -> EnvokeClient:
    return EnvokeClient(EnvokeConfig(API_ID, API_KEY, server.url, timeout_s=10), sleep=sleeps)


def test_the_urls_that_urllib3_logs_are_masked(sleeps: Sleeps, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with FaultyServer(malformed_header) as server, closing(open_client(server, sleeps)) as client:
        list(client.find_contacts({"email": {"$in": [EMAIL, "ü@x.org"]}}))

    assert "GET /v1/contacts" in caplog.text, "urllib3 has logged the URL"
    assert "z***%40leak.example.com" in caplog.text
    assert leaks(caplog.text) == []
    assert "%C3%BC%40x.org" not in caplog.text


def test_requests_of_others_are_logged_with_their_urls_and_tracebacks(
    sleeps: Sleeps, caplog: pytest.LogCaptureFixture
) -> None:
    with FaultyServer() as server, closing(open_client(server, sleeps)) as client:
        client.send(account())

    with FaultyServer(malformed_header) as other:
        requests.get(other.url, params={"email": EMAIL}, timeout=10)

    (record,) = (record for record in caplog.records if record.levelname == "WARNING")
    assert record.exc_info is not None
    assert "zora.marked%2Btag%40leak.example.com" in record.getMessage()


@pytest.mark.parametrize("logger", URLLIB3, ids=lambda logger: logger.name)
def test_what_other_threads_log_during_our_request_is_left_as_it_is(
    logger: logging.Logger, sleeps: Sleeps, caplog: pytest.LogCaptureFixture
) -> None:
    failure = ValueError(EMAIL)

    def log_in_the_server_s_thread(exchange: faults.Exchange) -> bool:
        logger.warning("%s failed: %s", EMAIL, failure, exc_info=failure)
        return answer(ACCOUNT)(exchange)

    with FaultyServer(log_in_the_server_s_thread) as server, closing(open_client(server, sleeps)) as client:
        client.send(account())

    (record,) = (record for record in caplog.records if record.levelname == "WARNING")
    assert record.args == (EMAIL, failure)
    assert record.exc_info is not None
