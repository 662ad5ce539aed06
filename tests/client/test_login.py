"""
How often wrong credentials are tried: at most twice, whatever else fails first.

The service may lock an account after some refused logins. It also refuses good credentials sometimes, once.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.client.bulk import BulkClient
from airflow_provider_envoke.envoke.config import EnvokeConfig
from airflow_provider_envoke.envoke.requests import update_contact
from airflow_provider_envoke.exceptions import EnvokeAPIError, EnvokeAuthError
from tests.support import faulty_server as faults
from tests.support.clients import UnderWay
from tests.support.faulty_server import UPDATED, FaultyServer, answer, timeout_for
from tests.support.leak_markers import API_ID, API_KEY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.clients import Connect
    from tests.support.faulty_server import Step

UPDATE = update_contact({"email": "jon@example.com", "city": "Laval"})
REFUSED = answer({"success": False, "result_text": "Authentication failed"}, 401)
SUCCESS = answer(UPDATED)
NOT_FOUND = answer({"success": False, "result_text": "Item with id '7' not found"}, 400)
INVALID = answer({"success": False, "result_text": "Validation failed"}, 400)

MAX_RETRIES = 2
#: What fails first: a temporary failure takes all attempts of the first request.
FIRST: dict[str, list[Step]] = {
    "nothing": [],
    "timeout": [faults.stall] * 3,
    "reset": [faults.reset_after_reading] * 3,
    "500": [answer(b"", 500)] * 3,
    "429": [answer(b"", 429)] * 3,
    "unreadable": [answer(b"<html>")] * 3,
    "404 of a proxy": [answer(b"<html>", 404)],
    "redirect": [answer(b"", 302, location="/login")],
    "content rejected": [INVALID],
    "content rejected a few times": [INVALID] * 5,
    "a timeout, then 401, then another": [faults.stall, REFUSED, faults.stall],
}


class CountedRefusals:
    """Responds with 401, and counts how often."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, exchange: faults.Exchange) -> bool:
        self.count += 1
        return REFUSED(exchange)


async def no_pause(_: float) -> None:
    await asyncio.sleep(0)


def send_at_once(server: FaultyServer, count: int, concurrency: int = 32, timeout_s: float = 10.0) -> list[Any]:
    """Update contacts at the same time, and return the answers or exceptions."""
    config = EnvokeConfig(API_ID, API_KEY, server.url, timeout_s=timeout_s, max_retries=MAX_RETRIES)

    async def main() -> list[Any]:
        async with BulkClient(config, concurrency=concurrency, sleep=no_pause) as client:
            updates = [update_contact({"city": "x"}, contact_id=number + 1) for number in range(count)]
            return await asyncio.gather(*map(client.send, updates), return_exceptions=True)

    return asyncio.run(main())


def refusals_before(steps: Iterable[Step]) -> int:
    return sum(step is REFUSED for step in steps)


@pytest.mark.parametrize("first", FIRST)
def test_wrong_credentials_are_tried_twice_by_a_client(first: str, connect: Connect) -> None:
    refusals = CountedRefusals()
    with FaultyServer(*FIRST[first], refusals) as server:
        client = connect(server.url, timeout_s=timeout_for(FIRST[first]), max_retries=MAX_RETRIES)
        errors: list[EnvokeAPIError] = []
        for _ in range(10):
            with pytest.raises(EnvokeAPIError) as caught:
                client.send(UPDATE)
            errors.append(caught.value)

    assert refusals.count + refusals_before(FIRST[first]) == 2
    assert type(errors[-1]) is EnvokeAuthError
    assert len(server.requests) == len(FIRST[first]) + refusals.count


@pytest.mark.parametrize("first", FIRST)
def test_wrong_credentials_are_tried_twice_by_many_requests_at_once(first: str) -> None:
    refusals = CountedRefusals()
    with FaultyServer(*FIRST[first], refusals) as server:
        outcomes = send_at_once(server, 64, timeout_s=timeout_for(FIRST[first]))

    assert refusals.count + refusals_before(FIRST[first]) == 2
    assert [type(outcome) for outcome in outcomes[10:]] == [EnvokeAuthError] * 54


@pytest.mark.parametrize("max_retries", [0, 5])
def test_wrong_credentials_are_tried_twice_whatever_the_retries(max_retries: int, connect: Connect) -> None:
    refusals = CountedRefusals()
    with FaultyServer(refusals) as server:
        client = connect(server.url, max_retries=max_retries)
        for _ in range(5):
            with pytest.raises(EnvokeAuthError):
                client.send(UPDATE)

    assert refusals.count <= 2


@pytest.mark.parametrize("first", [name for name in FIRST if name != "nothing"])
def test_good_credentials_that_are_refused_once_are_used_again_whatever_failed_before(
    first: str, connect: Connect
) -> None:
    again = [] if REFUSED in FIRST[first] else [REFUSED]
    with FaultyServer(*FIRST[first], *again, SUCCESS) as server:
        client = connect(server.url, timeout_s=timeout_for(FIRST[first]), max_retries=MAX_RETRIES)
        for _ in range(5 if first.endswith("times") else 1):
            with pytest.raises(EnvokeAPIError):
                client.send(UPDATE)
        assert client.send(UPDATE) == UPDATED


@pytest.mark.parametrize(
    "first",
    [
        pytest.param([SUCCESS], id="a success"),
        pytest.param([NOT_FOUND], id="a contact that does not exist"),
        pytest.param([INVALID] * 10, id="ten rejections of what is sent"),
        pytest.param([faults.reset_after_reading] * 3 + [SUCCESS], id="no answer, and a success"),
    ],
)
def test_requests_are_sent_at_once_as_soon_as_the_service_knows_the_account(first: list[Step]) -> None:
    step = UnderWay(answer(b"", 500), enough=2, longest_s=1)
    with FaultyServer(*first, step) as server:
        send_at_once(server, len(first) + 8, concurrency=8)

    assert step.most > 1


def test_requests_go_one_at_a_time_until_the_credentials_have_worked() -> None:
    step = UnderWay(answer(b"", 500))
    with FaultyServer(step) as server:
        send_at_once(server, 6)

    assert step.most == 1


def test_a_service_that_is_down_from_the_beginning_is_found_out_after_four_requests() -> None:
    """Requests go one at a time then, and each may take all its retries."""

    async def main(server: FaultyServer) -> list[int]:
        config = EnvokeConfig(API_ID, API_KEY, server.url, timeout_s=10, max_retries=5)
        unanswered = []
        async with BulkClient(config, sleep=no_pause) as client:
            for _ in range(4):
                await asyncio.gather(client.send(UPDATE), return_exceptions=True)
                unanswered.append(client.unanswered)
        return unanswered

    with FaultyServer(answer(b"", 500)) as server:
        assert asyncio.run(main(server)) == [5, 10, 15, 20]
