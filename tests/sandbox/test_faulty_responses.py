"""What a client gets when a request has a fault."""

from __future__ import annotations

import json
import socket
import time
from base64 import b64encode
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import pytest
import requests

from airflow_provider_envoke.sandbox.thread import Sandbox
from tests.support.sandbox import AUTH, JON, call

if TYPE_CHECKING:
    from collections.abc import Callable


def patch(sandbox: Sandbox, **options: object) -> requests.Response:
    return call(sandbox, "PATCH", "/v1/contacts/1234", {"city": "Alma"}, **options)


def patch_over_socket(sandbox: Sandbox, timeout_s: float = 0.4) -> tuple[bytes, str]:
    """Send the same PATCH over a socket; return the bytes that came back, and how the connection ended."""
    body = b'{"city": "Alma"}'
    credentials = b64encode(":".join(AUTH).encode()).decode()
    head = f"PATCH /v1/contacts/1234 HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\n"
    received, deadline = b"", time.monotonic() + timeout_s
    with socket.create_connection(address(sandbox), timeout=timeout_s) as client:
        client.sendall(f"{head}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        try:
            while chunk := client.recv(65_536):
                received += chunk
                client.settimeout(max(deadline - time.monotonic(), 0.001))
        except OSError as error:
            return received, type(error).__name__
    return received, "closed"


def address(sandbox: Sandbox) -> tuple[str, int]:
    return "127.0.0.1", int(sandbox.url.rpartition(":")[2])


@pytest.mark.parametrize(
    ("name", "end", "applied"),
    [
        ("connection_refused", "ConnectionResetError", False),
        ("reset_before", "ConnectionResetError", False), ("reset_after", "ConnectionResetError", True),
        ("stall", "TimeoutError", True),
    ],
)  # fmt: skip
def test_a_fault_without_a_response(name: str, end: str, applied: bool) -> None:
    with Sandbox([JON], faults={name: 1}) as sandbox:
        assert patch_over_socket(sandbox) == (b"", end)

        assert sandbox.contacts[0]["city"] == ("Alma" if applied else "Laval")
        (recorded,) = sandbox.requests
        assert (recorded["status"], recorded["fault"], recorded["applied"]) == (0, name, applied)
        assert (sandbox.stats["faults"], sandbox.stats["by_status"]) == ({name: 1}, {})


def refuses_connections(sandbox: Sandbox) -> bool:
    try:
        socket.create_connection(address(sandbox), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_connections_are_refused_for_a_moment_only() -> None:
    with Sandbox([JON], faults_for={"1234": "connection_refused"}, outage_s=0.5) as sandbox:
        patch_over_socket(sandbox)

        wait_until(lambda: refuses_connections(sandbox))
        wait_until(lambda: not refuses_connections(sandbox))
        assert call(sandbox, "GET", "/v1/contacts").status_code == 200


def test_a_sandbox_that_is_stopped_while_it_refuses_connections_frees_its_port() -> None:
    with Sandbox([JON], faults={"connection_refused": 1}, outage_s=100) as sandbox:
        patch_over_socket(sandbox)
        wait_until(lambda: refuses_connections(sandbox))

    with socket.create_server(address(sandbox)):
        pass


def test_a_slow_response_comes_in_pieces_and_does_not_end() -> None:
    with Sandbox([JON], faults={"drip": 1}) as sandbox:
        received, end = patch_over_socket(sandbox)

    body = received.partition(b"\r\n\r\n")[2]
    assert 1 <= len(body) <= 20
    assert b'{"success": true, "result_text"'.startswith(body)
    assert end == "TimeoutError"


@pytest.mark.parametrize(("name", "length_is_true"), [("cut_off", True), ("broken_off", False)])
def test_half_of_the_json_comes_with_its_own_length_or_with_the_full_length(
    name: str, length_is_true: bool
) -> None:
    with Sandbox([JON], faults={name: 1}) as sandbox:
        received, end = patch_over_socket(sandbox, timeout_s=10)

    head, _, body = received.partition(b"\r\n\r\n")
    content_length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    assert end == "closed"
    assert body.startswith(b'{"success": true')
    assert (content_length == len(body)) is length_is_true
    with pytest.raises(ValueError, match=r"."):
        json.loads(body)


@pytest.mark.parametrize(
    ("name", "status", "applied", "content_type"),
    [
        ("html_502", 502, False, "text/html"), ("html_503", 503, False, "text/html"),
        ("html_504", 504, True, "text/html"), ("error_500", 500, False, "application/json"),
        ("throttled", 429, False, "text/plain"), ("passing_401", 401, False, "application/json"),
        ("unsuccessful", 200, False, "application/json"),
    ],
)  # fmt: skip
def test_a_fault_with_a_response(name: str, status: int, applied: bool, content_type: str) -> None:
    with Sandbox([JON], faults={name: 1}) as sandbox:
        response = patch(sandbox)

        assert (response.status_code, sandbox.contacts[0]["city"] == "Alma") == (status, applied)
        assert response.headers["Content-Type"].startswith(content_type)
        assert "Retry-After" not in response.headers
        if content_type == "application/json":
            assert response.json()["success"] is False
        assert sandbox.requests[0]["applied"] is applied
        assert sandbox.stats["by_status"] == {str(status): 1}


@pytest.mark.parametrize(
    ("name", "status", "header", "value"),
    [
        ("throttled_seconds", 429, "Retry-After", "7"),
        ("redirect", 302, "Location", "https://elsewhere.invalid/v1/contacts/1234"),
    ],
)
def test_a_fault_with_a_header(name: str, status: int, header: str, value: str) -> None:
    with Sandbox([JON], faults={name: 1}, retry_after_s=7) as sandbox:
        response = patch(sandbox, allow_redirects=False)

    assert (response.status_code, response.headers[header]) == (status, value)


def test_retry_after_can_be_a_date() -> None:
    with Sandbox([JON], faults={"throttled_date": 1}, retry_after_s=7) as sandbox:
        before = time.time()
        until = parsedate_to_datetime(patch(sandbox).headers["Retry-After"]).timestamp()
        assert before + 6 <= until <= time.time() + 7


def test_a_response_that_is_marked_as_gzip_cannot_be_decoded() -> None:
    with Sandbox([JON], faults={"lying_gzip": 1}) as sandbox:
        with pytest.raises(requests.exceptions.ContentDecodingError):
            patch(sandbox)

        assert sandbox.contacts[0]["city"] == "Alma"


def test_json_comes_after_a_php_warning_or_with_ten_megabytes() -> None:
    with Sandbox([JON], faults={"warnings": 1}) as noisy, Sandbox([JON], faults={"huge": 1}) as huge:
        warning, _, rest = patch(noisy).text.partition("{")
        response = patch(huge)

    assert "Warning" in warning
    assert len(response.content) == 10_000_000
    assert json.loads("{" + rest)["success"] is response.json()["success"] is True
