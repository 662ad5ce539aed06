"""Both clients, an environment without proxies, and a certificate authority."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from airflow_provider_envoke.envoke.config import EnvokeConfig
from tests.support.clients import CLIENTS, Sleeps
from tests.support.leak_markers import API_ID, API_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.clients import Client, Connect

_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {*_VARIABLES, *map(str.lower, _VARIABLES)} & os.environ.keys():
        monkeypatch.delenv(name)


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> Sleeps:
    """The pauses of the test's clients; each is the longest that its jitter allows."""
    monkeypatch.setattr(random, "uniform", lambda shortest, longest: longest)
    return Sleeps()


@pytest.fixture(params=CLIENTS)
def connect(request: pytest.FixtureRequest, sleeps: Sleeps) -> Iterator[Connect]:
    """Open a client for a URL; further arguments are of the configuration. The test runs once with each client."""
    opened: list[Client] = []

    def open_client(url: str, **parts: Any) -> Client:
        given = {"api_id": API_ID, "api_key": API_KEY, "timeout_s": 10.0, "max_retries": 2} | parts
        opened.append(CLIENTS[request.param](EnvokeConfig(base_url=url, **given), sleeps))
        return opened[-1]

    yield open_client
    for client in opened:
        client.close()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_bundle(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of the authority's certificate."""
    path = tmp_path_factory.mktemp("ca") / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)
