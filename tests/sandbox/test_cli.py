"""Options of the command that cannot be, and its switches; starting and stopping is in ``test_process``."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import requests

from tests.sandbox.test_process import started

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = [sys.executable, "-m", "airflow_provider_envoke.sandbox"]
AUTH = ("sandbox-id", "sandbox-key")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--port", "70000"),
        ("--port", "-1"),
        ("--latency-ms", "nan"),
        ("--latency-ms", "-5"),
        ("--latency-ms", "inf"),
    ],
    ids=" ".join,
)
def test_a_number_that_cannot_be_is_refused_without_a_stack_trace(arguments: tuple[str, str]) -> None:
    done = run(*arguments)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert arguments[0] in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "content",
    [b"[" * 200_000, b'[{"id": Infinity}]', b'[{"id": 1.5}]', b'[{"interests": 5}]', b"\xff", b"", b"null"],
    ids=lambda content: repr(content[:20]),
)
def test_a_seed_that_cannot_be_is_one_line(tmp_path: Path, content: bytes) -> None:
    seed = tmp_path / "contacts.json"
    seed.write_bytes(content)

    done = run("--port", "0", "--seed", str(seed))

    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert str(seed) in line


def test_a_directory_is_no_seed(tmp_path: Path) -> None:
    done = run("--port", "0", "--seed", str(tmp_path))

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_a_host_that_is_not_this_machine_is_one_line() -> None:
    done = run("--host", "192.0.2.1", "--port", "0")

    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "192.0.2.1" in done.stderr


def test_the_switches_reach_the_server(tmp_path: Path) -> None:
    seed = tmp_path / "contacts.json"
    seed.write_text('[{"id": 1, "email": "a@x"}, {"id": 2, "email": "b@x"}]')

    with started(
        "--seed", str(seed), "--no-duplicate-check", "--fault", "in_refused=1", "--latency-ms", "300"
    ) as (_, url):
        shared = requests.patch(f"{url}/v1/contacts/2", json={"email": "a@x"}, auth=AUTH, timeout=10)
        refused = requests.get(f"{url}/v1/contacts?filter[email][$in][]=a@x", auth=AUTH, timeout=10)

    assert shared.json()["success"]
    assert shared.elapsed.total_seconds() >= 0.3
    assert refused.status_code == 400


def test_help_names_every_option() -> None:
    done = run("--help")

    assert done.returncode == 0
    for option in ("--host", "--port", "--seed", "--latency-ms", "--api-id", "--api-key", "--no-duplicate-check"):
        assert option in done.stdout
