"""
``timeout`` bounds a whole request in both clients, however slowly its parts proceed.

The servers here go on for as long as the test lets them, so a client that waits for each part alone never returns.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.client.bulk import BulkClient
from airflow_provider_envoke.envoke.config import EnvokeConfig
from airflow_provider_envoke.envoke.requests import Request, account
from airflow_provider_envoke.exceptions import EnvokeTransientError
from tests.support import slow_server as slow
from tests.support.clients import IDEMPOTENT, check_nothing_is_shown
from tests.support.faulty_server import ACCOUNT, UPDATED, FaultyServer, answer, tls_serving
from tests.support.leak_markers import API_ID, API_KEY, EMAIL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import trustme

    from tests.support.clients import Client, Connect
    from tests.support.faulty_server import Step

TIMEOUT_S = 0.4
#: A client that keeps to its timeout is back long before; one that does not is not back after a minute.
SOON_S = 5.0

LARGE = Request("PATCH", "/v1/contacts", "/v1/contacts", body={"email": EMAIL, "city": "x" * 30_000_000})

AFTER_CONNECTING: dict[str, tuple[Step, Request]] = {
    "silence": (slow.silent, IDEMPOTENT),
    "request not read": (slow.silent, LARGE),
    "slow status line": (slow.status_line, IDEMPOTENT),
    "slow header": (slow.header, IDEMPOTENT),
    "endless headers": (slow.headers, IDEMPOTENT),
    "endless interim responses": (slow.interim, IDEMPOTENT),
    "slow body": (slow.body, IDEMPOTENT),
    "endless chunks": (slow.chunks, IDEMPOTENT),
    "slow size of a chunk": (slow.chunk_size, IDEMPOTENT),
}


def fail(client: Client, request: Request = IDEMPOTENT) -> tuple[EnvokeTransientError, float]:
    """Send a request that must not succeed, and return its exception and how many seconds it took."""
    started_s = time.monotonic()
    with pytest.raises(EnvokeTransientError) as caught:
        client.send(request)
    check_nothing_is_shown(caught.value)
    return caught.value, time.monotonic() - started_s


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts no more connections, and does not refuse them either."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for each in waiting:
            each.close()


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the host ``slow.example`` have these ports of this machine, or let its lookup wait for an event."""
    system = socket.getaddrinfo

    def resolve(*ports: int, after: threading.Event | None = None) -> None:
        def look_up(host: Any, *arguments: Any, **options: Any) -> Any:
            if host not in ("slow.example", b"slow.example"):
                return system(host, *arguments, **options)
            if after is not None:
                after.wait(20)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)

    return resolve


@pytest.mark.parametrize("name", AFTER_CONNECTING)
def test_a_slow_service_ends_the_request_in_time(name: str, connect: Connect) -> None:
    step, request = AFTER_CONNECTING[name]
    with FaultyServer(step) as server:
        error, seconds = fail(connect(server.url, timeout_s=TIMEOUT_S, max_retries=0), request)

    assert TIMEOUT_S * 0.9 <= seconds < SOON_S
    assert error.may_have_arrived
    assert "0.4 s" in str(error)


@pytest.mark.parametrize("name", [name for name in AFTER_CONNECTING if name != "request not read"])
def test_a_slow_service_behind_tls_ends_the_request_in_time(
    name: str, connect: Connect, authority: trustme.CA, ca_bundle: str
) -> None:
    step, request = AFTER_CONNECTING[name]
    tls = tls_serving(authority.issue_cert("localhost"))
    with FaultyServer(step, tls=tls, name="localhost") as server:
        error, seconds = fail(
            connect(server.url, timeout_s=TIMEOUT_S, max_retries=0, ca_bundle=ca_bundle), request
        )

    assert TIMEOUT_S * 0.9 <= seconds < SOON_S
    assert error.may_have_arrived


@pytest.mark.parametrize("name", ["silent", "handshake"])
def test_a_slow_handshake_ends_the_request_in_time_and_before_it_is_sent(name: str, connect: Connect) -> None:
    with FaultyServer(getattr(slow, name)) as server:
        url = server.url.replace("http:", "https:")
        error, seconds = fail(connect(url, timeout_s=TIMEOUT_S, max_retries=0))

    assert seconds < SOON_S
    assert not error.may_have_arrived


