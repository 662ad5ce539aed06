"""Runs the sandbox in its own process, so that it does not use the client's processor time."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

API_ID, API_KEY = "sandbox-id", "sandbox-key"


@contextmanager
def sandbox_process(contacts: list[dict[str, Any]], latency_ms: int = 0) -> Iterator[str]:
    """Start a sandbox with these contacts, yield its URL, and stop it at the end."""
    with TemporaryDirectory() as directory:
        seed = Path(directory) / "contacts.json"
        seed.write_text(json.dumps(contacts))
        command = [sys.executable, "-m", "airflow_provider_envoke.sandbox", "--port", "0"]
        command += ["--seed", str(seed), "--latency-ms", str(latency_ms)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            ready = process.stdout.readline() if process.stdout else ""
            found = re.search(r"http://[\w.\[\]:]+", ready)
            if found is None:
                raise RuntimeError(f"The sandbox did not start: {ready!r}")
            yield found.group().rstrip("/")
        finally:
            process.terminate()
            process.wait()
