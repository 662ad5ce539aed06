"""Each fault as a client on a bare socket sees it, and whom the faults strike."""

from __future__ import annotations

import json
import socket
import time
from base64 import b64encode
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests

from airflow_provider_envoke.sandbox import failing
from airflow_provider_envoke.sandbox.faults import CHANGED_FEEDBACK, FAULTS
from airflow_provider_envoke.sandbox.thread import Sandbox
from tests.sandbox.test_cli import run
from tests.sandbox.test_process import started

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

AUTH = ("sandbox-id", "sandbox-key")
ANA = {"id": 1, "email": "ana@example.com", "remote_id": "R1", "city": "Laval"}
BO = {"id": 2, "email": "bo@example.com", "remote_id": "R2", "city": "Laval"}
IN = "/v1/contacts?filter[email][$in][]=ana@example.com"


def patch(sandbox: Sandbox, path: str = "/v1/contacts/1", **options: Any) -> requests.Response:
    return requests.patch(sandbox.url + path, timeout=10, **{"auth": AUTH, "json": {"city": "Alma"}, **options})


def read(sandbox: Sandbox, path: str = "/v1/contacts") -> requests.Response:
    return requests.get(sandbox.url + path, auth=AUTH, timeout=10)


def exchange(sandbox: Sandbox, patience_s: float = 0.4) -> tuple[bytes, str]:
    """Send a PATCH over a bare socket; return what came, and how it ended."""
    body = b'{"city": "Alma"}'
    credentials = b64encode(":".join(AUTH).encode()).decode()
    head = f"PATCH /v1/contacts/1 HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {credentials}\r\n"
    got = b""
    with socket.create_connection(address(sandbox), timeout=patience_s) as client:
        client.sendall(f"{head}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        deadline = time.monotonic() + patience_s
        try:
            while time.monotonic() < deadline:
                chunk = client.recv(65_536)
                if not chunk:
                    return got, "closed"
                got += chunk
        except OSError as error:
            return got, type(error).__name__
    return got, "unfinished"


def address(sandbox: Sandbox) -> tuple[str, int]:
    return "127.0.0.1", int(sandbox.url.rpartition(":")[2])


@pytest.mark.parametrize(
    ("name", "ends", "applied"),
    [
        ("connection_refused", "ConnectionResetError", False),
        ("reset_before", "ConnectionResetError", False),
        ("reset_after", "ConnectionResetError", True),
        ("stall", "TimeoutError", True),
    ],
)
def test_a_fault_without_an_answer(name: str, ends: str, applied: bool) -> None:
    with Sandbox([ANA], faults={name: 1}) as sandbox:
        assert exchange(sandbox) == (b"", ends)

        assert sandbox.contacts[0]["city"] == ("Alma" if applied else "Laval")
        (kept,) = sandbox.requests
        assert (kept["status"], kept["fault"], kept["applied"]) == (0, name, applied)
        assert (sandbox.stats["faults"], sandbox.stats["by_status"]) == ({name: 1}, {})


def refused(sandbox: Sandbox) -> bool:
    try:
        socket.create_connection(address(sandbox), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_refused_connections_are_refused_and_soon_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failing, "_OUTAGE_S", 1.0)
    with Sandbox([ANA], faults_for={"1": "connection_refused"}) as sandbox:
        exchange(sandbox)

        wait_until(lambda: refused(sandbox))
        wait_until(lambda: not refused(sandbox))
        assert read(sandbox).status_code == 200


def test_a_sandbox_that_is_stopped_while_it_refuses_connections_leaves_nothing_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(failing, "_OUTAGE_S", 100.0)
    with Sandbox([ANA], faults={"connection_refused": 1}) as sandbox:
        exchange(sandbox)
        wait_until(lambda: refused(sandbox))

    with socket.create_server(address(sandbox)):
        pass  # its port is free again


def test_a_dripped_answer_comes_in_pieces_and_does_not_end() -> None:
    with Sandbox([ANA], faults={"drip": 1}) as sandbox:
        got, ends = exchange(sandbox)

    body = got.partition(b"\r\n\r\n")[2]
    assert 1 <= len(body) <= 20
    assert b'{"success": true, "result_text"'.startswith(body)
    assert ends in ("unfinished", "TimeoutError")


@pytest.mark.parametrize(("name", "whole"), [("cut_off", True), ("broken_off", False)])
def test_half_an_answer_is_as_long_as_it_says_or_not(name: str, whole: bool) -> None:
    with Sandbox([ANA], faults={name: 1}) as sandbox:
        got, ends = exchange(sandbox, patience_s=10)

    head, _, body = got.partition(b"\r\n\r\n")
    said = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    assert ends == "closed"
    assert body.startswith(b'{"success": true')
    assert (said == len(body)) is whole
    with pytest.raises(ValueError, match=r"."):
        json.loads(body)


@pytest.mark.parametrize(
    ("name", "status", "applied", "kind"),
    [
        ("html_502", 502, False, "text/html"),
        ("html_503", 503, False, "text/html"),
        ("html_504", 504, True, "text/html"),
        ("error_500", 500, False, "application/json"),
        ("throttled", 429, False, "text/plain"),
        ("passing_401", 401, False, "application/json"),
        ("unsuccessful", 200, False, "application/json"),
    ],
)
def test_a_fault_with_an_answer(name: str, status: int, applied: bool, kind: str) -> None:
    with Sandbox([ANA], faults={name: 1}) as sandbox:
        response = patch(sandbox)

        assert (response.status_code, sandbox.contacts[0]["city"] == "Alma") == (status, applied)
        assert response.headers["Content-Type"].startswith(kind)
        assert "Retry-After" not in response.headers
        if kind == "application/json":
            assert response.json()["success"] is False
        assert sandbox.requests[0]["applied"] is applied
        assert sandbox.stats["by_status"] == {str(status): 1}


def test_retry_after_comes_in_seconds_or_as_a_date() -> None:
    with Sandbox([ANA], faults={"throttled_seconds": 1}, retry_after_s=7) as sandbox:
        assert patch(sandbox).headers["Retry-After"] == "7"
    with Sandbox([ANA], faults={"throttled_date": 1}, retry_after_s=7) as sandbox:
        before = time.time()
        said = parsedate_to_datetime(patch(sandbox).headers["Retry-After"]).timestamp()
        assert before + 6 <= said <= time.time() + 7


def test_a_redirect_leads_to_another_host() -> None:
    with Sandbox([ANA], faults={"redirect": 1}) as sandbox:
        response = patch(sandbox, allow_redirects=False)

    assert response.status_code == 302
    assert response.headers["Location"] == "https://elsewhere.invalid/v1/contacts/1"


def test_warnings_stand_before_the_json() -> None:
    with Sandbox([ANA], faults={"warnings": 1}) as sandbox:
        warning, _, rest = patch(sandbox).text.partition("{")

    assert "Warning" in warning
    assert json.loads("{" + rest)["success"] is True


def test_gzip_that_lies_cannot_be_unpacked() -> None:
    with Sandbox([ANA], faults={"lying_gzip": 1}) as sandbox:
        with pytest.raises(requests.exceptions.ContentDecodingError):
            patch(sandbox)

        assert sandbox.contacts[0]["city"] == "Alma"


def test_a_huge_answer_has_ten_megabytes_and_is_json() -> None:
    with Sandbox([ANA], faults={"huge": 1}) as sandbox:
        response = patch(sandbox)

    assert len(response.content) == 10_000_000
    assert response.json()["success"] is True


@pytest.mark.parametrize("path", [IN, "/v1/contacts?filter[$or][0][email][$in][]=ana@example.com"])
def test_in_is_refused_wherever_it_stands_and_nothing_else_is(path: str) -> None:
    with Sandbox([ANA], faults={"in_refused": 1}) as sandbox:
        refused, plain = read(sandbox, path), read(sandbox, "/v1/contacts?filter[email]=ana@example.com")

    assert (refused.status_code, plain.status_code) == (400, 200)
    assert "$in" in refused.json()["result_text"]


def test_a_contact_is_deleted_just_before_it_is_updated() -> None:
    with Sandbox([ANA, BO], faults={"deleted": 1}) as sandbox:
        assert read(sandbox).status_code == 200
        response = patch(sandbox)

        assert "not found" in response.text
        assert [contact["id"] for contact in sandbox.contacts] == [2]
        assert sandbox.contact(email="ana@example.com") is None
        assert sandbox.contact(remote_id="R1") is None


def test_a_contact_is_changed_just_before_it_is_updated() -> None:
    with Sandbox([ANA, BO], faults={"changed": 1}) as sandbox:
        patch(sandbox, "/v1/contacts", json={"email": "ana@example.com", "city": "Alma"})

        changed = [(contact["city"], contact["feedback"]) for contact in sandbox.contacts]
        assert changed == [("Alma", CHANGED_FEEDBACK), ("Laval", "")]


def test_consents_are_revoked_just_after_they_were_read() -> None:
    with Sandbox([ANA, BO], faults={"revoked": 1}) as sandbox:
        first, second = read(sandbox, IN).json(), read(sandbox, IN).json()

        assert [contact["consent_status"] for contact in (*first, *second)] == ["Not Provided", "Revoked"]
        assert sandbox.contacts[1]["consent_status"] == "Not Provided"


@pytest.mark.parametrize("key", ["1", "ANA@example.com", "R1"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/contacts/1", {}),
        ("/v1/contacts", {"email": "Ana@example.com"}),
        ("/v1/contacts?keyfield=remote_id", {"remote_id": "R1"}),
    ],
)
def test_a_chosen_contact_is_struck_by_whatever_key_it_is_written(
    key: str, path: str, body: Mapping[str, str]
) -> None:
    with Sandbox([ANA, BO], faults_for={key: "error_500"}) as sandbox:
        struck = [patch(sandbox, path, json={**body, "city": "Alma"}).status_code for _ in range(3)]
        others = [patch(sandbox, "/v1/contacts/2").status_code, read(sandbox).status_code]

    assert (struck, others) == ([500] * 3, [200] * 2)


def test_a_contact_that_is_to_be_created_can_be_chosen() -> None:
    with Sandbox(faults_for={"new@example.com": "unsuccessful"}) as sandbox:
        for email in ("new@example.com", "other@example.com"):
            requests.post(f"{sandbox.url}/v1/contacts", json={"email": email}, auth=AUTH, timeout=10)

        assert [contact["email"] for contact in sandbox.contacts] == ["other@example.com"]


def statuses(sandbox: Sandbox, order: list[int]) -> dict[int, list[int]]:
    """Each number's answers, asked for in this order."""
    found: dict[int, list[int]] = {}
    for number in order:
        found.setdefault(number, []).append(patch(sandbox, json={"city": str(number)}).status_code)
    return found


def test_the_seed_decides_whatever_the_order_and_a_reset_begins_anew() -> None:
    numbers = [*range(15)] * 2
    with Sandbox([ANA], faults={"error_500": 0.5}, fault_seed=7) as one:
        first, second = statuses(one, numbers), statuses(one, numbers)
        one.reset([ANA])
        again = statuses(one, numbers[::-1])
    with Sandbox([ANA], faults={"error_500": 0.5}, fault_seed=8) as other:
        others = statuses(other, numbers)

    assert first == again
    assert first not in (second, others)
    assert 5 <= sum(answers.count(500) for answers in first.values()) <= 25


def test_shares_are_shares() -> None:
    with Sandbox([ANA], faults={"error_500": 0.2, "html_502": 0.1}) as sandbox, requests.Session() as session:
        for number in range(500):
            session.patch(f"{sandbox.url}/v1/contacts/1", json={"city": str(number)}, auth=AUTH, timeout=10)

    struck = sandbox.stats["faults"]
    assert 70 <= struck["error_500"] <= 130
    assert 30 <= struck["html_502"] <= 75


def test_wrong_credentials_are_told_so_and_change_nothing() -> None:
    with Sandbox([ANA], faults={"deleted": 1}) as sandbox:
        response = patch(sandbox, auth=("sandbox-id", "wrong"))

        assert response.status_code == 401
        assert (len(sandbox.contacts), sandbox.stats["faults"]) == (1, {})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"faults": {"stal": 0.1}}, r"'stal' is no fault .* it knows connection_refused, .*in_refused"),
        ({"faults": {"stall": 1.1}}, r"share of stall is 1\.1"),
        ({"faults": {"stall": -0.1}}, r"share of stall is -0\.1"),
        ({"faults": {"stall": float("nan")}}, r"share of stall is nan"),
        ({"faults": {"stall": 0.6, "drip": 0.5}}, r"add up to 1\.1"),
        ({"faults_for": {"1": "stal"}}, r"'stal' is no fault"),
        ({"faults_for": {"1": "in_refused"}}, r"in_refused strikes reads"),
        ({"faults_for": {"1": "revoked"}}, r"revoked strikes reads"),
    ],
)
def test_faults_that_cannot_be_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sandbox(**options)


