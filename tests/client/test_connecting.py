"""
What both clients make of a connection that cannot be opened: nothing was sent, so every request may be repeated.

Certificates are checked in real handshakes, with and without a real proxy.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from airflow_provider_envoke.exceptions import EnvokeConfigError, EnvokeError, EnvokeTransientError
from tests.support import faulty_server as faults
from tests.support.clients import IDEMPOTENT, NOT_IDEMPOTENT, check_nothing_is_shown
from tests.support.connect_proxy import ConnectProxy
from tests.support.faulty_server import UPDATED, FaultyServer, answer, tls_serving
from tests.support.leak_markers import PROXY_PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_envoke.envoke.requests import Request
    from tests.support.clients import Connect, Sleeps
    from tests.support.faulty_server import Step

YESTERDAY = datetime.now(UTC) - timedelta(days=1)


class Places:
    """Addresses that lead nowhere. Its state: the servers, which must not receive a request, and the proxies."""

    def __init__(self, stack: ExitStack, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> None:
        self._stack = stack
        self._authority = authority
        self._setenv = monkeypatch.setenv
        self.servers: list[FaultyServer] = []
        self.proxies: list[ConnectProxy] = []

    def unused_port(self, scheme: str = "http") -> str:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            return f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"

    def full_queue(self) -> str:
        """A port that accepts no more connections, and does not refuse them either."""
        listener = self._stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = self._stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    def without_tls(self, step: Step) -> str:
        return self._serve(step).url.replace("http:", "https:")

    def certificate(self, *names: str, authority: trustme.CA | None = None, **more: Any) -> str:
        tls = tls_serving((authority or self._authority).issue_cert(*names, **more))
        return self._serve(answer(UPDATED), tls=tls, name="localhost").url

    def proxy(self, url: str) -> str:
        self._setenv("HTTPS_PROXY", url.replace("://", f"://me:{PROXY_PASSWORD}@"))
        return "https://envoke.test"

    def refusing_proxy(self, status: str) -> str:
        return self.proxy(self._connect_proxy(9, status))

    def faulty_proxy(self, step: Step) -> str:
        return self.proxy(self._serve(step).url)

    def behind_a_proxy(self, url: str) -> str:
        self.proxy(self._connect_proxy(int(url.rpartition(":")[2])))
        return url

    def _connect_proxy(self, port: int, status: str = "") -> str:
        self.proxies.append(self._stack.enter_context(ConnectProxy(port, status)))
        return self.proxies[-1].url

    def _serve(self, step: Step, **options: Any) -> FaultyServer:
        self.servers.append(self._stack.enter_context(FaultyServer(step, **options)))
        return self.servers[-1]


CERTIFICATES: dict[str, tuple[Callable[[Places], str], str]] = {
    "of an unknown authority": (lambda at: at.certificate("localhost", authority=trustme.CA()), "issuer"),
    "of another host": (lambda at: at.certificate("envoke.example"), "mismatch"),
    "expired": (lambda at: at.certificate("localhost", not_after=YESTERDAY), "expired"),
}
TEMPORARY: dict[str, tuple[Callable[[Places], str], str]] = {
    "refused": (lambda at: at.unused_port(), "refused"),
    "refused, https": (lambda at: at.unused_port("https"), "refused"),
    "host not found": (lambda at: "https://envoke.invalid", "DNS"),
    "no connection in time": (lambda at: at.full_queue(), "no connection"),
    "not TLS": (lambda at: at.without_tls(faults.greets_first), "TLS"),
    "stall in the handshake": (lambda at: at.without_tls(faults.stall), "https://127.0.0.1"),
    "reset in the handshake": (lambda at: at.without_tls(faults.reset_before_reading), "https://127.0.0.1"),
    "closed in the handshake": (lambda at: at.without_tls(lambda exchange: False), "https://127.0.0.1"),
    "proxy refuses connections": (lambda at: at.proxy(at.unused_port()), "proxy"),
    "proxy not found": (lambda at: at.proxy("http://proxy.invalid:3128"), "proxy"),
    "proxy answers 407": (lambda at: at.refusing_proxy("407 Who are you"), "proxy"),
    "proxy answers 403": (lambda at: at.refusing_proxy("403 Forbidden"), "proxy"),
    "proxy answers 502": (lambda at: at.refusing_proxy("502 Bad Gateway"), "proxy"),
    "proxy stalls": (lambda at: at.faulty_proxy(lambda exchange: exchange.stopped.wait(20)), "proxy"),
    "proxy resets": (lambda at: at.faulty_proxy(faults.reset_before_reading), "proxy"),
    "proxy is not HTTP": (lambda at: at.faulty_proxy(faults.greets_first), "proxy"),
}
SLOW = {"no connection in time", "stall in the handshake", "proxy stalls"}
PERMANENT: dict[str, tuple[Callable[[Places], str], str]] = {
    "host with an empty label": (lambda at: "https://a..b", "https://a..b"),
    "host with a long label": (lambda at: f"https://{'a' * 64}.example", "aaaa.example"),
    "proxy is not an address": (lambda at: at.proxy("http://[nowhere"), "HTTPS_PROXY"),
    "proxy without a host": (lambda at: at.proxy("http://:3128"), "HTTPS_PROXY"),
    "proxy with an invalid port": (lambda at: at.proxy("http://proxy.example:99999"), "HTTPS_PROXY"),
    "proxy with an empty label": (lambda at: at.proxy("http://a..b"), "proxy"),
    "SOCKS proxy": (lambda at: at.proxy("socks5://127.0.0.1:1080"), "HTTPS_PROXY"),
    **{f"certificate {name}": case for name, case in CERTIFICATES.items()},
    **{
        f"certificate {name}, behind a proxy": (lambda at, place=place: at.behind_a_proxy(place(at)), says)
        for name, (place, says) in CERTIFICATES.items()
    },
}


@pytest.fixture
def places(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch) -> Iterator[Places]:
    with ExitStack() as stack:
        yield Places(stack, authority, monkeypatch)


@pytest.mark.parametrize("request_", [IDEMPOTENT, NOT_IDEMPOTENT], ids=["idempotent", "not idempotent"])
@pytest.mark.parametrize("name", [*TEMPORARY, *PERMANENT])
def test_a_connection_that_cannot_be_opened(
    name: str, request_: Request, connect: Connect, sleeps: Sleeps, places: Places, ca_bundle: str
) -> None:
    place, says = (TEMPORARY | PERMANENT)[name]
    url = place(places)

    with pytest.raises(EnvokeError) as caught:
        connect(url, timeout_s=0.15 if name in SLOW else 10.0, ca_bundle=ca_bundle).send(request_)

    error = caught.value
    assert says in str(error)
    assert "not known whether" not in str(error)
    if name in TEMPORARY:
        assert type(error) is EnvokeTransientError
        assert (error.status, error.retry_after, error.may_have_arrived) == (None, None, False)
        assert (error.method, error.path) == (request_.method, request_.path)
        assert len(sleeps) == 2
    else:
        assert type(error) is EnvokeConfigError
        assert len(sleeps) == 0
    assert [server.requests for server in places.servers if server.requests] == []
    assert [len(proxy.asked) for proxy in places.proxies] in ([], [len(sleeps) + 1])
    check_nothing_is_shown(error)


def test_tls_that_breaks_after_the_request_may_have_delivered_it(
    connect: Connect, authority: trustme.CA, ca_bundle: str
) -> None:
    tls = tls_serving(authority.issue_cert("localhost"))
    with FaultyServer(faults.garbage_inside_tls, answer(UPDATED), tls=tls, name="localhost") as server:
        with pytest.raises(EnvokeTransientError, match="not known whether") as caught:
            connect(server.url, ca_bundle=ca_bundle).send(NOT_IDEMPOTENT)
        assert caught.value.may_have_arrived
        assert connect(server.url, ca_bundle=ca_bundle).send(IDEMPOTENT) == UPDATED

    assert [sent.method for sent in server.requests] == ["POST", "PATCH"]
