"""What only the client on ``aiohttp`` does: many requests at once, and pauses that all of them share."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.client.bulk import BulkClient
from airflow_provider_envoke.envoke.config import EnvokeConfig
from airflow_provider_envoke.envoke.requests import find_contacts, update_contact
from airflow_provider_envoke.exceptions import EnvokeAuthError, EnvokeRejectedError, EnvokeTransientError
from tests.support.clients import UnderWay
from tests.support.faulty_server import UPDATED, FaultyServer, answer
from tests.support.leak_markers import API_ID, API_KEY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airflow_provider_envoke.envoke.requests import Request
    from tests.support import faulty_server as faults

REFUSAL = answer({"success": False, "result_text": "Validation failed"}, 400)
SUCCESS = answer(UPDATED)
UNAVAILABLE = answer(b"", 503)


def update(number: int) -> Request:
    return update_contact({"city": "Laval"}, contact_id=number)


def ids_of(server: FaultyServer) -> list[int]:
    """The ids of the contacts in the requests that a server received."""
    return [int(sent.target.rpartition("/")[2]) for sent in server.requests]


class Pauses(list[tuple[str, float]]):
    """Records which task would have paused and for how long, and lets it wait for ``wait_s`` instead."""

    def __init__(self, wait_s: float = 0.0) -> None:
        super().__init__()
        self._wait_s = wait_s

    async def __call__(self, seconds: float) -> None:
        task = asyncio.current_task()
        assert task
        self.append((task.get_name(), seconds))
        await asyncio.sleep(self._wait_s)


def run(
    server: FaultyServer,
    main: Callable[[BulkClient], Awaitable[Any]],
    *,
    concurrency: int = 8,
    max_retries: int = 1,
    pauses: Pauses | None = None,
) -> Any:
    config = EnvokeConfig(API_ID, API_KEY, server.url, timeout_s=10, max_retries=max_retries)

    async def with_client() -> Any:
        async with BulkClient(
            config, concurrency=concurrency, sleep=Pauses() if pauses is None else pauses
        ) as client:
            return await main(client)

    return asyncio.run(with_client())


def at_once(*numbers: int) -> Callable[[BulkClient], Awaitable[list[Any]]]:
    """Update contacts at the same time, in tasks with their numbers as names."""

    async def main(client: BulkClient) -> list[Any]:
        tasks = [asyncio.create_task(client.send(update(number)), name=str(number)) for number in numbers]
        return await asyncio.gather(*tasks, return_exceptions=True)

    return main


@pytest.mark.parametrize("concurrency", [1, 3, 8])
def test_as_many_requests_are_under_way_as_allowed(concurrency: int) -> None:
    step = UnderWay(SUCCESS)
    with FaultyServer(step) as server:
        assert run(server, at_once(*range(1, 31)), concurrency=concurrency) == [UPDATED] * 30

    assert step.most == concurrency
    assert sorted(ids_of(server)) == list(range(1, 31))
    assert server.connections <= concurrency


@pytest.mark.parametrize(("status", "tries"), [(401, [1, 1]), (403, [1])])
def test_wrong_credentials_are_not_tried_by_every_request(status: int, tries: list[int]) -> None:
    async def twice(client: BulkClient) -> list[Any]:
        return [*await at_once(*range(1, 21))(client), *await at_once(21)(client)]

    with FaultyServer(answer(b"", status)) as server:
        errors = run(server, twice)

    assert [type(error) for error in errors] == [EnvokeAuthError] * 21
    assert ids_of(server) == tries


def test_the_requests_after_a_first_one_that_failed_are_sent() -> None:
    with FaultyServer(REFUSAL, SUCCESS) as server:
        first, *others = run(server, at_once(*range(1, 6)))

    assert type(first) is EnvokeRejectedError
    assert others == [UPDATED] * 4


def test_requests_are_counted_by_kind_and_failures_in_a_row(caplog: pytest.LogCaptureFixture) -> None:
    async def main(client: BulkClient) -> Any:
        unanswered = []
        for number in range(1, 7):
            await at_once(number)(client)
            unanswered.append(client.unanswered)
        await client.send(find_contacts({}))
        return unanswered, client.requests, client.successes

    down = [UNAVAILABLE] * 4  # two requests with a retry each
    with FaultyServer(*down, SUCCESS, *down, REFUSAL, answer([])) as server:
        unanswered, requests, successes = run(server, main)

    # Before the first success, each attempt counts as a request.
    assert unanswered == [2, 4, 0, 1, 2, 0]
    assert requests == {"write": 10, "read": 1, "retry": 4}
    assert successes == 2
    (record,) = (record for record in caplog.records if record.levelname == "WARNING")
    assert "HTTP 503" in record.getMessage(), "only the first retry is a warning"


@pytest.mark.parametrize(("status", "paused"), [(429, "3"), (503, "3"), (500, "2")])
def test_a_429_or_503_pauses_all_requests_and_another_failure_only_its_own(status: int, paused: str) -> None:
    async def main(client: BulkClient) -> None:
        await client.send(update(1))
        await at_once(2, 3)(client)

    pauses = Pauses()
    with FaultyServer(SUCCESS, answer(b"", status, retry_after="7"), SUCCESS) as server:
        run(server, main, concurrency=1, pauses=pauses)

    assert ids_of(server) == [1, 2, 3, 2]
    assert pauses == [(paused, pytest.approx(7, abs=0.5))]


class RefusesOne:
    """
    Answers the contact 2 with 429, and all others with success.

    A 429 waits until two other requests have arrived: then one of them has succeeded during the attempt.
    """

    def __init__(self) -> None:
        self._arrived = threading.Condition()
        self._others = 0

    def __call__(self, exchange: faults.Exchange) -> bool:
        request = exchange.read()
        if request is None:
            return False
        with self._arrived:
            if not request.target.endswith("/2"):
                self._others += 1
                self._arrived.notify_all()
                exchange.send(b'{"success": true}', length=17)
                return True
            enough = self._others + 2
            self._arrived.wait_for(lambda: self._others >= enough or exchange.stopped.is_set(), 5)
        exchange.send(b"", 429, 0)
        return True


@pytest.mark.parametrize(("max_retries", "tries"), [(0, 1), (1, 20 + 2), (3, 20 + 4)])
def test_20_refusals_of_a_request_do_not_count_while_others_succeed(max_retries: int, tries: int) -> None:
    async def main(client: BulkClient) -> BaseException | None:
        await client.send(update(1))
        refused = asyncio.create_task(client.send(update(2)))
        while not refused.done():
            await asyncio.create_task(client.send(update(3)), name="other")
        return refused.exception()

    pauses = Pauses(wait_s=0.01)
    with FaultyServer(RefusesOne()) as server:
        error = run(server, main, concurrency=64, max_retries=max_retries, pauses=pauses)

    assert type(error) is EnvokeTransientError
    assert error.status == 429
    assert ids_of(server).count(2) == tries
    # The first five pauses hold all requests; after that, only the refused request pauses.
    assert [name for name, _ in pauses].count("other") <= 5