def test_shares_that_add_up_to_one_are_taken() -> None:
    assert Sandbox(faults=dict.fromkeys(list(FAULTS)[:10], 0.1)).stats["faults"] == {}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--fault", "stal=1"), "'stal' is no fault"),
        (("--fault", "stall"), "stall=0.1"),
        (("--fault", "stall=x"), "stall=0.1"),
        (("--fault", "stall=2"), "share of stall is 2"),
        (("--fault", "stall=0.7", "--fault", "drip=0.7"), "add up to 1.4"),
        (("--fault", "stall=0.7", "--fault", "stall=0.1"), "given twice"),
        (("--fault-for", "error_500"), "1001=error_500"),
        (("--fault-for", "1=oops"), "'oops' is no fault"),
        (("--retry-after-s", "-1"), "-1"),
        (("--fault-seed", "x"), "--fault-seed"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_the_command_refuses_them_in_one_line(arguments: tuple[str, ...], words: str) -> None:
    done = run("--port", "0", *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert words in done.stderr.splitlines()[-1]


def test_the_command_takes_faults() -> None:
    options = ["--fault", "throttled_seconds=1", "--fault-for", "a=b@example.com=unsuccessful"]
    with started(*options, "--fault-seed", "3", "--retry-after-s", "9") as (_, url):
        refused = requests.post(f"{url}/v1/contacts", json={"email": "a=b@example.com"}, auth=AUTH, timeout=10)
        throttled = requests.get(f"{url}/v1/settings", auth=AUTH, timeout=10)
        stats = requests.get(f"{url}/__sandbox__/stats", timeout=10).json()
        page = requests.get(f"{url}/", timeout=10).text

    assert refused.json()["success"] is False
    assert (throttled.status_code, throttled.headers["Retry-After"]) == (429, "9")
    assert stats["faults"] == {"unsuccessful": 1, "throttled_seconds": 1}
    assert '<td class="bad">429 throttled_seconds</td>' in page


def test_the_command_lists_every_fault_in_its_help() -> None:
    words = run("--help").stdout.replace(",", " ").split()

    assert set(FAULTS) <= set(words)
