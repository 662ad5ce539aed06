"""Real handshakes and real proxies, the same for both clients."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_envoke.clients.bulk import BulkClient
from airflow_provider_envoke.clients.single import EnvokeClient
from airflow_provider_envoke.core import protocol
from airflow_provider_envoke.core.config import EnvokeConfig
from airflow_provider_envoke.exceptions import (
    EnvokeConfigError,
    EnvokeError,
    EnvokeRejectedError,
    EnvokeTransientError,
)
from tests import faulty_server as faults
from tests.connect_proxy import ConnectProxy
from tests.faulty_server import UPDATED, FaultyServer, answer, tls_serving

if TYPE_CHECKING:
    from collections.abc import Callable

    import trustme

UPDATE = protocol.update_contact({"email": "ana@example.com", "city": "Laval"})
NAME = "envoke.test"  # no address of this machine: without the proxy it is not found


def _single(config: EnvokeConfig) -> Any:
    client = EnvokeClient(config, sleep=lambda _: None)
    try:
        return client.send(UPDATE)
    finally:
        client.close()


def _bulk(config: EnvokeConfig) -> Any:
    async def main() -> Any:
        async with BulkClient(config) as client:
            return await client.send(UPDATE)

    return asyncio.run(main())


@pytest.fixture(params=[_single, _bulk], ids=["requests", "aiohttp"])
def send(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Send one update, by either client, in an environment without proxies."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)

    def send(url: str, **parts: Any) -> Any:
        return request.param(EnvokeConfig("an-id", "a-key", url, timeout_s=5.0, max_retries=0, **parts))

    return send


def refusal(send: Callable[..., Any], url: str, **parts: Any) -> EnvokeError:
    with pytest.raises(EnvokeError) as caught:
        send(url, **parts)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    return caught.value


def https(authority: trustme.CA, *names: str, **more: Any) -> FaultyServer:
    return FaultyServer(answer(UPDATED), tls=tls_serving(authority.issue_cert(*names, **more)), name="localhost")


# TLS

YESTERDAY = datetime.now(UTC) - timedelta(days=1)
BAD_CERTIFICATES = [
    pytest.param("localhost", {}, False, "unable to get local issuer certificate", id="unknown-authority"),
    pytest.param(
        "envoke.example", {}, True, "ostname mismatch, certificate is not valid for 'localhost'", id="name"
    ),
    pytest.param("localhost", {"not_after": YESTERDAY}, True, "certificate has expired", id="expired"),
]


@pytest.mark.parametrize(("name", "more", "trusted", "words"), BAD_CERTIFICATES)
def test_a_certificate_that_does_not_hold_is_refused_in_words_that_say_why(
    name: str,
    more: dict[str, Any],
    trusted: bool,
    words: str,
    send: Callable[..., Any],
    authority: trustme.CA,
    ca_bundle: str,
) -> None:
    with https(authority, name, **more) as server:
        error = refusal(send, server.url, ca_bundle=ca_bundle if trusted else None)

    assert isinstance(error, EnvokeConfigError), "waiting does not mend a certificate"
    assert words in str(error)
    assert f"TLS: the certificate of {server.url} was refused" in str(error)
    assert server.requests == []


def test_a_certificate_of_the_trusted_authority_is_taken(
    send: Callable[..., Any], authority: trustme.CA, ca_bundle: str
) -> None:
    with https(authority, "localhost") as server:
        assert send(server.url, ca_bundle=ca_bundle) == UPDATED


def test_the_environment_s_authorities_are_taken_if_the_connection_names_none(
    send: Callable[..., Any], authority: trustme.CA, ca_bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_bundle)
    with https(authority, "localhost") as server:
        assert send(server.url) == UPDATED


def test_a_server_that_does_not_speak_tls_is_told_as_such(send: Callable[..., Any]) -> None:
    with FaultyServer(faults.greets_first) as server:
        error = refusal(send, server.url.replace("http:", "https:"))

    assert "does it speak https at that port?" in str(error)
    assert isinstance(error, EnvokeTransientError)
    assert not error.may_have_arrived


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int, send: Callable[..., Any]) -> None:
    with FaultyServer() as other, FaultyServer(answer(b"", status, location=f"{other.url}/x")) as server:
        error = refusal(send, server.url)

    assert isinstance(error, EnvokeRejectedError)
    assert "was redirected to '127.0.0.1'" in str(error)
    assert (len(server.requests), other.connections) == (1, 0)


# Proxies


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
def test_the_environment_s_proxy_is_used_and_sees_neither_credentials_nor_the_request(
    variable: str,
    send: Callable[..., Any],
    authority: trustme.CA,
    ca_bundle: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with https(authority, NAME) as server, ConnectProxy(int(server.url.rpartition(":")[2])) as proxy:
        monkeypatch.setenv(variable, proxy.url.replace("http://", "http://me:pass@"))

        assert send(f"https://{NAME}", ca_bundle=ca_bundle) == UPDATED

    assert [line.rpartition(" ")[0] for line in proxy.asked] == [f"CONNECT {NAME}:443"]
    assert [line.partition(" ")[2] for line in proxy.authorizations] == ["Basic bWU6cGFzcw=="]
    assert "proxy-authorization" not in server.requests[0].headers
    assert server.requests[0].headers["authorization"] == "Basic YW4taWQ6YS1rZXk="


@pytest.mark.parametrize("exempt", ["localhost", "*", "example.com,localhost"])
def test_a_host_that_no_proxy_names_is_asked_directly(
    exempt: str,
    send: Callable[..., Any],
    authority: trustme.CA,
    ca_bundle: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with https(authority, "localhost") as server, ConnectProxy(9) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", exempt)

        assert send(server.url, ca_bundle=ca_bundle) == UPDATED

    assert proxy.asked == []


@pytest.mark.parametrize(("name", "more", "trusted", "words"), BAD_CERTIFICATES)
def test_the_certificate_is_checked_behind_a_proxy_too(
    name: str,
    more: dict[str, Any],
    trusted: bool,
    words: str,
    send: Callable[..., Any],
    authority: trustme.CA,
    ca_bundle: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with https(authority, name, **more) as server, ConnectProxy(int(server.url.rpartition(":")[2])) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        error = refusal(send, server.url, ca_bundle=ca_bundle if trusted else None)

    assert isinstance(error, EnvokeConfigError)
    assert words in str(error)
    assert len(proxy.asked) == 1
    assert server.requests == []


@pytest.mark.parametrize("status", ["407 Who are you", "403 Forbidden", "502 Bad Gateway"])
def test_a_proxy_that_refuses_is_told_as_such_without_its_password(
    status: str, send: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ConnectProxy(9, status) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("http://", "http://me:hidden-word@"))
        error = refusal(send, f"https://{NAME}")

    assert "the proxy set in the environment (HTTPS_PROXY) could not be used" in str(error)
    assert "hidden-word" not in str(error)
    assert isinstance(error, EnvokeTransientError)
    assert not error.may_have_arrived


def test_a_proxy_where_nobody_listens_is_told_as_such(
    send: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ConnectProxy(9) as proxy:
        url = proxy.url
    monkeypatch.setenv("HTTPS_PROXY", url)

    assert "the proxy set in the environment (HTTPS_PROXY) could not be used" in str(
        refusal(send, f"https://{NAME}")
    )


def test_a_proxy_that_is_no_address_is_told_as_such(
    send: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://me:hidden-word@[nowhere")

    error = refusal(send, f"https://{NAME}")

    assert "proxy" in str(error)
    assert "hidden-word" not in str(error)
