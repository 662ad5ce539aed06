"""The client for many requests at once, against a server that fails as it is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.clients.bulk import BulkClient
from airflow_provider_envoke.clients.throttle import Throttle
from airflow_provider_envoke.core import protocol
from airflow_provider_envoke.core.config import EnvokeConfig
from airflow_provider_envoke.exceptions import (
    EnvokeAuthError,
    EnvokeConfigError,
    EnvokeDataError,
    EnvokeError,
    EnvokeNotFoundError,
    EnvokeRejectedError,
    EnvokeTransientError,
)
from airflow_provider_envoke.sandbox.thread import Sandbox
from tests.faulty_server import UPDATED, FaultyServer, answer

if TYPE_CHECKING:
    from airflow_provider_envoke.core.protocol import Request

UPDATE = protocol.update_contact({"email": "ana@example.com", "city": "Laval"})
NOT_FOUND = {"success": False, "result_text": "", "result_data": {"errors": ["Item with id '7' not found"]}}
REFUSED = {"success": False, "result_text": "", "result_data": {"errors": ["ana@example.com is not valid"]}}


def send(
    url: str, *requests: Request, concurrency: int = 4, waited: list[float] | None = None, **parts: Any
) -> list[Any]:
    """Send requests side by side; answers and errors in their order."""
    config = EnvokeConfig(**{"api_id": "an-id", "api_key": "a-key", "base_url": url, "timeout_s": 5.0, **parts})

    async def sleep(seconds: float) -> None:
        (waited if waited is not None else []).append(seconds)
        client.throttle._resume_at_s = 0.0  # the pause is over
        await asyncio.sleep(0)

    async def main() -> list[Any]:
        nonlocal client
        client = BulkClient(config, concurrency=concurrency, sleep=sleep)
        async with client:
            return await asyncio.gather(*(client.send(request) for request in requests), return_exceptions=True)

    client: Any = None
    return asyncio.run(main())


def test_what_is_sent_is_what_the_article_says() -> None:
    with FaultyServer(answer(UPDATED)) as server:
        assert send(server.url, UPDATE) == [UPDATED]

    (request,) = server.requests
    assert (request.method, request.target) == ("PATCH", "/v1/contacts")
    assert request.json == {"email": "ana@example.com", "city": "Laval"}
    assert request.headers["authorization"] == "Basic YW4taWQ6YS1rZXk="
    assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, REFUSED, EnvokeRejectedError),
        (400, NOT_FOUND, EnvokeNotFoundError),
        (403, REFUSED, EnvokeAuthError),
        (200, REFUSED, EnvokeRejectedError),
        (301, b"", EnvokeRejectedError),
    ],
)
def test_what_cannot_pass_is_not_sent_again(status: int, body: Any, kind: type[EnvokeError]) -> None:
    with FaultyServer(answer(body, status)) as server:
        (error,) = send(server.url, UPDATE)

    assert type(error) is kind
    assert "ana@example.com" not in str(error)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_may_pass_is_sent_again(status: int) -> None:
    with FaultyServer(answer(b"<html>", status), answer(UPDATED)) as server:
        assert send(server.url, UPDATE) == [UPDATED]

    assert len(server.requests) == 2


def test_it_gives_up_after_as_many_retries_as_the_connection_says() -> None:
    with FaultyServer(answer(b"", 500)) as server:
        (error,) = send(server.url, UPDATE, max_retries=2)

    assert type(error) is EnvokeTransientError
    assert len(server.requests) == 3


@pytest.mark.parametrize("status", [429, 503])
def test_a_refusal_for_haste_makes_everybody_wait_as_long_as_the_service_asks(status: int) -> None:
    waited: list[float] = []
    with FaultyServer(answer(b"", status, retry_after="7"), answer(UPDATED)) as server:
        send(server.url, UPDATE, concurrency=1, waited=waited)

    assert 6.9 < waited[0] < 7.2


def test_a_refusal_for_haste_does_not_count_while_others_succeed() -> None:
    script = [answer(UPDATED) if number % 2 else answer(b"", 429) for number in range(40)]
    with FaultyServer(*script, answer(UPDATED)) as server:
        answers = send(server.url, *[UPDATE] * 20, max_retries=1)

    assert answers == [UPDATED] * 20


def test_a_401_before_any_success_is_asked_about_once_more_and_then_believed() -> None:
    with FaultyServer(answer(REFUSED, 401), answer(UPDATED)) as server:
        assert send(server.url, UPDATE) == [UPDATED]
    with FaultyServer(answer(REFUSED, 401)) as server:
        (error,) = send(server.url, UPDATE)

    assert type(error) is EnvokeAuthError
    assert len(server.requests) == 2


def test_a_401_after_a_success_may_pass() -> None:
    with FaultyServer(answer(UPDATED), answer(b"", 401), answer(UPDATED)) as server:
        assert send(server.url, UPDATE, UPDATE, concurrency=1) == [UPDATED, UPDATED]


def test_a_creation_that_may_have_arrived_is_not_sent_again() -> None:
    create = protocol.create_contact({"email": "ana@example.com"})
    with FaultyServer(answer(b"", 500)) as server:
        (error,) = send(server.url, create)

    assert type(error) is EnvokeTransientError
    assert len(server.requests) == 1


def test_a_host_that_does_not_exist_is_named() -> None:
    (error,) = send("http://nobody.invalid:1", UPDATE, max_retries=0)

    assert "nobody.invalid" in str(error)
    assert "not found (DNS)" in str(error)


def test_a_refused_connection_is_named() -> None:
    with Sandbox() as sandbox:
        url = sandbox.url

    (error,) = send(url, UPDATE, max_retries=0)

    assert "refused the connection" in str(error)
    assert isinstance(error, EnvokeTransientError)
    assert not error.may_have_arrived


def test_no_chain_of_an_error_leads_to_an_address() -> None:
    read = protocol.find_contacts({"email": "ana@example.com"})
    with Sandbox() as sandbox:
        url = sandbox.url

    (error,) = send(url, read, max_retries=0)

    assert error.__cause__ is None
    assert error.__context__ is None


def test_credentials_of_netrc_are_not_sent(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with FaultyServer(answer(UPDATED)) as server:
        send(server.url, UPDATE)

    assert server.requests[0].headers["authorization"] == "Basic YW4taWQ6YS1rZXk="


def test_the_environments_proxy_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with FaultyServer(answer(UPDATED)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        answers = send("http://127.0.0.1:9", UPDATE)

    assert answers == [UPDATED]
    assert proxy.requests[0].target == "http://127.0.0.1:9/v1/contacts"


def test_a_bundle_that_is_no_use_is_named() -> None:
    with pytest.raises(EnvokeConfigError, match="ca_bundle"):
        send("https://127.0.0.1:9", UPDATE, ca_bundle="/does/not/exist.pem")


@pytest.mark.parametrize("concurrency", [1, 3, 8])
def test_no_more_requests_are_under_way_than_allowed(concurrency: int) -> None:
    contacts = [{"email": f"p{number}@example.com"} for number in range(40)]
    requests = [protocol.update_contact({**contact, "city": "X"}) for contact in contacts]
    with Sandbox(contacts, latency_s=0.01) as sandbox:
        config = {"api_id": sandbox.api_id, "api_key": sandbox.api_key}
        send(sandbox.url, *requests, concurrency=concurrency, **config)

        assert sandbox.stats["max_in_flight"] == concurrency
        assert sandbox.stats["by_status"] == {"200": 40}


def test_requests_start_no_faster_than_allowed() -> None:
    contacts = [{"email": f"p{number}@example.com"} for number in range(30)]
    with Sandbox(contacts) as sandbox:
        config = {"api_id": sandbox.api_id, "api_key": sandbox.api_key, "requests_per_second": 20}
        requests = [protocol.update_contact({**contact, "city": "X"}) for contact in contacts]
        send(sandbox.url, *requests, **config)

        assert sandbox.stats["max_per_second"] <= 21


def test_the_throttle_halves_once_for_a_burst_and_recovers_slowly() -> None:
    throttle = Throttle(16)

    for _ in range(5):
        throttle.slow_down(10)
    halved = throttle.allowed
    for _ in range(8):
        throttle.speed_up()
    after_eight = throttle.allowed
    for _ in range(500):
        throttle.speed_up()

    assert halved == 8
    assert 8.9 < after_eight < 9.0
    assert throttle.allowed == 16


def test_a_cancelled_wait_for_a_turn_gives_the_turn_to_the_next() -> None:
    async def main() -> list[str]:
        throttle, order = Throttle(1), []

        async def turn(name: str) -> None:
            await throttle.acquire()
            order.append(name)
            throttle.release()

        await throttle.acquire()
        first, second = asyncio.create_task(turn("first")), asyncio.create_task(turn("second"))
        await asyncio.sleep(0)
        throttle.release()  # the first one's turn has come …
        first.cancel()  # … and it is gone before it takes it
        await asyncio.wait([second], timeout=5)
        return order

    assert asyncio.run(main()) == ["second"]


def test_a_body_that_json_cannot_carry_is_not_sent() -> None:
    with FaultyServer(answer(UPDATED)) as server:
        (error,) = send(server.url, protocol.update_contact({"email": "a@example.com", "city": float("nan")}))

    assert isinstance(error, EnvokeDataError)
    assert server.requests == []


def test_after_a_pause_requests_start_at_the_rate_and_not_all_at_once() -> None:
    async def start_times() -> list[float]:
        throttle, started = Throttle(32, requests_per_second=50), []
        throttle.slow_down(0.5)

        async def request() -> None:
            await throttle.acquire()
            started.append(asyncio.get_running_loop().time())
            throttle.release()

        await asyncio.gather(*(request() for _ in range(12)))
        return started

    started = asyncio.run(start_times())

    # One may start at once, each other one after 20 ms; a slow machine makes them later.
    assert started[-1] - started[0] >= 11 * 0.02 * 0.9


def test_a_place_that_is_given_back_while_its_waiter_is_cancelled_is_not_lost() -> None:
    async def run() -> int:
        throttle = Throttle(1)
        await throttle.acquire()
        waiting = asyncio.create_task(throttle.acquire())
        await asyncio.sleep(0)
        waiting.cancel()
        throttle.release()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.wait_for(throttle.acquire(), 10)
        return throttle.in_flight

    assert asyncio.run(run()) == 1
