"""What tests of the sandbox share: two contacts, an HTTP call, and the sandbox as a process."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import requests

from airflow_provider_envoke.sandbox.thread import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

AUTH = (Sandbox.api_id, Sandbox.api_key)
COMMAND = [sys.executable, "-m", "airflow_provider_envoke.sandbox"]

# The id and the remote id of the examples in article 1697196.
JON = {"id": 1234, "email": "jon@doe.com", "remote_id": "436D-SF92-J4G5", "first_name": "Jon", "city": "Laval"}
ANA = {"id": 2000, "email": "ana@doe.com", "remote_id": "A1", "city": "Québec", "consent_status": "Express"}


def call(sandbox: Sandbox | str, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
    """Send a request with valid credentials to a sandbox, or to the URL of one."""
    url = sandbox if isinstance(sandbox, str) else sandbox.url
    return requests.request(method, url + path, json=body, **{"auth": AUTH, "timeout": 30, **options})


def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the sandbox's command until it ends by itself."""
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=30)


@contextmanager
def running_process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start the sandbox's command on a free port; yield the process and the sandbox's URL."""
    process = subprocess.Popen([*COMMAND, "--port", "0", *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        line = process.stdout.readline()
        found = re.fullmatch(r"Envoke sandbox ready on (http://[\d.]+:\d+)/\n", line)
        assert found, line
        yield process, found[1]
    finally:
        process.kill()
        process.communicate()
