"""When both clients send a request again, and how long they wait before."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from airflow_provider_envoke.envoke.requests import create_contact, update_contact
from airflow_provider_envoke.exceptions import EnvokeAuthError, EnvokeTransientError
from tests.support.faulty_server import UPDATED, FaultyServer, answer

if TYPE_CHECKING:
    from airflow_provider_envoke.envoke.requests import Request
    from tests.support.clients import Connect, Sleeps

UPDATE = update_contact({"email": "jon@example.com", "city": "Laval"})
CREATE = create_contact({"email": "jon@example.com"})

STEPS = {status: answer(UPDATED if status == 200 else b"", status) for status in (200, 401, 403, 429, 500, 503)}


@pytest.mark.parametrize("max_retries", [0, 1, 4])
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_request_is_sent_once_and_once_more_for_each_retry(
    status: int, max_retries: int, connect: Connect, sleeps: Sleeps
) -> None:
    with FaultyServer(STEPS[status]) as server:
        client = connect(server.url, max_retries=max_retries)
        with pytest.raises(EnvokeTransientError):
            client.send(UPDATE)

    assert len(server.requests) == max_retries + 1
    assert len(sleeps) == max_retries


@pytest.mark.parametrize("status", [429, 500, 503])
def test_the_pauses_double_up_to_a_minute(status: int, connect: Connect, sleeps: Sleeps) -> None:
    with FaultyServer(STEPS[status]) as server, pytest.raises(EnvokeTransientError):
        connect(server.url, max_retries=9).send(UPDATE)

    assert sleeps == pytest.approx([0.5, 1, 2, 4, 8, 16, 32, 60, 60], abs=0.4)


def test_the_pauses_are_random(connect: Connect, sleeps: Sleeps, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many tasks that failed at the same time do not come back at the same time."""
    ranges: list[tuple[float, float]] = []

    def halfway(shortest: float, longest: float) -> float:
        ranges.append((shortest, longest))
        return longest / 2

    monkeypatch.setattr(random, "uniform", halfway)
    with FaultyServer(STEPS[500]) as server, pytest.raises(EnvokeTransientError):
        connect(server.url, max_retries=3).send(UPDATE)

    assert ranges == [(0, 0.5), (0, 1), (0, 2)]
    assert sleeps == [0.25, 0.5, 1]


@pytest.mark.parametrize("status", [429, 503])
def test_the_pause_is_as_long_as_the_service_asks_and_little_longer(
    status: int, connect: Connect, sleeps: Sleeps
) -> None:
    with FaultyServer(answer(b"", status, retry_after="17"), STEPS[200]) as server:
        assert connect(server.url).send(UPDATE) == UPDATED

    assert sleeps == pytest.approx([17.05], abs=0.04)


@pytest.mark.parametrize(
    ("statuses", "tries"),
    [
        pytest.param([401, 200], 2, id="good credentials, rejected once"),
        pytest.param([429, 401, 200], 3, id="good credentials, rejected once after a 429"),
        pytest.param([401], 2, id="wrong credentials"),
        pytest.param([401, 429, 401], 3, id="wrong credentials, and a 429"),
        pytest.param([200, 401, 401, 200], 4, id="after a success, twice"),
        pytest.param([200, 401], 4, id="after a success, for good"),
        pytest.param([200, 403], 2, id="403 after a success"),
    ],
)
@pytest.mark.parametrize("request_", [UPDATE, CREATE], ids=["idempotent", "not idempotent"])
def test_rejected_credentials_are_retried_once_or_if_they_have_worked(
    statuses: list[int], tries: int, request_: Request, connect: Connect
) -> None:
    with FaultyServer(*(STEPS[status] for status in statuses)) as server:
        client = connect(server.url)
        if statuses[0] == 200:
            client.send(request_)
        if statuses[-1] == 200:
            assert client.send(request_) == UPDATED
        else:
            with pytest.raises(EnvokeAuthError, match="API key") as caught:
                client.send(request_)
            assert caught.value.status == statuses[-1]

    assert len(server.requests) == tries


@pytest.mark.parametrize("requests_per_second", [None, 0.1])
def test_requests_and_retries_keep_the_pace(
    requests_per_second: float | None, connect: Connect, sleeps: Sleeps
) -> None:
    with FaultyServer(STEPS[200], STEPS[200], STEPS[500], STEPS[200]) as server:
        client = connect(server.url, requests_per_second=requests_per_second)
        for _ in range(3):
            client.send(UPDATE)

    # The clock of the test does not move while a client sleeps, so the next starts are 10, 20 and 30 s away.
    expected = [0.5] if requests_per_second is None else [10, 20, 0.5, 30]
    assert sleeps == pytest.approx(expected, abs=3)
