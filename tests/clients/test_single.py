"""The client for one contact at a time: what it sends, what it sends again, and what it makes of faults."""

from __future__ import annotations

import logging
import re
import socket
import time
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests
import trustme

from airflow_provider_envoke.clients import single
from airflow_provider_envoke.clients.single import EnvokeClient
from airflow_provider_envoke.core import answers, protocol
from airflow_provider_envoke.core.config import EnvokeConfig
from airflow_provider_envoke.exceptions import (
    EnvokeAPIError,
    EnvokeAuthError,
    EnvokeConfigError,
    EnvokeDataError,
    EnvokeError,
    EnvokeNotFoundError,
    EnvokeRejectedError,
    EnvokeTransientError,
)
from tests import faulty_server as faults
from tests.faulty_server import ACCOUNT, UPDATED, FaultyServer, answer, tls_serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import requests_mock

    from airflow_provider_envoke.sandbox.thread import Sandbox

HOST = "https://e1.envoke.com"
CONTACTS = f"{HOST}/v1/contacts"
CONFIG = EnvokeConfig(api_id="an-id", api_key="a-key", max_retries=3)
BASIC = "Basic YW4taWQ6YS1rZXk="
PAYLOAD = {"email": "jon@example.com", "city": "Laval"}

ACCOUNT_REQUEST = protocol.account()
PATCH = protocol.update_contact(PAYLOAD)
CREATE = protocol.create_contact(PAYLOAD)
UPSERT = protocol.create_contact(PAYLOAD, upsert=True)

REFUSAL = {"success": False, "result_text": "Validation failed", "result_data": {"errors": ["No", "Nor that"]}}
NOT_FOUND = {"success": False, "result_text": "", "result_data": {"errors": ["Item with id '9' not found"]}}


