"""
``make airflow``: Airflow with the example DAGs, a warehouse and a sandbox of Envoke, until Ctrl-C.

Everything runs in child processes and in a temporary directory; nothing is left of them at the end.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

from demo.console import INTERRUPTED, run_in_temporary_directory, say
from tests.support import EXAMPLES, customers
from tests.support.processes import SetupError
from tests.system.airflow.standalone import RELEASE
from tests.system.airflow.with_sandbox import AirflowWithSandbox

if TYPE_CHECKING:
    from pathlib import Path


def main() -> int:
    """Run Airflow until Ctrl-C, and return the exit status: 0 after Ctrl-C."""
    status = run_in_temporary_directory(_run)
    return 0 if status == INTERRUPTED else status


def _run(directory: Path, log: Path) -> None:
    say(f"Starting Airflow {RELEASE}, a warehouse and a sandbox of Envoke ... ", end="")
    began = time.monotonic()
    with AirflowWithSandbox.started(directory, EXAMPLES, log) as running:
        say(f"{time.monotonic() - began:.0f} s\n")
        for line in _instructions(running):
            say(line)
        running.airflow.process.wait()
        raise SetupError("Airflow ended by itself.")


def _instructions(running: AirflowWithSandbox) -> list[str]:
    password = running.airflow.password
    log_in = f"log in as admin with the password {password}" if password else "no login needed"
    conf = json.dumps({"email": customers.ONE_EMAIL})
    return [
        f"  Airflow  {running.airflow.url}/  {log_in}",
        f"  Sandbox  {running.sandbox.url}/  its contacts, and the requests it received",
        f"  DAGs     {EXAMPLES}  read again when you change them",
        "",
        "Trigger envoke_nightly_sync twice: the second run changes nothing. Or envoke_update_by_email with",
        f"{conf}. The connections and the pool are set up. Press Ctrl-C to stop everything.",
    ]


if __name__ == "__main__":
    sys.exit(main())