@pytest.mark.parametrize("name", ["silent", "status_line", "header", "headers"])
def test_a_slow_proxy_ends_the_request_in_time_and_before_it_is_sent(
    name: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FaultyServer(getattr(slow, name)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        error, seconds = fail(connect("https://slow.example", timeout_s=TIMEOUT_S, max_retries=0))

    assert seconds < SOON_S
    assert not error.may_have_arrived
    assert {received.method for received in proxy.requests} <= {"CONNECT"}


def test_a_slow_lookup_of_the_host_ends_the_request_in_time_and_before_it_is_sent(
    connect: Connect, resolve: Callable[..., None]
) -> None:
    found = threading.Event()
    resolve(after=found)
    client = connect("http://slow.example", timeout_s=TIMEOUT_S, max_retries=0)
    try:
        error, seconds = fail(client)
    finally:
        found.set()

    assert seconds < SOON_S
    assert "no connection" in str(error)
    assert not error.may_have_arrived


def test_all_addresses_of_a_host_share_the_time(
    connect: Connect, resolve: Callable[..., None], silent_port: int
) -> None:
    resolve(*[silent_port] * 20)

    error, seconds = fail(connect("http://slow.example", timeout_s=TIMEOUT_S, max_retries=0))

    assert seconds < SOON_S
    assert "no connection" in str(error)
    assert not error.may_have_arrived


def test_an_address_that_does_not_respond_leaves_time_for_the_next(
    connect: Connect, resolve: Callable[..., None], silent_port: int
) -> None:
    with FaultyServer() as server:
        resolve(silent_port, int(server.url.rpartition(":")[2]))
        found = connect("http://slow.example", timeout_s=2.0, max_retries=0).send(account())

    assert found == ACCOUNT


def test_the_time_of_the_head_counts_for_the_body(connect: Connect) -> None:
    with FaultyServer(slow.late_then_slow(head_after_s=1.4)) as server:
        _, seconds = fail(connect(server.url, timeout_s=1.5, max_retries=0))

    assert seconds < 2.7  # 1.4 + 1.5 s, if the body had its own time


def test_an_address_that_accepts_gets_the_time_that_the_others_did_not_need(
    connect: Connect, resolve: Callable[..., None], authority: trustme.CA, ca_bundle: str
) -> None:
    tls = tls_serving(authority.issue_cert("slow.example"))

    def slow_handshake(*_: Any) -> None:
        time.sleep(1.0)

    tls.sni_callback = slow_handshake
    with FaultyServer(tls=tls, name="slow.example") as server:
        port = int(server.url.rpartition(":")[2])
        resolve(port, port, port, port)
        found = connect(server.url, timeout_s=3.0, max_retries=0, ca_bundle=ca_bundle).send(account())

    assert found == ACCOUNT


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_the_time_of_the_lookup_counts_for_sending(
    tls: bool, connect: Connect, resolve: Callable[..., None], authority: trustme.CA, ca_bundle: str
) -> None:
    found = threading.Event()
    serving = tls_serving(authority.issue_cert("slow.example")) if tls else None
    with FaultyServer(slow.silent, tls=serving, name="slow.example") as server:
        resolve(int(server.url.rpartition(":")[2]), after=found)
        client = connect(server.url, timeout_s=2.0, max_retries=0, ca_bundle=ca_bundle)
        threading.Timer(1.4, found.set).start()
        error, seconds = fail(client, LARGE)

    assert seconds < 3.2  # 1.4 + 2.0 s, if sending had its own time
    assert error.may_have_arrived


def test_a_connection_that_is_used_again_has_the_whole_time_for_each_request(connect: Connect) -> None:
    def take_a_while(exchange: Any) -> bool:
        exchange.stopped.wait(0.5)
        return answer(UPDATED)(exchange)

    with FaultyServer(take_a_while) as server:
        client = connect(server.url, timeout_s=2.0, max_retries=0)
        assert [client.send(IDEMPOTENT) for _ in range(5)] == [UPDATED] * 5

    assert server.connections == 1


def test_after_a_timeout_the_next_request_uses_another_connection(connect: Connect) -> None:
    with FaultyServer(slow.body, answer(UPDATED)) as server:
        client = connect(server.url, timeout_s=TIMEOUT_S, max_retries=0)
        fail(client)
        assert client.send(IDEMPOTENT) == UPDATED

    assert server.connections == 2


def test_the_time_to_connect_is_shorter_than_the_whole_time_also_if_it_is_long() -> None:
    """aiohttp rounds long timeouts up to a whole second: if both end at once, nobody knows what was sent."""
    ends: list[float] = []

    class RecordingLoop(asyncio.SelectorEventLoop):
        def call_at(self, when: float, *arguments: Any, **options: Any) -> asyncio.TimerHandle:
            ends.append(when)
            return super().call_at(when, *arguments, **options)

    async def send(url: str) -> None:
        async with BulkClient(EnvokeConfig(API_ID, API_KEY, url, timeout_s=20.0)) as client:
            await client.send(IDEMPOTENT)

    with FaultyServer(answer(UPDATED)) as server, asyncio.Runner(loop_factory=RecordingLoop) as runner:
        runner.run(send(server.url))

    latest = sorted(ends)[-2:]
    assert latest[1] - latest[0] == pytest.approx(2.0, abs=0.5)
    assert all(end % 1 for end in latest)
