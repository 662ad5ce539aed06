"""The page and the calls below ``/__sandbox__/`` are for this machine only; the API is for everybody."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.support.sandbox import call, running_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_envoke.sandbox.thread import Sandbox

LOCAL_PATHS = ["/", "/__sandbox__/contacts", "/__sandbox__/requests", "/__sandbox__/stats"]


def network_address() -> str:
    """Return an address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this machine has no network but loopback")
        return str(probe.getsockname()[0])


@pytest.fixture(scope="module")
def network_url() -> Iterator[str]:
    """A sandbox that listens on all addresses, by the address that other machines use."""
    address = network_address()
    with running_process("--host", "0.0.0.0") as (_, url):
        yield f"http://{address}:{url.rpartition(':')[2]}"


@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-For": "127.0.0.1", "Forwarded": "for=127.0.0.1"}], ids=str)
@pytest.mark.parametrize(
    ("method", "path"), [*(("GET", path) for path in LOCAL_PATHS), ("POST", "/__sandbox__/reset")]
)
def test_another_machine_gets_the_api_only(
    network_url: str, method: str, path: str, headers: dict[str, str]
) -> None:
    call(network_url, "POST", "/v1/contacts?upsert=1", {"email": "jon@doe.com"})

    rejected = call(
        network_url, method, path, [] if method == "POST" else None, headers={"Host": "localhost", **headers}
    )

    assert rejected.status_code == 403
    assert len(call(network_url, "GET", "/v1/contacts").json()) == 1


def test_it_listens_on_loopback_by_default() -> None:
    address = network_address()
    with running_process() as (_, url), pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, int(url.rpartition(":")[2])), timeout=10)


@pytest.mark.parametrize("path", LOCAL_PATHS)
@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8025", "127.0.0.1.evil.example", "localhost.evil.example", "[", "", "192.0.2.1",
        "[2001:db8::1]",
    ],
)  # fmt: skip
def test_a_site_whose_name_resolves_to_this_machine_sees_nothing(sandbox: Sandbox, path: str, host: str) -> None:
    rejected = call(sandbox, "GET", path, headers={"Host": host})

    assert rejected.status_code == 403
    assert "jon@doe.com" not in rejected.text


LOCAL_HOSTS = ["localhost", "localhost:8025", "127.0.0.1", "127.3.2.1:99", "[::1]:8025"]


@pytest.mark.parametrize(
    ("host", "path"),
    [*((host, "/__sandbox__/contacts") for host in LOCAL_HOSTS), ("sandbox:8025", "/v1/settings")],
)
def test_every_name_of_this_machine_is_accepted_and_any_name_for_the_api(
    sandbox: Sandbox, host: str, path: str
) -> None:
    assert call(sandbox, "GET", path, headers={"Host": host, "X-Forwarded-For": "192.0.2.7"}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1", ""])
def test_a_page_of_another_site_cannot_reset_the_account(sandbox: Sandbox, origin: str) -> None:
    rejected = call(sandbox, "POST", "/__sandbox__/reset", [], headers={"Origin": origin})

    assert rejected.status_code == 403
    assert len(sandbox.contacts) == 2


def test_a_page_of_the_sandbox_itself_can_reset_the_account(sandbox: Sandbox) -> None:
    assert call(sandbox, "POST", "/__sandbox__/reset", [], headers={"Origin": sandbox.url}).ok
    assert sandbox.contacts == []
