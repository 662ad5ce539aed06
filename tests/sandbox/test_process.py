"""``python -m airflow_provider_envoke.sandbox``, as a process."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = [sys.executable, "-m", "airflow_provider_envoke.sandbox"]


@contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen([*COMMAND, "--port", "0", *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        ready = process.stdout.readline()
        found = re.fullmatch(r"Envoke sandbox ready on (http://[\d.]+:\d+)/\n", ready)
        assert found, ready
        yield process, found[1]
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_with_a_connection_open(number: signal.Signals) -> None:
    with started() as (process, url), requests.Session() as session:
        assert session.get(f"{url}/__sandbox__/stats", timeout=10).status_code == 200

        process.send_signal(number)

        assert process.wait(timeout=10) == 0
        assert process.stdout
        assert process.stdout.read() == "", "one line when ready, and no more"


def test_it_starts_with_the_seed_and_its_own_credentials(tmp_path: Path) -> None:
    seed = tmp_path / "contacts.json"
    seed.write_text(json.dumps([{"email": "zoé@exämple.com", "interests": ["News"]}]), encoding="utf-8")

    with started("--seed", str(seed), "--api-id", "me", "--api-key", "secret") as (_, url):
        found = requests.get(f"{url}/v1/contacts", auth=("me", "secret"), timeout=10).json()
        refused = requests.get(f"{url}/v1/contacts", auth=("sandbox-id", "sandbox-key"), timeout=10)

    assert (found[0]["email"], found[0]["interests"]) == ("zoé@exämple.com", ["News"])
    assert refused.status_code == 401


@pytest.mark.parametrize(
    "content",
    [None, "{", "{}", "[1]", '[{"id": 1}, {"id": 1}]', '[{"consent_status": "Maybe"}]', '[{"id": "x"}]'],
)
def test_a_seed_that_is_no_use_is_named_in_one_line(tmp_path: Path, content: str | None) -> None:
    seed = tmp_path / "contacts.json"
    if content is not None:
        seed.write_text(content)

    done = subprocess.run([*COMMAND, "--seed", str(seed)], capture_output=True, text=True, check=False, timeout=30)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert str(seed) in done.stderr


def test_a_port_that_is_taken_is_named_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        done = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, check=False, timeout=30)

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert port in done.stderr
    assert "--port 0" in done.stderr


def test_the_fixture_costs_nothing_to_who_does_not_use_it() -> None:
    script = (
        "import sys, airflow_provider_envoke.sandbox.pytest_plugin; "
        "sys.exit(bool({'aiohttp', 'requests', 'airflow'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=30).returncode == 0
