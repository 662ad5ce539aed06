"""The command ``python -m airflow_provider_envoke.sandbox``."""

from __future__ import annotations

import json
import signal
import socket
from typing import TYPE_CHECKING

import pytest
import requests

from airflow_provider_envoke.sandbox.faults import FAULTS
from tests.support.sandbox import call, run_command, running_process

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly_while_a_connection_is_open(number: signal.Signals) -> None:
    with running_process() as (process, url), requests.Session() as session:
        assert session.get(f"{url}/__sandbox__/stats", timeout=10).status_code == 200

        process.send_signal(number)

        assert process.wait(timeout=10) == 0
        assert process.stdout
        assert process.stdout.read() == "", "it prints nothing but the line with the URL"


def test_the_options_take_effect(tmp_path: Path) -> None:
    seed = tmp_path / "contacts.json"
    contacts = [{"email": "zoé@exämple.com", "interests": ["News"]}, {"email": "b=c@x"}]
    seed.write_text(json.dumps(contacts, ensure_ascii=False), encoding="utf-8")
    options = ["--seed", str(seed), "--api-id", "me", "--api-key", "secret", "--latency-ms", "300"]
    options += ["--fault", "throttled_seconds=1", "--fault-for", "b=c@x=changed", "--fault-seed", "3"]

    with running_process(*options, "--retry-after-s", "9", "--no-duplicate-check") as (_, url):
        rejected = call(url, "GET", "/v1/settings")
        throttled = call(url, "GET", "/v1/settings", auth=("me", "secret"))
        shared = call(url, "PATCH", "/v1/contacts/2", {"email": "zoé@exämple.com"}, auth=("me", "secret"))
        stored = call(url, "GET", "/__sandbox__/contacts").json()
        stats = call(url, "GET", "/__sandbox__/stats").json()

    assert rejected.status_code == 401
    assert (throttled.status_code, throttled.headers["Retry-After"]) == (429, "9")
    assert shared.json()["success"]
    assert shared.elapsed.total_seconds() >= 0.3
    assert [contact["email"] for contact in stored] == ["zoé@exämple.com"] * 2
    assert stored[0]["interests"] == ["News"]
    assert stats["faults"] == {"throttled_seconds": 1, "changed": 1}


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (("--port", "70000"), "--port"), (("--port", "-1"), "--port"),
        (("--latency-ms", "nan"), "--latency-ms"), (("--latency-ms", "-5"), "--latency-ms"),
        (("--latency-ms", "inf"), "--latency-ms"), (("--retry-after-s", "-1"), "--retry-after-s"),
        (("--fault-seed", "x"), "'x' is not an integer"),
        (("--port", "x"), "'x' is not an integer"), (("--fault", "stall=x"), "stall=0.1"),
        (("--fault", "stall=2"), "stall is 2"),
        (("--fault", "stall=0.7", "--fault", "stall=0.1"), "twice"),
        (("--fault-for", "1=stall", "--fault-for", "1=drip"), "twice"),
        (("--fault-for", "error_500"), "1001=error_500"), (("--host", "192.0.2.1"), "192.0.2.1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_an_invalid_option_ends_it_with_a_message(arguments: tuple[str, ...], fragment: str) -> None:
    done = run_command("--port", "0", *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    assert fragment in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "content", [None, b"{", b"[1]", b"[" * 200_000, b"\xff", b""], ids=lambda content: repr(content)[:12]
)
def test_an_invalid_seed_ends_it_with_one_line(tmp_path: Path, content: bytes | None) -> None:
    seed = tmp_path  # a directory cannot be read as a file
    if content is not None:
        seed = tmp_path / "contacts.json"
        seed.write_bytes(content)

    done = run_command("--port", "0", "--seed", str(seed))

    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert str(seed) in line


@pytest.mark.parametrize(
    ("content", "fragments"),
    [
        (None, []), (b"", ["line 1 column 1"]), (b'{"interests": ["News",\n}', ["line 2 column 1"]),
        (b"\xff", ["position 0"]), (b"[" * 200_000, ["deep"]), (b"[]", ["not an object"]),
        (b'{"custom_field": []}', ["'custom_field'", "custom_fields, interests, autoresponders"]),
        (b'{"interests": "News"}', ["'interests'", "list"]),
        (b'{"interests": {"News": 1}}', ["'interests'", "list"]),
        (b'{"autoresponders": ["Hi", 5]}', ["'autoresponders'", "name 2"]),
        (b'{"interests": [" "]}', ["'interests'", "name 1"]),
        (b'{"custom_fields": ["plan", "a b"]}', ["'custom_fields'", "name 2", "'a b'"]),
    ],
    ids=lambda value: repr(value)[:30] if isinstance(value, bytes) else "",
)  # fmt: skip
def test_a_broken_strict_file_ends_it_with_one_line_that_says_where(
    tmp_path: Path, content: bytes | None, fragments: list[str]
) -> None:
    path = tmp_path  # a directory cannot be read as a file
    if content is not None:
        path = tmp_path / "fields.json"
        path.write_bytes(content)

    done = run_command("--port", "0", "--strict", str(path))

    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert [fragment for fragment in ("--strict", str(path), *fragments) if fragment not in line] == []


def test_a_strict_file_takes_effect(tmp_path: Path) -> None:
    path = tmp_path / "fields.json"
    path.write_text('{"interests": ["Infolettre d\'été"]}', encoding="utf-8-sig")
    seed = tmp_path / "contacts.json"
    seed.write_text('[{"id": 1, "email": "a@x"}]')

    with running_process("--seed", str(seed), "--strict", str(path)) as (_, url):
        tags = call(url, "GET", "/v1/interests").json()
        known, unknown = (
            call(url, "PATCH", "/v1/contacts/1", {"interests": {tag: "Set"}}).status_code
            for tag in ("Infolettre d'été", "News")
        )

    assert tags == {"1": "Infolettre d'été"}
    assert (known, unknown) == (200, 400)


def test_a_port_in_use_ends_it_with_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])

        done = run_command("--port", port)

    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert port in line
    assert "--port 0" in line


def test_a_host_that_does_not_exist_ends_it_with_one_line() -> None:
    done = run_command("--host", "nobody.invalid")

    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "nobody.invalid" in line
    assert "--port 0" not in line, "another port would not help"


def test_the_help_lists_every_option_and_every_fault() -> None:
    options = "--host --port --seed --strict --latency-ms --api-id --api-key --no-duplicate-check --fault"
    words = set(run_command("--help").stdout.replace(",", " ").split())

    assert {*options.split(), "--fault-for", "--fault-seed", "--retry-after-s", *FAULTS} <= words