class Sleeps(list[float]):
    """Takes the place of ``time.sleep``: remembers, and does not wait."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def sleeps() -> Sleeps:
    return Sleeps()


@pytest.fixture
def connect(sleeps: Sleeps) -> Iterator[Callable[..., EnvokeClient]]:
    """Open a client; what is given changes the configuration."""
    opened: list[EnvokeClient] = []

    def open_client(**changes: Any) -> EnvokeClient:
        opened.append(EnvokeClient(replace(CONFIG, **changes), sleep=sleeps))
        return opened[-1]

    yield open_client
    for client in opened:
        client.close()


# What is sent


def test_a_request_carries_json_credentials_and_the_provider_s_name(
    connect: Callable[..., EnvokeClient], requests_mock: requests_mock.Mocker
) -> None:
    requests_mock.patch(CONTACTS, json=UPDATED)

    connect().send(protocol.update_contact({"email": "jon@example.com", "city": "Québec"}))

    (sent,) = requests_mock.request_history
    assert sent.body == b'{"email": "jon@example.com", "city": "Qu\\u00e9bec"}'
    assert sent.headers["Content-Type"] == "application/json"
    assert sent.headers["Authorization"] == BASIC
    assert re.fullmatch(r"airflow-provider-envoke/\d+\.\d+\.\d+.*", sent.headers["User-Agent"])
    assert sent.timeout == CONFIG.timeout_s


def test_credentials_beyond_latin_1_are_sent_as_utf_8(
    connect: Callable[..., EnvokeClient], requests_mock: requests_mock.Mocker
) -> None:
    requests_mock.get(f"{HOST}/v1/settings", json=ACCOUNT)

    connect(api_id="ид", api_key="ключ").send(ACCOUNT_REQUEST)

    assert requests_mock.last_request.headers["Authorization"] == "Basic 0LjQtDrQutC70Y7Rhw=="


@pytest.mark.parametrize(
    ("request_", "method", "target"),
    [
        pytest.param(
            protocol.update_contact({"city": "x"}, contact_id=7), "PATCH", "/v1/contacts/7", id="patch-by-id"
        ),
        pytest.param(PATCH, "PATCH", "/v1/contacts", id="patch-by-email"),
        pytest.param(
            protocol.update_contact({"remote_id": "R 1", "city": "x"}, keyfield="remote_id"),
            "PATCH",
            "/v1/contacts?keyfield=remote_id",
            id="patch-by-remote-id",
        ),
        pytest.param(CREATE, "POST", "/v1/contacts", id="create"),
        pytest.param(UPSERT, "POST", "/v1/contacts?upsert=1", id="upsert"),
    ],
)
def test_the_target_goes_out_as_it_was_built(
    request_: protocol.Request, method: str, target: str, connect: Callable[..., EnvokeClient]
) -> None:
    with FaultyServer(answer(UPDATED)) as server:
        connect(base_url=server.url).send(request_)

    (sent,) = server.requests
    assert (sent.method, sent.target) == (method, target)


def test_a_filter_reaches_the_service_as_it_was_meant(connect: Callable[..., EnvokeClient]) -> None:
    with FaultyServer(answer([])) as server:
        client = connect(base_url=server.url)
        assert list(client.find_contacts({"email": {"$in": ["a+b@x.com", "é&=#@x.com"]}}, fields=["id"])) == []

    (sent,) = server.requests
    encoded = "filter%5Bemail%5D%5B%24in%5D%5B%5D="
    assert sent.target == (
        "/v1/contacts?limit=100&sort%5Bid%5D=ASC&fields=id"
        f"&{encoded}a%2Bb%40x.com&{encoded}%C3%A9%26%3D%23%40x.com"
    )


def test_many_requests_share_one_connection(connect: Callable[..., EnvokeClient]) -> None:
    script = (answer(UPDATED), faults.chunked(UPDATED), answer(REFUSAL, 400), faults.good_gzip, answer(UPDATED))
    with FaultyServer(*script) as server:
        client = connect(base_url=server.url)
        for request in (PATCH, PATCH, PATCH, ACCOUNT_REQUEST, *[PATCH] * 46):
            with suppress(EnvokeRejectedError):
                client.send(request)

    assert len(server.requests) == 50
    assert server.connections == 1


def test_the_sandbox_keeps_the_connection_open_too(
    connect: Callable[..., EnvokeClient], envoke_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    create_connection = socket.create_connection
    monkeypatch.setattr(
        "urllib3.util.connection.create_connection",
        lambda address, *args, **kwargs: opened.append(address) or create_connection(address, *args[:1]),
    )
    client = connect(base_url=envoke_sandbox.url, api_id="sandbox-id", api_key="sandbox-key")

    for _ in range(20):
        client.send(ACCOUNT_REQUEST)

    assert envoke_sandbox.stats["requests"] == 20
    assert len(opened) == 1


def test_a_connection_that_the_service_closed_meanwhile_is_opened_again(
    connect: Callable[..., EnvokeClient], sleeps: Sleeps
) -> None:
    def answer_and_close(exchange: faults.Exchange) -> bool:
        answer(UPDATED)(exchange)
        return False

    with FaultyServer(answer_and_close) as server:
        client = connect(base_url=server.url)
        client.send(CREATE)
        assert server.hung_up.acquire(timeout=10)
        client.send(CREATE)

    assert [sent.method for sent in server.requests] == ["POST", "POST"]


def test_a_closed_client_has_no_connection_left(connect: Callable[..., EnvokeClient]) -> None:
    with FaultyServer(answer(UPDATED)) as server:
        client = connect(base_url=server.url)
        client.send(PATCH)
        client.close()
        client.send(PATCH)

    assert server.connections == 2


def test_a_payload_that_json_cannot_carry_is_refused_and_not_sent(
    connect: Callable[..., EnvokeClient], requests_mock: requests_mock.Mocker
) -> None:
    for value in (object(), float("nan"), datetime(2026, 1, 1, tzinfo=UTC), {1, 2}):
        with pytest.raises(EnvokeDataError, match="build_payload") as caught:
            connect().send(protocol.update_contact({"email": "jon@example.com", "city": value}))
        assert caught.value.__context__ is None

    assert requests_mock.call_count == 0


# What is sent again


def _fails_then_works(
    requests_mock: requests_mock.Mocker, *failures: dict[str, Any], method: str = "PATCH"
) -> None:
    requests_mock.register_uri(method, CONTACTS, [*failures, {"json": UPDATED}])


PASSING = [
    pytest.param({"exc": requests.ConnectionError("refused")}, id="broken-connection"),
    pytest.param({"exc": requests.ReadTimeout}, id="read-timeout"),
    pytest.param({"exc": requests.ConnectTimeout}, id="connect-timeout"),
    pytest.param({"exc": requests.exceptions.ProxyError}, id="proxy"),
    pytest.param({"status_code": 408, "json": REFUSAL}, id="408"),
    pytest.param({"status_code": 425, "text": ""}, id="425"),
    pytest.param({"status_code": 429, "text": ""}, id="429"),
    pytest.param({"status_code": 500, "json": REFUSAL}, id="500"),
    pytest.param({"status_code": 502, "text": "<html>Bad gateway</html>"}, id="502-html"),
    pytest.param({"status_code": 503, "text": ""}, id="503"),
    pytest.param({"status_code": 504, "text": "<!DOCTYPE html>"}, id="504-html"),
    pytest.param({"status_code": 200, "text": ""}, id="200-empty"),
    pytest.param({"status_code": 200, "text": "<html>Maintenance</html>"}, id="200-html"),
    pytest.param({"status_code": 200, "text": '{"success": tr'}, id="200-cut-json"),
    pytest.param({"status_code": 200, "json": {"result_text": "Updated"}}, id="200-without-success"),
    pytest.param({"status_code": 200, "json": {"success": "true"}}, id="200-success-as-text"),
    pytest.param({"status_code": 200, "json": [1]}, id="200-list"),
    pytest.param({"status_code": 204, "text": ""}, id="204"),
]


@pytest.mark.parametrize("failure", PASSING)
def test_a_failure_that_may_pass_is_tried_again(
    failure: dict[str, Any],
    connect: Callable[..., EnvokeClient],
    requests_mock: requests_mock.Mocker,
    sleeps: Sleeps,
) -> None:
    _fails_then_works(requests_mock, failure, failure)

    assert connect().send(PATCH) == UPDATED

    assert requests_mock.call_count == 3
    assert len(sleeps) == 2
    assert {sent.body for sent in requests_mock.request_history} == {requests_mock.last_request.body}


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        pytest.param({"status_code": 400, "json": REFUSAL}, EnvokeRejectedError, id="400"),
        pytest.param({"status_code": 400, "text": "<html>"}, EnvokeRejectedError, id="400-html"),
        pytest.param({"status_code": 400, "json": NOT_FOUND}, EnvokeNotFoundError, id="400-not-found"),
        pytest.param({"status_code": 200, "json": REFUSAL}, EnvokeRejectedError, id="200-success-false"),
        pytest.param({"status_code": 403, "json": REFUSAL}, EnvokeAuthError, id="403"),
        pytest.param({"status_code": 404, "json": REFUSAL}, EnvokeRejectedError, id="404"),
        pytest.param({"status_code": 405, "text": ""}, EnvokeRejectedError, id="405"),
        pytest.param({"status_code": 413, "text": ""}, EnvokeRejectedError, id="413"),
        pytest.param({"status_code": 401, "json": REFUSAL}, EnvokeAuthError, id="first-401"),
        pytest.param({"status_code": 302, "headers": {"Location": "/x"}}, EnvokeRejectedError, id="302"),
        pytest.param({"exc": requests.exceptions.InvalidURL}, EnvokeConfigError, id="address"),
    ],
)
def test_a_failure_that_would_come_again_is_not_tried_again(
    failure: dict[str, Any],
    kind: type[EnvokeError],
    connect: Callable[..., EnvokeClient],
    requests_mock: requests_mock.Mocker,
    sleeps: Sleeps,
) -> None:
    _fails_then_works(requests_mock, failure)

    with pytest.raises(EnvokeError) as caught:
        connect().send(PATCH)

    assert type(caught.value) is kind
    assert requests_mock.call_count == 1
    assert sleeps == []


def test_all_messages_of_a_refusal_reach_the_reader(
    connect: Callable[..., EnvokeClient], requests_mock: requests_mock.Mocker
) -> None:
    requests_mock.patch(CONTACTS, status_code=400, json=REFUSAL)

    with pytest.raises(EnvokeRejectedError, match="HTTP 400: No; Nor that") as caught:
        connect().send(PATCH)

    assert (caught.value.status, caught.value.method, caught.value.path) == (400, "PATCH", "/v1/contacts")
    assert caught.value.messages == ("No", "Nor that")


def test_a_401_after_a_success_is_tried_again(
    connect: Callable[..., EnvokeClient], requests_mock: requests_mock.Mocker
) -> None:
    requests_mock.patch(
        CONTACTS,
        [{"json": UPDATED}, {"status_code": 401, "json": REFUSAL}, {"status_code": 401}, {"json": UPDATED}],
    )
    client = connect()

    client.send(PATCH)
    client.send(PATCH)

    assert requests_mock.call_count == 4


def test_a_403_after_a_success_is_not_tried_again(
    connect: Callable[..., EnvokeClient], requests_mock: requests_mock.Mocker
) -> None:
    requests_mock.patch(CONTACTS, [{"json": UPDATED}, {"status_code": 403}])
    client = connect()
    client.send(PATCH)

    with pytest.raises(EnvokeAuthError):
        client.send(PATCH)

    assert requests_mock.call_count == 2


def test_a_401_that_stays_is_told_as_what_it_is(
    connect: Callable[..., EnvokeClient], requests_mock: requests_mock.Mocker
) -> None:
    requests_mock.patch(CONTACTS, [{"json": UPDATED}, {"status_code": 401, "json": REFUSAL}])
    client = connect()
    client.send(PATCH)

    with pytest.raises(EnvokeAuthError, match="API key"):
        client.send(PATCH)

    assert requests_mock.call_count == 1 + 1 + CONFIG.max_retries


@pytest.mark.parametrize("max_retries", [0, 1, 4])
def test_there_are_as_many_attempts_as_retries_and_one(
    max_retries: int,
    connect: Callable[..., EnvokeClient],
    requests_mock: requests_mock.Mocker,
    sleeps: Sleeps,
) -> None:
    requests_mock.patch(CONTACTS, status_code=503, json=REFUSAL)

    with pytest.raises(EnvokeTransientError, match="No; Nor that") as caught:
        connect(max_retries=max_retries).send(PATCH)

    assert caught.value.status == 503
    assert requests_mock.call_count == max_retries + 1
    assert len(sleeps) == max_retries


def test_the_waits_grow_and_differ(
    connect: Callable[..., EnvokeClient],
    requests_mock: requests_mock.Mocker,
    sleeps: Sleeps,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []
    monkeypatch.setattr("random.uniform", lambda low, high: asked.append((low, high)) or high)
    requests_mock.patch(CONTACTS, status_code=503)

    with pytest.raises(EnvokeTransientError):
        connect(max_retries=9).send(PATCH)

    assert sleeps == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    assert {low for low, _ in asked} == {0}, "full jitter: many tasks that failed together do not come together"


def test_a_retry_after_in_seconds_is_waited_for(
    connect: Callable[..., EnvokeClient], requests_mock: requests_mock.Mocker, sleeps: Sleeps
) -> None:
    _fails_then_works(requests_mock, {"status_code": 429, "headers": {"retry-after": "17"}})

    connect().send(PATCH)

    (slept,) = sleeps
    assert 17 <= slept < 18


def test_a_retry_after_as_a_date_is_waited_for(
    connect: Callable[..., EnvokeClient], requests_mock: requests_mock.Mocker, sleeps: Sleeps
) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=60)
    headers = {"Retry-After": format_datetime(until, usegmt=True)}
    _fails_then_works(requests_mock, {"status_code": 503, "headers": headers})

    connect().send(PATCH)

    (slept,) = sleeps
    assert (until - datetime.now(UTC)).total_seconds() <= slept < 61


@pytest.mark.parametrize("value", ["soon", "-5", "1.5", "", "Thu, 99 Foo 2026 00:00:00 GMT", "٣", "9" * 5000])
def test_a_retry_after_without_sense_does_no_harm(
    value: str, connect: Callable[..., EnvokeClient], requests_mock: requests_mock.Mocker, sleeps: Sleeps
) -> None:
    _fails_then_works(requests_mock, {"status_code": 429, "headers": {"Retry-After": value}})

    if value.startswith("9"):
        with pytest.raises(EnvokeTransientError):
            connect().send(PATCH)
        assert sleeps == []
    else:
        connect().send(PATCH)
        assert len(sleeps) == 1


def test_a_retry_after_in_the_past_is_over(
    connect: Callable[..., EnvokeClient], requests_mock: requests_mock.Mocker, sleeps: Sleeps
) -> None:
    headers = {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}
    _fails_then_works(requests_mock, {"status_code": 429, "headers": headers})

    connect().send(PATCH)

    assert len(sleeps) == 1
    assert 0 <= sleeps[0] < 1


@pytest.mark.parametrize(("seconds", "attempts"), [("300", 4), ("301", 1), ("86400", 1)])
def test_more_than_five_minutes_are_not_waited_for(
    seconds: str,
    attempts: int,
    connect: Callable[..., EnvokeClient],
    requests_mock: requests_mock.Mocker,
    sleeps: Sleeps,
) -> None:
    requests_mock.patch(CONTACTS, status_code=429, headers={"Retry-After": seconds})

    with pytest.raises(EnvokeTransientError) as caught:
        connect().send(PATCH)

    assert caught.value.retry_after == float(seconds)
    assert requests_mock.call_count == attempts
    assert len(sleeps) == attempts - 1


@pytest.mark.parametrize(
    ("failure", "attempts"),
    [
        pytest.param({"status_code": 429}, 2, id="429"),
        pytest.param({"exc": requests.ConnectTimeout}, 2, id="no-connection-in-time"),
        pytest.param({"status_code": 500}, 1, id="500"),
        pytest.param({"status_code": 502, "text": "<html>"}, 1, id="502"),
        pytest.param({"exc": requests.ReadTimeout}, 1, id="timeout"),
        pytest.param({"exc": requests.ConnectionError("reset")}, 1, id="broken-connection"),
        pytest.param({"text": "<html>"}, 1, id="200-html"),
        pytest.param({"text": ""}, 1, id="200-empty"),
    ],
)
def test_a_contact_is_not_created_twice(
    failure: dict[str, Any],
    attempts: int,
    connect: Callable[..., EnvokeClient],
    requests_mock: requests_mock.Mocker,
) -> None:
    _fails_then_works(requests_mock, failure, method="POST")
    client = connect()

    if attempts == 1:
        with pytest.raises(EnvokeTransientError) as caught:
            client.send(CREATE)
        assert caught.value.may_have_arrived
    else:
        client.send(CREATE)

    assert requests_mock.call_count == attempts


@pytest.mark.parametrize("failure", PASSING)
def test_an_upsert_is_sent_again_whatever_became_of_it(
    failure: dict[str, Any], connect: Callable[..., EnvokeClient], requests_mock: requests_mock.Mocker
) -> None:
    _fails_then_works(requests_mock, failure, method="POST")

    connect().send(UPSERT)

    assert requests_mock.call_count == 2


def test_each_retry_is_in_the_log_without_any_address(
    connect: Callable[..., EnvokeClient],
    requests_mock: requests_mock.Mocker,
    caplog: pytest.LogCaptureFixture,
) -> None:
    failure = {"status_code": 503, "json": {"success": False, "result_text": "jon@example.com is locked"}}
    _fails_then_works(requests_mock, failure)

    with caplog.at_level(logging.WARNING):
        connect().send(PATCH)

    (record,) = caplog.records
    assert "HTTP 503: j***@example.com is locked" in record.getMessage()
    assert re.match(r"Attempt 1 of 4 failed, and the request is sent again in 0\.\d s: ", record.getMessage())


# Pages


@pytest.mark.parametrize(
    ("count", "pages"),
    [(0, 1), (1, 1), (99, 1), (100, 2), (101, 2), (250, 3)],
)
def test_pages_are_asked_for_until_one_is_not_full(
    count: int,
    pages: int,
    connect: Callable[..., EnvokeClient],
    envoke_sandbox: Sandbox,
) -> None:
    envoke_sandbox.reset([{"email": f"{number}@example.com"} for number in range(count)])
    client = connect(base_url=envoke_sandbox.url, api_id="sandbox-id", api_key="sandbox-key")

    found = [contact["id"] for contact in client.find_contacts({})]

    assert found == list(range(1, count + 1))
    assert len(envoke_sandbox.requests) == pages


def test_a_page_is_not_asked_for_before_it_is_needed(
    connect: Callable[..., EnvokeClient], envoke_sandbox: Sandbox
) -> None:
    envoke_sandbox.reset([{"email": f"{number}@example.com"} for number in range(250)])
    client = connect(base_url=envoke_sandbox.url, api_id="sandbox-id", api_key="sandbox-key")

    contacts = client.find_contacts({})
    assert envoke_sandbox.requests == []
    next(contacts)

    assert len(envoke_sandbox.requests) == 1


# Pace


def test_requests_keep_their_distance(
    requests_mock: requests_mock.Mocker, sleeps: Sleeps, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    sent_at = []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    def record(*_: object) -> dict[str, Any]:
        sent_at.append(now)
        return UPDATED

    monkeypatch.setattr(time, "monotonic", lambda: now)
    requests_mock.patch(CONTACTS, json=record)
    client = EnvokeClient(replace(CONFIG, requests_per_second=4.0), sleep=sleep)
    with closing(client):
        for _ in range(5):
            client.send(PATCH)
        now += 60
        for _ in range(3):
            client.send(PATCH)

    start = 1_000.0
    assert sent_at[:5] == [start, start + 0.25, start + 0.5, start + 0.75, start + 1]
    after = start + 1 + 60
    assert sent_at[5:] == [after, after + 0.25, after + 0.5], "a pause is not saved up for a burst"


def test_retries_keep_the_distance_too(
    connect: Callable[..., EnvokeClient],
    requests_mock: requests_mock.Mocker,
    sleeps: Sleeps,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("random.uniform", lambda low, high: 0.0)
    _fails_then_works(requests_mock, {"status_code": 503})

    connect(requests_per_second=0.1).send(PATCH)

    back_off, pace = sleeps
    assert back_off == 0
    assert 9 < pace <= 10


def test_without_a_limit_nothing_is_waited_for(
    connect: Callable[..., EnvokeClient], requests_mock: requests_mock.Mocker, sleeps: Sleeps
) -> None:
    requests_mock.patch(CONTACTS, json=UPDATED)
    client = connect()

    for _ in range(5):
        client.send(PATCH)

    assert sleeps == []


# Faults of a real connection


def _url_of_nobody() -> str:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


ARRIVED = "Whether the request was carried out is not known"

FAULTS = [
    # A RST that comes while the request is being sent: it cannot be known how much of it was read.
    pytest.param(faults.reset_before_reading, "broke", id="reset-before-reading"),
    pytest.param(faults.reset_after_reading, "broke", id="reset-after-reading"),
    pytest.param(faults.close_after_reading, "broke", id="closed-without-answer"),
    pytest.param(faults.not_http, "broke", id="not-http"),
    pytest.param(faults.stall, r"did not answer within 0\.2 s \(the extra 'timeout'\)", id="stall"),
    pytest.param(faults.drip(), "broke off", id="drip"),
    pytest.param(faults.cut_off(), "broke off", id="cut-off"),
    pytest.param(faults.cut_off(missing=1), "broke off", id="cut-off-by-a-byte"),
    pytest.param(faults.cut_off(encoding="gzip"), "broke off", id="cut-off-gzip"),
    pytest.param(faults.cut_off_chunks, "broke off", id="cut-off-chunks"),
    pytest.param(faults.lying_gzip, "broke off", id="lying-gzip"),
]


@pytest.mark.parametrize(("fault", "words"), FAULTS)
def test_a_fault_of_the_connection_passes(
    fault: Callable[[faults.Exchange], bool], words: str, connect: Callable[..., EnvokeClient], sleeps: Sleeps
) -> None:
    with FaultyServer(fault, answer(UPDATED)) as server:
        assert connect(base_url=server.url, timeout_s=0.2).send(PATCH) == UPDATED

    assert len(sleeps) == 1


@pytest.mark.parametrize(("fault", "words"), FAULTS)
def test_a_fault_of_the_connection_that_stays_is_told_in_words(
    fault: Callable[[faults.Exchange], bool], words: str, connect: Callable[..., EnvokeClient]
) -> None:
    begun = time.monotonic()
    with (
        FaultyServer(fault) as server,
        pytest.raises(EnvokeAPIError, match=words) as caught,
    ):
        connect(base_url=server.url, timeout_s=0.2, max_retries=0).send(PATCH)

    assert time.monotonic() - begun < 2
    error = caught.value
    assert (error.method, error.path, error.__cause__, error.__context__) == ("PATCH", "/v1/contacts", None, None)
    assert isinstance(error, EnvokeTransientError)
    assert error.may_have_arrived
    assert ARRIVED in str(error)


@pytest.mark.parametrize(("fault", "words"), FAULTS)
def test_a_create_that_met_a_fault_is_not_repeated(
    fault: Callable[[faults.Exchange], bool], words: str, connect: Callable[..., EnvokeClient], sleeps: Sleeps
) -> None:
    with FaultyServer(fault, answer(UPDATED)) as server, pytest.raises(EnvokeTransientError, match=words):
        connect(base_url=server.url, timeout_s=0.2).send(CREATE)

    assert sleeps == []
    assert len(server.requests) <= 1


def test_an_answer_larger_than_any_can_be_is_not_read_to_its_end(
    connect: Callable[..., EnvokeClient],
) -> None:
    with FaultyServer(faults.huge(33 * 1024 * 1024)) as server:
        client = connect(base_url=server.url, max_retries=0)
        with pytest.raises(EnvokeTransientError, match="broke off"):
            client.send(ACCOUNT_REQUEST)


def test_an_answer_that_is_as_large_as_it_may_be_is_read(connect: Callable[..., EnvokeClient]) -> None:
    with FaultyServer(faults.huge(answers.MAX_ANSWER_BYTES)) as server:
        account = connect(base_url=server.url).send(ACCOUNT_REQUEST)

    assert len(account["name"]) == answers.MAX_ANSWER_BYTES - 12


def test_a_small_answer_that_unpacks_without_end_is_not_read_to_its_end(
    connect: Callable[..., EnvokeClient],
) -> None:
    with FaultyServer(faults.gzip_bomb(64 * 1024 * 1024)) as server:
        client = connect(base_url=server.url, max_retries=0)
        with pytest.raises(EnvokeTransientError, match="broke off"):
            client.send(ACCOUNT_REQUEST)


def test_a_refused_connection_is_tried_again_and_then_told(
    connect: Callable[..., EnvokeClient], sleeps: Sleeps
) -> None:
    url = _url_of_nobody()

    with pytest.raises(EnvokeTransientError, match=rf"{url} refused the connection") as caught:
        connect(base_url=url).send(CREATE)

    assert len(sleeps) == CONFIG.max_retries, "also a create: it cannot have arrived"
    assert not caught.value.may_have_arrived
    assert ARRIVED not in str(caught.value)


def test_a_host_that_does_not_exist_is_told_as_such(connect: Callable[..., EnvokeClient], sleeps: Sleeps) -> None:
    with pytest.raises(EnvokeTransientError, match=r"host of https://envoke\.invalid was not found \(DNS\)"):
        connect(base_url="https://envoke.invalid").send(CREATE)

    assert len(sleeps) == CONFIG.max_retries


def test_an_unusable_proxy_is_told_as_such(
    connect: Callable[..., EnvokeClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", _url_of_nobody())
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    with pytest.raises(EnvokeTransientError, match="the proxy set in the environment") as caught:
        connect(max_retries=0).send(CREATE)

    assert not caught.value.may_have_arrived


# Redirects


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_a_redirect_is_not_followed(status: int, connect: Callable[..., EnvokeClient]) -> None:
    with FaultyServer() as other, FaultyServer(answer(b"", status, location=f"{other.url}/x")) as server:
        client = connect(base_url=server.url)
        with pytest.raises(EnvokeRejectedError, match=r"redirected to '127\.0\.0\.1'") as caught:
            client.send(ACCOUNT_REQUEST)

    assert caught.value.status == status
    assert "put the right host into the connection" in str(caught.value)
    assert len(server.requests) == 1
    assert (other.connections, other.requests) == (0, [])


@pytest.mark.parametrize(
    "location",
    ["", "/elsewhere", "http://[bad", "http://e1.envoke.com:port/", "ftp://x", "//", "\xff\xfe", "http://a b"],
)
def test_a_redirect_to_nowhere_is_a_refusal_like_any_other(
    location: str, connect: Callable[..., EnvokeClient]
) -> None:
    with (
        FaultyServer(answer(b"", 302, location=location)) as server,
        pytest.raises(EnvokeRejectedError, match="was redirected"),
    ):
        connect(base_url=server.url).send(ACCOUNT_REQUEST)

    assert len(server.requests) == 1


def test_the_address_of_a_redirect_is_not_shown_in_full(connect: Callable[..., EnvokeClient]) -> None:
    location = "https://an-id:a-key@elsewhere.example.com/?email=jon@example.com"
    with (
        FaultyServer(answer(b"", 302, location=location)) as server,
        pytest.raises(EnvokeRejectedError, match=r"'elsewhere\.example\.com'") as caught,
    ):
        connect(base_url=server.url).send(ACCOUNT_REQUEST)

    assert "a-key" not in str(caught.value)
    assert "jon@" not in str(caught.value)


def test_the_body_of_a_redirect_is_not_waited_for(connect: Callable[..., EnvokeClient]) -> None:
    begun = time.monotonic()
    with (
        FaultyServer(faults.drip(status=302, Location="/x")) as server,
        pytest.raises(EnvokeAPIError),
    ):
        connect(base_url=server.url, timeout_s=0.2, max_retries=0).send(ACCOUNT_REQUEST)

    assert time.monotonic() - begun < 2


# TLS


def test_an_authority_of_one_s_own_is_trusted_by_its_file(
    connect: Callable[..., EnvokeClient], authority: trustme.CA, ca_bundle: str
) -> None:
    tls = tls_serving(authority.issue_cert("localhost"))
    with FaultyServer(answer(ACCOUNT), tls=tls, name="localhost") as server:
        client = connect(base_url=server.url, ca_bundle=ca_bundle)
        answers_ = [client.send(ACCOUNT_REQUEST) for _ in range(5)]

    assert answers_ == [ACCOUNT] * 5
    assert server.connections == 1


def test_a_self_signed_certificate_is_refused(connect: Callable[..., EnvokeClient], authority: trustme.CA) -> None:
    with (
        FaultyServer(tls=tls_serving(trustme.CA().issue_cert("localhost")), name="localhost") as server,
        pytest.raises(EnvokeConfigError, match="TLS: the certificate of https://localhost"),
    ):
        connect(base_url=server.url).send(ACCOUNT_REQUEST)


def test_https_to_a_server_without_tls_is_told_as_such(connect: Callable[..., EnvokeClient]) -> None:
    with FaultyServer(faults.greets_first) as server:
        client = connect(base_url=server.url.replace("http:", "https:"), max_retries=0)
        with pytest.raises(EnvokeTransientError, match="does it speak https at that port") as caught:
            client.send(CREATE)

    assert not caught.value.may_have_arrived, "nothing is sent before the handshake"
    assert ARRIVED not in str(caught.value)


def test_a_create_is_not_repeated_when_tls_breaks_after_the_request(
    connect: Callable[..., EnvokeClient], authority: trustme.CA, ca_bundle: str
) -> None:
    tls = tls_serving(authority.issue_cert("localhost"))
    with (
        FaultyServer(faults.garbage_inside_tls, answer(UPDATED), tls=tls, name="localhost") as server,
        pytest.raises(EnvokeTransientError, match=ARRIVED),
    ):
        connect(base_url=server.url, ca_bundle=ca_bundle).send(CREATE)

    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(None, "No such file or directory", id="missing"),
        pytest.param(b"", "it holds no certificate in PEM form", id="empty"),
        pytest.param(b"\x30\x82\x01", "it holds no certificate in PEM form", id="der"),
        pytest.param(b"-----BEGIN CERTIFICATE-----\nMIIB\n", "it holds no certificate in PEM form", id="broken"),
        pytest.param("directory", "Is a directory", id="directory"),
    ],
)
def test_a_ca_bundle_that_is_no_use_is_refused_before_anything_is_sent(
    content: bytes | str | None, words: str, connect: Callable[..., EnvokeClient], tmp_path: Path
) -> None:
    path = tmp_path / "ca.pem"
    if isinstance(content, str):
        path.mkdir()
    elif content is not None:
        path.write_bytes(content)

    with pytest.raises(EnvokeConfigError, match=f"extra 'ca_bundle' names a file that is no use: {words}"):
        connect(ca_bundle=str(path))


# The environment


def test_the_environment_s_authorities_are_trusted_if_the_connection_names_none(
    connect: Callable[..., EnvokeClient],
    authority: trustme.CA,
    ca_bundle: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_bundle)
    with FaultyServer(tls=tls_serving(authority.issue_cert("localhost")), name="localhost") as server:
        assert connect(base_url=server.url).send(ACCOUNT_REQUEST) == ACCOUNT


def test_the_environment_s_authorities_do_not_replace_the_connection_s(
    connect: Callable[..., EnvokeClient],
    authority: trustme.CA,
    ca_bundle: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(other))
    with FaultyServer(tls=tls_serving(authority.issue_cert("localhost")), name="localhost") as server:
        assert connect(base_url=server.url, ca_bundle=ca_bundle).send(ACCOUNT_REQUEST) == ACCOUNT

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_bundle)
    with (
        FaultyServer(tls=tls_serving(authority.issue_cert("localhost")), name="localhost") as server,
        pytest.raises(EnvokeConfigError, match="issuer"),
    ):
        connect(base_url=server.url, ca_bundle=str(other)).send(ACCOUNT_REQUEST)


@pytest.mark.parametrize("kind", ["missing", "not-pem"])
def test_authorities_of_the_environment_that_are_no_use_are_told_by_their_variable(
    kind: str, connect: Callable[..., EnvokeClient], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ca.pem"
    if kind == "not-pem":
        path.write_text("no certificate")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))

    with pytest.raises(EnvokeConfigError, match="REQUESTS_CA_BUNDLE"):
        connect(max_retries=0).send(ACCOUNT_REQUEST)


def test_authorities_of_the_environment_do_not_matter_where_there_is_no_tls(
    connect: Callable[..., EnvokeClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with FaultyServer() as server:
        assert connect(base_url=server.url).send(ACCOUNT_REQUEST) == ACCOUNT


def test_a_directory_of_authorities_may_stand_in_the_environment(
    connect: Callable[..., EnvokeClient], authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    tls = tls_serving(authority.issue_cert("localhost"))
    with (
        FaultyServer(tls=tls, name="localhost") as server,
        pytest.raises(EnvokeConfigError, match="unable to get local issuer"),
    ):
        connect(base_url=server.url).send(ACCOUNT_REQUEST)


def test_a_netrc_does_not_replace_the_connection_s_credentials(
    connect: Callable[..., EnvokeClient], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else\ndefault login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with FaultyServer() as server:
        connect(base_url=server.url).send(ACCOUNT_REQUEST)

    (sent,) = server.requests
    assert sent.headers["authorization"] == BASIC


def test_the_address_in_a_filter_is_masked_in_urllib3_s_log(
    connect: Callable[..., EnvokeClient], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), FaultyServer(answer([])) as server:
        list(connect(base_url=server.url).find_contacts({"email": {"$in": ["jon+tag@example.com", "ü@x.org"]}}))

    assert "GET /v1/contacts" in caplog.text, "urllib3 has logged the URL"
    assert "j***%40example.com" in caplog.text
    assert "jon" not in caplog.text


def test_nothing_that_can_be_shown_holds_the_credentials(connect: Callable[..., EnvokeClient]) -> None:
    client = connect(api_key="the-secret-key")

    shown = [repr(client), str(client), repr(client._session.auth), repr(client._config), str(client._config)]

    assert not [text for text in shown if "the-secret-key" in text or "dGhlLXNlY3JldC1rZXk" in text]
    assert repr(single._BasicAuth("secret")) == "_BasicAuth(***)"
