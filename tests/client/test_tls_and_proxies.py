"""Which authorities and which proxy both clients use: the connection's or the environment's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trustme

from airflow_provider_envoke.envoke.requests import account
from airflow_provider_envoke.exceptions import EnvokeConfigError
from tests.support.connect_proxy import ConnectProxy
from tests.support.faulty_server import ACCOUNT, FaultyServer, answer, tls_serving
from tests.support.leak_markers import BASIC

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.clients import Connect

    Serve = Callable[..., FaultyServer]

NAME = "envoke.test"  # not found without the proxy


@pytest.fixture
def https(authority: trustme.CA) -> Serve:
    """Serve https with a certificate of the authority, for ``localhost`` unless another name is given."""
    return lambda name="localhost": FaultyServer(
        answer(ACCOUNT), tls=tls_serving(authority.issue_cert(name)), name="localhost"
    )


def test_the_connection_s_authorities_are_trusted_whatever_the_environment_says(
    connect: Connect, https: Serve, ca_bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_bundle = str(tmp_path / "other.pem")
    trustme.CA().cert_pem.write_to_path(other_bundle)

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", other_bundle)
    monkeypatch.setenv("CURL_CA_BUNDLE", other_bundle)
    with https() as server:
        client = connect(server.url, ca_bundle=ca_bundle)
        assert [client.send(account()) for _ in range(5)] == [ACCOUNT] * 5
        assert server.connections == 1

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_bundle)
    with https() as server, pytest.raises(EnvokeConfigError, match="issuer"):
        connect(server.url, ca_bundle=other_bundle).send(account())


def test_the_environment_s_authorities_are_trusted_if_the_connection_has_none(
    connect: Connect, https: Serve, ca_bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_bundle)
    with https() as server:
        assert connect(server.url).send(account()) == ACCOUNT

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))  # a directory is accepted; this one has no certificate
    with https() as server, pytest.raises(EnvokeConfigError, match="issuer"):
        connect(server.url).send(account())


BROKEN = {"empty": b"", "not PEM": b"\x30\x82\x01", "cut off": b"-----BEGIN CERTIFICATE-----\nMIIB\n"}


@pytest.mark.parametrize(
    ("where", "kind", "reason"),
    [
        *((where, kind, "PEM") for where in ("ca_bundle", "REQUESTS_CA_BUNDLE") for kind in BROKEN),
        *((where, "missing", "No such file") for where in ("ca_bundle", "REQUESTS_CA_BUNDLE")),
        ("ca_bundle", "directory", "Is a directory"),
    ],
)
def test_authorities_that_cannot_be_used_are_rejected_before_anything_is_sent(
    where: str, kind: str, reason: str, connect: Connect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path if kind == "directory" else tmp_path / "ca.pem"
    if kind in BROKEN:
        path.write_bytes(BROKEN[kind])
    if where == "REQUESTS_CA_BUNDLE":
        monkeypatch.setenv(where, str(path))

    with pytest.raises(EnvokeConfigError, match=f"{where}.*{reason}"):
        connect("https://127.0.0.1:9", ca_bundle=str(path) if where == "ca_bundle" else None)


def test_authorities_of_the_environment_do_not_matter_without_tls(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
    with FaultyServer() as server:
        assert connect(server.url).send(account()) == ACCOUNT


@pytest.mark.parametrize(
    ("variable", "prefix"),
    [
        *((name, "http://me:pass@") for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY")),
        ("HTTPS_PROXY", "me:pass@"),
    ],
)
def test_the_environment_s_proxy_is_used_and_sees_neither_credentials_nor_the_request(
    variable: str, prefix: str, connect: Connect, https: Serve, ca_bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with https(NAME) as server, ConnectProxy(int(server.url.rpartition(":")[2])) as proxy:
        monkeypatch.setenv(variable, proxy.url.replace("http://", prefix))

        assert connect(f"https://{NAME}", ca_bundle=ca_bundle).send(account()) == ACCOUNT

    assert [line.rpartition(" ")[0] for line in proxy.asked] == [f"CONNECT {NAME}:443"]
    assert [line.partition(" ")[2] for line in proxy.authorizations] == ["Basic bWU6cGFzcw=="]
    assert "proxy-authorization" not in server.requests[0].headers
    assert server.requests[0].headers["authorization"] == f"Basic {BASIC}"


@pytest.mark.parametrize(
    ("host", "no_proxy", "direct"),
    [
        *(("localhost", listed, True) for listed in ("localhost", "*", "example.com, LOCALHOST")),
        *(("127.0.0.1", listed, True) for listed in ("127.0.0.1", "10.0.0.0/8, 127.0.0.0/8")),
        *(("localhost", listed, False) for listed in ("", "example.com")),
        *(("127.0.0.1", listed, False) for listed in ("10.0.0.0/8", "127.0.0.0/33")),
    ],
)
def test_hosts_in_no_proxy_are_reached_directly(
    host: str, no_proxy: str, direct: bool, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FaultyServer() as proxy, FaultyServer(name=host) as server:
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("NO_PROXY", no_proxy)

        assert connect(server.url).send(account()) == ACCOUNT

    assert [sent.target for sent in proxy.requests] == ([] if direct else [f"{server.url}/v1/settings"])
    assert len(server.requests) == direct
